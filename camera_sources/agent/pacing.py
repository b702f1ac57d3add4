"""Selects pictures so that a frame rate is not exceeded. Pure: the caller gives the time."""

from __future__ import annotations

MAX_EARLINESS = 0.1
"""Share of the interval by which a picture may come early, because cameras are not perfectly regular."""


class FramePacing:
    """Selects at most `fps` pictures a second on average, evenly spaced; None: all."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s = 1 / fps if fps else 0.0
        self._due: float | None = None

    def wants(self, now: float) -> bool:
        """Return whether the picture received at `now` (monotonic seconds) is wanted."""
        if self._due is not None and now < self._due - MAX_EARLINESS * self._interval_s:
            return False
        # If a picture is late by more than an interval, the schedule starts anew, so that no burst of pictures follows.
        behind = self._due is None or now > self._due + self._interval_s
        self._due = (now if behind or self._due is None else self._due) + self._interval_s
        return True
