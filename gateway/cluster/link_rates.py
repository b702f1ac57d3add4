"""The measured throughput between nodes, pure: transfers in. Time is monotonic seconds, given by the caller."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection

RATE_MEMORY_S = 600.0
"""A slow link counts as usual again after this time; one frame that is late then is the price of trying it."""

SUSPICION_S = 30.0
"""After a slow transfer, the owner's link to others is taken for as slow for this long: which end is it?"""

MAX_PAIRS = 4096
"""Pairs of nodes that are remembered: those of 64 nodes."""


class LinkRates:
    """Bytes per second of the latest transfer from an owner to a thief."""

    def __init__(self) -> None:
        self._latest: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def add_transfer(self, owner: str, thief: str, bytes_per_s: float, now: float) -> None:
        """Note a transfer; 0 `bytes_per_s`: there was none."""
        if bytes_per_s:
            self._latest[owner, thief] = now, bytes_per_s
            self._latest.move_to_end((owner, thief))
            if len(self._latest) > MAX_PAIRS:
                self._latest.popitem(last=False)

    def forget_node(self, node: str) -> None:
        """Forget the links of a node that has left: it may come back by another one."""
        for pair in [pair for pair in self._latest if node in pair]:
            del self._latest[pair]

    def rate_between(self, owner: str, thief: str, now: float) -> float:
        """Return what the link carries; for a pair without a transfer, what the owner's to others carries.

        Newer transfers of the owner count as well: if all of them were slower, its own link may have changed.
        """
        recent = {
            pair: measured
            for pair, measured in self._latest.items()
            if pair[0] == owner and now - measured[0] < RATE_MEMORY_S
        }
        at, known = recent.pop((owner, thief), (0.0, max((rate for _, rate in recent.values()), default=0.0)))
        newer = [rate for other_at, rate in recent.values() if other_at > at and now - other_at < SUSPICION_S]
        return min(known or USUAL_LINK_BYTES_PER_S, max(newer, default=math.inf))

    def current(self, now: float) -> list[tuple[str, str, float]]:
        """Return (owner, thief, bytes per second) of the pairs with a recent transfer, in the order of names."""
        return sorted((*pair, rate) for pair, (at, rate) in self._latest.items() if now - at < RATE_MEMORY_S)

    def slowest(self, now: float, thieves: Collection[str]) -> float:
        """Return what the slowest link to one of these nodes carries."""
        recent = [
            rate for (_, thief), (at, rate) in self._latest.items() if thief in thieves and now - at < RATE_MEMORY_S
        ]
        return min([USUAL_LINK_BYTES_PER_S, *recent])
