"""Chooses between tiles and whole frames by load, pure: measured times and frames under way in, a choice out.

With tiles, all devices work on one frame. It is finished sooner, but the devices together do more work, and the gateway
alone runs the tail. Whole frames are computed at the same time, each on one device, without extra work. With `n` frames
under way, a frame in tiles takes about `n` times as long as alone, and a whole frame as long as one device needs.
Therefore frames are divided while few are under way. Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from gateway.planning.plan_search import GAIN_TO_DIVIDE

LOAD_MEMORY_S = 2.0
"""The load is averaged over about this time."""

MIN_DWELL_S = 3.0
"""A choice is kept this long at least, so that it does not change back and forth."""

MIN_MEASURED_FRAMES = 8
"""After this many frames in tiles their measured time counts instead of the predicted one."""

FIRST_RETRY_S, MAX_RETRY_S = 60.0, 3600.0
"""Tiles that were measured to be slower are not tried again for this long; the time doubles up to the maximum."""


class Division(StrEnum):
    """The division of new frames: none, or into tiles."""

    WHOLE = "whole"
    TILES = "tiles"


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted seconds for one frame alone: `whole` on the fastest device, `tiled` on all devices. None: unknown."""

    whole: float | None
    tiled: float | None


class PlanChoice:
    """Follows the load and the measured times of tiled frames, and keeps the current choice, `division`."""

    def __init__(self) -> None:
        self.division = Division.WHOLE
        self.load = 0.0
        """Frames under way, averaged over about LOAD_MEMORY_S."""
        self._sampled_at: float | None = None
        self._changed_at = float("-inf")
        self._tiled: deque[float] = deque(maxlen=2 * MIN_MEASURED_FRAMES)
        self._retry_at = float("-inf")
        self._retry_s = FIRST_RETRY_S

    def add_tiled_frame(self, seconds: float) -> None:
        """Note how long a frame in tiles took, from its first task to its objects."""
        self._tiled.append(seconds / max(1.0, self.load))

    def forget_measurements(self) -> None:
        """Forget the measured times, because the devices have changed."""
        self._tiled.clear()
        self._retry_at, self._retry_s = float("-inf"), FIRST_RETRY_S

    def follow_load(self, frames: float, now: float) -> None:
        """Note the number of frames under way, also while there is nothing to choose."""
        passed = LOAD_MEMORY_S if self._sampled_at is None else now - self._sampled_at
        self.load += min(1.0, passed / LOAD_MEMORY_S) * (frames - self.load)
        self._sampled_at = now

    def update(self, frames: float, prediction: Prediction, now: float) -> Division:
        """Note the number of frames under way, and choose again; return the division of new frames."""
        self.follow_load(frames, now)
        if prediction.whole is None or now - self._changed_at < MIN_DWELL_S:
            return self.division
        tiled = median(self._tiled) if len(self._tiled) >= MIN_MEASURED_FRAMES else prediction.tiled
        together = None if tiled is None else max(1.0, self.load) * tiled
        if self.division is Division.WHOLE:
            if together is not None and together < GAIN_TO_DIVIDE * prediction.whole and now >= self._retry_at:
                self._change(Division.TILES, now)
        elif tiled is None or together is None or together > prediction.whole:
            if tiled is not None and tiled > prediction.whole:  # slower even alone: the prediction was wrong
                self._retry_at = now + self._retry_s
                self._retry_s = min(MAX_RETRY_S, 2 * self._retry_s)
                self._tiled.clear()  # the next try starts from the prediction again
            self._change(Division.WHOLE, now)
        return self.division

    def _change(self, division: Division, now: float) -> None:
        self.division, self._changed_at = division, now
        if division is Division.TILES:
            self._tiled.clear()
