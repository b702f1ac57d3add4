"""The search of an edge for its gateway at another address: the time to look, and the addresses to try. Pure."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.addresses import Address

LOOK_AFTER_S = 60.0
"""Without an answer at the address that the edge knows; and between one look and the next."""

MAX_TRIES = 4
"""Of one look: more addresses wait for the next one."""

FIRST_REST_S, LONGEST_REST_S = 120.0, 1800.0
"""An address at which somebody else answered, or nobody, is not tried again for this time, which doubles."""

MAX_RESTING = 256
"""Addresses that are remembered; whoever announces more makes an edge forget the oldest."""


def is_long_silence(silent_s: float) -> bool:
    """Return whether a gateway that has not answered for this time may be elsewhere."""
    return silent_s >= LOOK_AFTER_S


class GatewaySearch:
    """The search for one gateway. An announcement costs one try now and then, whatever it says."""

    def __init__(self, known: Address) -> None:
        """`known` is the address that the edge connects to anyway."""
        self._known = known
        self._looked_at: float | None = None
        self._resting: OrderedDict[Address, tuple[int, float]] = OrderedDict()

    def is_due(self, silent_s: float, now: float) -> bool:
        """Return whether to look at `now` (monotonic seconds), and remember it if so.

        `silent_s` is for how long the gateway has not answered.
        """
        if not is_long_silence(silent_s):
            self._looked_at = None
            return False
        if self._looked_at is not None and now - self._looked_at < LOOK_AFTER_S:
            return False
        self._looked_at = now
        return True

    def choose(self, announced: Iterable[Address], now: float) -> list[Address]:
        """Return the addresses to try, in any order: nobody gets in front of the gateway by announcing earlier."""
        awake = [place for place in set(announced) if place != self._known and not self._rests(place, now)]
        return random.sample(awake, min(MAX_TRIES, len(awake)))

    def note_failure(self, place: Address, now: float) -> None:
        """Let an address rest at which the gateway did not prove itself."""
        failures = self._resting.pop(place, (0, 0.0))[0] + 1
        self._resting[place] = failures, now + min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(failures - 1, 16))
        while len(self._resting) > MAX_RESTING:
            self._resting.popitem(last=False)

    def _rests(self, place: Address, now: float) -> bool:
        return now < self._resting.get(place, (0, now))[1]
