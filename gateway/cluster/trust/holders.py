"""The nodes that may send results for the frames of an owner: itself, and those that were given its tiles."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from shared.logs.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

GRANT_KEPT_S = 900.0
"""A thief may keep a grant until it is idle; no work on a tile takes this long."""

MAX_KEPT_GRANTS = 10_000
"""Pairs of nodes: all those of a hundred nodes that help each other."""

UNASKED_LOG_PERIOD_S = 60.0
"""A node that sends results which nobody asked for is logged this often."""


class TileHolders:
    """Remembers which node was given tiles of which owner."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._granted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._warnings = RateLimit(UNASKED_LOG_PERIOD_S)

    def grant(self, node: str, owner: str) -> None:
        """Note that a node was given a tile of an owner, or may take one."""
        self._granted[node, owner] = self._clock()
        self._granted.move_to_end((node, owner))
        if len(self._granted) > MAX_KEPT_GRANTS:
            self._granted.popitem(last=False)

    def may_send(self, node: str, owner: str) -> bool:
        """Return whether a node may send results for an owner's frames: its own, or after a grant."""
        now = self._clock()
        if node == owner or now - self._granted.get((node, owner), float("-inf")) < GRANT_KEPT_S:
            return True
        if self._warnings.allows(node, now):
            log.warning("edge %s sent a result for a frame of edge %s that it was not given", node, owner)
        return False
