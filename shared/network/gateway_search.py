"""The search of an edge for its gateway at other addresses: when to search, and which addresses to try. Pure."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.addresses import Address

LOOK_AFTER_S = 60.0
"""An edge searches after this time without an answer at the address that it knows, and again after each such time."""

MAX_TRIES = 4
"""Addresses that one search tries; others wait for the next search."""

FIRST_REST_S, LONGEST_REST_S = 120.0, 1800.0
"""An address at which the gateway did not prove its identity is not tried again for the first time; the time doubles
after each failure, up to the second."""

MAX_RESTING = 256
"""Failed addresses that are remembered; if more are announced, the oldest is forgotten."""


def is_long_silence(silent_s: float) -> bool:
    """Return whether a gateway that has not answered for this time may have another address now."""
    return silent_s >= LOOK_AFTER_S


class GatewaySearch:
    """The search for one gateway. False announcements cost only one attempt now and then."""

    def __init__(self, known: Address) -> None:
        """`known` is the address that the edge connects to anyway."""
        self._known = known
        self._looked_at: float | None = None
        self._resting: OrderedDict[Address, tuple[int, float]] = OrderedDict()

    def is_due(self, silent_s: float, now: float) -> bool:
        """Return whether to search at `now` (monotonic seconds); if so, remember the time.

        `silent_s` is the time since the gateway's last answer.
        """
        if not is_long_silence(silent_s):
            self._looked_at = None
            return False
        if self._looked_at is not None and now - self._looked_at < LOOK_AFTER_S:
            return False
        self._looked_at = now
        return True

    def choose(self, announced: Iterable[Address], now: float) -> list[Address]:
        """Return the addresses to try, in random order, so that earlier announcements have no advantage."""
        candidates = [place for place in set(announced) if place != self._known and not self._rests(place, now)]
        return random.sample(candidates, min(MAX_TRIES, len(candidates)))

    def note_failure(self, place: Address, now: float) -> None:
        """Remember that the gateway did not prove its identity at an address, which is not tried for some time."""
        failures = self._resting.pop(place, (0, 0.0))[0] + 1
        self._resting[place] = failures, now + min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(failures - 1, 16))
        while len(self._resting) > MAX_RESTING:
            self._resting.popitem(last=False)

    def _rests(self, place: Address, now: float) -> bool:
        return now < self._resting.get(place, (0, now))[1]
