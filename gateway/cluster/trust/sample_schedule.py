"""The times at which the gateway computes a frame of the cluster again, pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_CHECK_S = 0.6
"""The time that a check is supposed to take before there was one; that means a minute until the first, with a share of
a hundredth."""

SUSPICION_FACTOR = 10
"""Frames of a node on probation are checked so many times as often: for a minute, with ten times the share."""

_UNIFORM = random.SystemRandom().uniform
"""Of the system's random numbers, which cannot be predicted from those before."""


class SampleSchedule:
    """The times of checks, pure: random, so that no node can know them, and at most a `share` of the time.

    Time is monotonic seconds, given by the caller; `uniform` returns a random number between two others.
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
