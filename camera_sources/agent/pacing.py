"""Which pictures of a camera are wanted when there are more than that. Pure: time is told."""

from __future__ import annotations

MAX_EARLINESS = 0.1
"""A picture may come before its turn by this part of the interval: cameras are not that regular."""


class FramePacing:
    """At most so many pictures a second on the average, as evenly as they come; None: all."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s = 1 / fps if fps else 0.0
        self._due: float | None = None

    def wants(self, now: float) -> bool:
        """Whether the picture that came at `now` (seconds of a clock that never goes back) is wanted."""
        if self._due is not None and now < self._due - MAX_EARLINESS * self._interval_s:
            return False
        behind = self._due is None or now > self._due + self._interval_s
        self._due = (now if behind or self._due is None else self._due) + self._interval_s
        return True
