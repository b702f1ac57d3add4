"""The nodes that may send results for the frames of an owner. Pure."""

from __future__ import annotations

from collections import OrderedDict

GRANT_KEPT_S = 900.0
"""A thief may keep a grant until it is idle; no work on a tile takes this long."""

MAX_KEPT_GRANTS = 10_000
"""Pairs of nodes: all those of a hundred nodes that help each other."""


class TileHolders:
    """Remembers which node was given tiles of which owner. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._granted: OrderedDict[tuple[str, str], float] = OrderedDict()

    def grant(self, node: str, owner: str, now: float) -> None:
        """Note that a node was given a tile of an owner, or may take one."""
        self._granted[node, owner] = now
        self._granted.move_to_end((node, owner))
        if len(self._granted) > MAX_KEPT_GRANTS:
            self._granted.popitem(last=False)

    def may_send(self, node: str, owner: str, now: float) -> bool:
        """Return whether a node may send results for an owner's frames: its own, or after a grant."""
        return node == owner or now - self._granted.get((node, owner), float("-inf")) < GRANT_KEPT_S
