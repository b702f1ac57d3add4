"""Frame rates as users write them. Pure."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

DEFAULT_FPS = 5.0
"""Frames a second by default: enough to see a person walking past, without loading a small device fully."""

MAX_FPS = 240.0
"""The highest rate, in frames a second; no camera in use is faster."""

EVERY_FRAME = "all"
"""The value that stands for no maximum."""


def parse_frame_limit(value: object) -> float | None:
    """Return the maximum of frames a second from a number; None for EVERY_FRAME. Raises ValueError."""
    if value == EVERY_FRAME:
        return None
    try:
        fps = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        fps = math.nan
    if not 0 < fps <= MAX_FPS:
        raise ValueError(f"invalid frame rate; write a number above 0 and up to {MAX_FPS:g}, or {EVERY_FRAME}")
    return fps


FrameLimit = Annotated[
    float | None,
    BeforeValidator(
        parse_frame_limit, json_schema_input_type=Annotated[float, Field(gt=0, le=MAX_FPS)] | Literal["all"]
    ),
]
"""The maximum of frames a second; in the file a number, or "all" for None."""
