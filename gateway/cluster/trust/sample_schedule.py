"""Decides when the gateway computes a frame of the cluster again. Pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_CHECK_S = 0.6
"""The assumed duration of a check before the first one. With a share of a hundredth, the first check then comes after
about a minute."""

SUSPICION_FACTOR = 10
"""While a node is on probation, for a minute, its frames are checked this many times as often."""

_UNIFORM = random.SystemRandom().uniform
"""A uniform random number of the system's generator, which cannot be predicted from earlier numbers."""


class SampleSchedule:
    """The times of checks: random, so that no node can know them. Checks take at most a `share` (0 to 1) of the time.

    Time is monotonic seconds, given by the caller; `uniform(low, high)` returns a random number.
    """

    def __init__(self, share: float, now: float, uniform: Callable[[float, float], float] = _UNIFORM) -> None:
        self._share = share
        self._uniform = uniform
        self._mean_s = 0.0
        self._ended_at = self._due_at = now
        if share:
            self.on_checked(now - FIRST_CHECK_S, now)

    def is_due(self, now: float, *, suspected: bool = False) -> bool:
        """Return whether a frame is to be checked now; one of a `suspected` node is checked sooner."""
        if not self._share:
            return False
        sooner = suspected and now >= self._ended_at + self._mean_s / SUSPICION_FACTOR
        return sooner or now >= self._due_at

    def on_checked(self, begun: float, now: float) -> None:
        """Note the time that a check took, and choose the time of the next one."""
        self._mean_s = (now - begun) / self._share
        self._ended_at, self._due_at = now, now + self._uniform(0.0, 2 * self._mean_s)
