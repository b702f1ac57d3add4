"""The other nodes as an owner knows them, pure: those that are online, and those of them that are idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.engine.lanes import MAX_LANES

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OTHER_NODES = 1000
"""Other edges that are remembered, as many as a gateway lists: a faulty client may invent names without end."""


class OtherNodes:
    """The nodes besides this one, `node`."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._online: set[str] = set()
        self._helpers: dict[str, float] = {}
        self._lanes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._online)

    def on_found(self, node: str) -> None:
        """Note that another edge is online."""
        if len(self._online) < MAX_OTHER_NODES:
            self._online.add(node)

    def on_lost(self, node: str) -> None:
        """Note that another edge is offline."""
        self._online.discard(node)
        self._helpers.pop(node, None)
        self._lanes.pop(node, None)

    def on_helpers(self, seconds: Mapping[str, float], lanes: Mapping[str, int]) -> bool:
        """Note the nodes that are idle, this one perhaps among them; return whether some are, after none was.

        `lanes`: the tasks that each of them computes at the same time, if more than one.
        """
        for node in seconds:
            if node in self._online:
                self._lanes[node] = min(max(1, lanes.get(node, 1)), MAX_LANES)
        had_helpers, self._helpers = bool(self.helpers), dict(seconds)
        return bool(self.helpers) and not had_helpers

    @property
    def helpers(self) -> dict[str, float]:
        """Return the other nodes that are idle, with the seconds that each needs for a whole frame; 0: not known."""
        return {node: seconds for node, seconds in self._helpers.items() if node != self._node}

    @property
    def lanes(self) -> int:
        """Return how many tasks the other nodes compute at the same time, of those that have been idle before."""
        return sum(self._lanes.values())

    def lanes_of(self, node: str) -> int:
        """Return how many tasks another node computes at the same time, as of when it was idle last."""
        return self._lanes.get(node, 1)
