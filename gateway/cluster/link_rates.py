"""The throughput of the links between nodes, measured by transfers.

Pure: the caller gives the time, monotonic seconds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection

RATE_MEMORY_S = 600.0
"""A measured rate counts for this long. Then a slow link is tried again, as if it were usual: one frame may be late."""

SUSPICION_S = 30.0
"""After a slow transfer from an owner, its links to other nodes count as slow, too, for this long: it is unknown which
end of the link is slow."""

MAX_PAIRS = 4096
"""Pairs of nodes that are remembered: all pairs of 64 nodes."""


class LinkRates:
    """Bytes per second of the latest transfer between each pair of nodes, from an owner to a thief."""

    def __init__(self) -> None:
        self._latest: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def add_transfer(self, owner: str, thief: str, bytes_per_s: float, now: float) -> None:
        """Note a transfer; 0 `bytes_per_s`: nothing was transferred."""
        if bytes_per_s:
            self._latest[owner, thief] = now, bytes_per_s
            self._latest.move_to_end((owner, thief))
            if len(self._latest) > MAX_PAIRS:
                self._latest.popitem(last=False)

    def forget_node(self, node: str) -> None:
        """Forget the links of a node that has left: it may return with another network connection."""
        for pair in [pair for pair in self._latest if node in pair]:
            del self._latest[pair]

    def rate_between(self, owner: str, thief: str, now: float) -> float:
        """Return the expected bytes per second from an owner to a thief.

        It is the rate of their latest transfer; without one, the fastest rate of the owner to other nodes; without any,
        USUAL_LINK_BYTES_PER_S. If all newer transfers of the owner were slower, the fastest of these counts, because
        the owner's end of the link may have become slow.
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
        """Return the bytes per second of the slowest link to one of these nodes, at most USUAL_LINK_BYTES_PER_S."""
        recent = [
            rate for (_, thief), (at, rate) in self._latest.items() if thief in thieves and now - at < RATE_MEMORY_S
        ]
        return min([USUAL_LINK_BYTES_PER_S, *recent])
