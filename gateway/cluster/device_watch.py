"""Watches the devices that compute: which they are, and how fast each is relative to the others."""

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
        lasts_s: Callable[[], float],
        what_else_counts: Callable[[str], object] = lambda _: None,
        else_lasts_s: Callable[[], float] | None = None,
    ) -> None:
        """`takes_tiles` returns whether a node gets tiles of other nodes.

        Speeds alone are a change `lasts_s()` seconds after the last one at the earliest, and what else counts of a node
        after `else_lasts_s()`; None: the same. They may depend on the last change, so they are called at every look at
        the devices.
        """
        self._what_else_counts = what_else_counts
        self._else_lasts_s = lasts_s if else_lasts_s is None else else_lasts_s
        self._members = members
        self._speeds = speeds
        self._takes_tiles = takes_tiles
        self._lasts_s = lasts_s

    async def changes(self) -> AsyncIterator[tuple[tuple[str, ...], tuple[float, ...]]]:
        """Yield the devices and the share of the work of each, first and whenever these have changed. Never ends."""
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
            known = tuple(map(self._what_else_counts, computing))
            lasted_s = time.monotonic() - planned_at
            others = lasted_s >= self._else_lasts_s() and known != measured
            speeds = lasted_s >= self._lasts_s() and shares_differ(wanted, shares)
            if computing == planned and not (others or speeds):
                continue
            planned, shares, measured, planned_at = computing, wanted, known, time.monotonic()
            yield planned, shares

    def _computing_nodes(self) -> tuple[str, ...]:
        """Return the present nodes that get tiles; all present ones if none of them does."""
        present = self._members.present
        return tuple(node for node in present if self._takes_tiles(node)) or present
