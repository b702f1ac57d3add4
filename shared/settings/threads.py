"""The setting of a number of computing threads, in options and in the configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

AUTO_THREADS = "auto"
"""One thread for each core that the process may use; None in the program."""

MAX_THREADS = 64
"""The largest number of threads: no device in a home has as many cores."""


def parse_threads(value: Any) -> int | None:  # noqa: ANN401  (anything that a file contains)
    """Return the number of threads, None for AUTO_THREADS. Raises ValueError."""
    if value is None or value == AUTO_THREADS:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_THREADS:
        raise ValueError(f"invalid number of threads; write a number from 1 to {MAX_THREADS}, or {AUTO_THREADS}")
    return value


ThreadCount = Annotated[
    int | None,
    BeforeValidator(
        parse_threads, json_schema_input_type=Annotated[int, Field(ge=1, le=MAX_THREADS)] | Literal["auto"]
    ),
]
"""A number of threads; in the file a number, or "auto" for None."""
