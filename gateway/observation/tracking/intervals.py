"""How fast the frames of a camera come, whatever it was asked for."""

from __future__ import annotations

from collections import deque

_KEPT_INTERVALS = 5
"""Intervals that are looked at: enough that some of them hide no dropped frame, few enough to follow a new rate."""


class Intervals:
    """The times between frames, in seconds."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._kept: deque[float] = deque(maxlen=_KEPT_INTERVALS)

    def frame(self, at: float) -> None:
        """There is a frame of this time, later than the last."""
        if self._last is not None:
            self._kept.append(at - self._last)
        self._last = at

    @property
    def usual_s(self) -> float:
        """The shortest of the last few: the others had dropped frames, or still scenes, in them. 0 at first."""
        return min(self._kept, default=0.0)
