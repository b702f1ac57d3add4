"""Watches for changes of the devices that compute, and of their speeds relative to each other."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from gateway.cluster.speeds import shares_differ

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership

NODES_SETTLE_S = 1.0
"""The set of devices must stay unchanged this long before it is planned for: at a start they join one by one."""


class DeviceWatch:
    """Watches the devices, for plans that are made for them."""

    def __init__(
        self,
        members: Membership,
        speeds: NodeSpeeds,
        takes_tiles: Callable[[str], bool],
        speeds_last_s: Callable[[], float],
        other_facts: Callable[[str], object] = lambda _: None,
        facts_last_s: Callable[[], float] | None = None,
    ) -> None:
        """`takes_tiles(node)` returns whether a node gets tiles of other nodes.

        A change of speeds alone is reported at the earliest `speeds_last_s()` seconds after the last report. A change
        of `other_facts(node)`, which returns further facts that plans depend on, is reported at the earliest
        `facts_last_s()` seconds after it (None: `speeds_last_s`). Both may depend on the last change; therefore they
        are called at every check.
        """
        self._other_facts = other_facts
        self._facts_last_s = speeds_last_s if facts_last_s is None else facts_last_s
        self._members = members
        self._speeds = speeds
        self._takes_tiles = takes_tiles
        self._speeds_last_s = speeds_last_s

    async def changes(self) -> AsyncIterator[tuple[tuple[str, ...], tuple[float, ...]]]:
        """Yield the devices, and each one's share of the work: at first, and after each change. Never ends."""
        planned: tuple[str, ...] = ()
        shares: tuple[float, ...] = (1.0,)
        measured: tuple[object, ...] = ()
        planned_at = -math.inf
        while True:
            computing = self._computing_nodes()
            await asyncio.sleep(NODES_SETTLE_S)
            if not computing or computing != self._computing_nodes():
                continue  # none is present, or the set of devices still changes
            wanted = self._speeds.work_shares(computing)
            known = tuple(map(self._other_facts, computing))
            lasted_s = time.monotonic() - planned_at
            facts_changed = lasted_s >= self._facts_last_s() and known != measured
            speeds_changed = lasted_s >= self._speeds_last_s() and shares_differ(wanted, shares)
            if computing == planned and not (facts_changed or speeds_changed):
                continue
            planned, shares, measured, planned_at = computing, wanted, known, time.monotonic()
            yield planned, shares

    def _computing_nodes(self) -> tuple[str, ...]:
        """Return the present nodes that get tiles; all present ones if none of them does."""
        present = self._members.present
        return tuple(node for node in present if self._takes_tiles(node)) or present
