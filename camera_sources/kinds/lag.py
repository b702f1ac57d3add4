"""How old a picture of a stream already is when it is read: the stream's own time against the clock. Pure."""

from __future__ import annotations

LATE_S = 3.0
"""A picture that is older is of little use; reading on would not make the next ones younger."""

MAX_DRIFT = 2e-4
"""Seconds a second by which a camera's clock may go wrong: twice what cheap quartz does."""

MAX_STREAM_JUMP_S = 1.0
"""Of the stream's time against the clock, from one picture to the next: a camera that set its clock."""


class StreamLag:
    """Compares the times of a stream's pictures with those at which they were read.

    The least difference there was is that of a picture that was read as soon as it came.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self._least_s = 0.0

    def lateness_s(self, now: float, position_s: float) -> float:
        """Return how late the picture is that has this time in its stream and was read at `now` (monotonic seconds).

        0 where the stream's time says nothing: it stands still, or jumped.
        """
        difference_s = now - position_s
        before, self._last = self._last, (now, position_s)
        if before is None:
            self._least_s = difference_s
            return 0.0
        passed_s, played_s = now - before[0], position_s - before[1]
        if played_s <= 0 or abs(played_s) > passed_s + MAX_STREAM_JUMP_S:
            self._least_s += difference_s - (before[0] - before[1])
        else:
            self._least_s += MAX_DRIFT * passed_s
        self._least_s = min(self._least_s, difference_s)
        return difference_s - self._least_s

    def reset(self) -> None:
        """Begin anew: what was taken for lateness is the stream's own way of counting."""
        self._last = None
