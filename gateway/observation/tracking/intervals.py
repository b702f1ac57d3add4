"""Measures the time between the frames of a camera."""

from __future__ import annotations

from collections import deque

_MAX_INTERVALS = 5
"""Remembered intervals: so many that some contain no dropped frame, and so few that a new frame rate soon counts."""


class Intervals:
    """The last times between frames, in seconds."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._kept: deque[float] = deque(maxlen=_MAX_INTERVALS)

    def frame(self, at: float) -> None:
        """Add a frame at the time `at`, in seconds, which must be later than the last one."""
        if self._last is not None:
            self._kept.append(at - self._last)
        self._last = at

    @property
    def usual_s(self) -> float:
        """Return the shortest of the last intervals, as longer ones contain dropped frames or still scenes.

        0 before the second frame.
        """
        return min(self._kept, default=0.0)
