"""Durations with units, as people write them. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

DURATION_PATTERN = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"

_INVALID = "not a duration; write seconds, for example 30, or 30s, 5m, 1h"

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_seconds(value: object) -> object:
    """Return the seconds of "30s", "5m", "1.5h", "500ms", "1d" or "30"; other types unchanged. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(_INVALID)  # noqa: TRY004  (pydantic's)
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", value.strip(), re.ASCII)
    if match is None:
        raise ValueError(_INVALID)
    return float(match[1]) * UNITS_S[match[2] or "s"]


Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds, json_schema_input_type=float | Annotated[str, Field(pattern=DURATION_PATTERN)]),
]
"""A duration in seconds; the configuration file can also have "30s", "5m", "1h"."""
