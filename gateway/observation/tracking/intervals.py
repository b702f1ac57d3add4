"""Measures the time between the frames of a camera."""

from __future__ import annotations

from collections import deque

_MAX_INTERVALS = 5
"""Remembered intervals: enough that some contain no dropped frame, few enough to follow a new frame rate."""


class Intervals:
    """The last times between frames, in seconds."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._kept: deque[float] = deque(maxlen=_MAX_INTERVALS)

    def frame(self, at: float) -> None:
        """Add a frame of this time, which is later than the last."""
        if self._last is not None:
            self._kept.append(at - self._last)
        self._last = at

    @property
    def usual_s(self) -> float:
        """Return the shortest of the last intervals: longer ones contain dropped frames or still scenes. 0 at first."""
        return min(self._kept, default=0.0)
