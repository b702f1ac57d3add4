"""Measures the age of a picture when it is read, by comparing the stream's own time with the clock. Pure."""

from __future__ import annotations

LATE_S = 3.0
"""An older picture is late: it is of little use, and reading on would not make the next pictures newer."""

MAX_DRIFT = 2e-4
"""Error of a camera's clock, in seconds per second: twice that of cheap quartz."""

MAX_STREAM_JUMP_S = 1.0
"""If the stream's time moves by this much more than the clock between two pictures, the camera has set its clock."""


class StreamLag:
    """Compares the stream's times of pictures with the times at which they were read.

    The smallest difference so far is taken as that of a picture which was read without delay.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self._least_s = 0.0

    def lateness_s(self, now: float, position_s: float) -> float:
        """Return the delay, in seconds, with which a picture was read at `now` (monotonic seconds).

        `position_s` is the picture's time in its stream.
        """
        difference_s = now - position_s
        before, self._last = self._last, (now, position_s)
        if before is None:
            self._least_s = difference_s
            return 0.0
        passed_s, played_s = now - before[0], position_s - before[1]
        if played_s <= 0 or abs(played_s) > passed_s + MAX_STREAM_JUMP_S:
            # The stream's time jumped or stood still: shift the baseline so that the lateness stays as it was.
            self._least_s += difference_s - (before[0] - before[1])
        else:
            # Raised by the drift of clocks, or a camera's slow clock would look like growing lateness.
            self._least_s += MAX_DRIFT * passed_s
        self._least_s = min(self._least_s, difference_s)
        return difference_s - self._least_s

    def reset(self) -> None:
        """Restart the measurement, after the lateness turned out to be an error of the stream's own time."""
        self._last = None
