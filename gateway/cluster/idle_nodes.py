"""Finds the helpers: nodes that were idle within the last second, and so have time for the work of others. Pure.

A node that takes a frame is busy for a moment, and then idle again. It stays a helper meanwhile, so that the list does
not change all the time. Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RECENTLY_IDLE_S = 1.0
"""A node that has not been idle for this long has no time for others."""


class IdleNodes:
    """The time at which each node was last seen idle."""

    def __init__(self) -> None:
        self._idle_at: dict[str, float] = {}

    def update(self, idle: Iterable[str], now: float) -> tuple[str, ...]:
        """Note the nodes that are idle now; return those that have been idle within RECENTLY_IDLE_S, sorted."""
        self._idle_at.update((node, now) for node in idle)
        self._idle_at = {node: at for node, at in self._idle_at.items() if now - at < RECENTLY_IDLE_S}
        return tuple(sorted(self._idle_at))

    def forget_node(self, node: str) -> None:
        """Forget a node that is lost or may not compute."""
        self._idle_at.pop(node, None)
