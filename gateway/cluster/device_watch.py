"""Watches the devices that compute: which they are, and how fast each is relative to the others."""

from __future__ import annotations

import asyncio
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
        kernels: Callable[[str], object] | None = None,
    ) -> None:
        """`takes_tiles` returns whether a node gets tiles of other nodes.

        Speeds alone are a change `lasts_s()` seconds after the last one at the earliest, and so is what a node has
        measured of its `kernels`. It may depend on the last change, so it is called at every look at the devices.
        """
        self._kernels = kernels or (lambda _: None)
        self._members = members
        self._speeds = speeds
        self._takes_tiles = takes_tiles
        self._lasts_s = lasts_s

    async def changes(self) -> AsyncIterator[tuple[tuple[str, ...], tuple[float, ...]]]:
        """Yield the devices and the share of the work of each, first and whenever these have changed. Never ends."""
        planned: tuple[str, ...] = ()
        shares: tuple[float, ...] = (1.0,)
        measured: tuple[object, ...] = ()
        planned_at = float("-inf")
        while True:
            computing = self._computing_nodes()
            await asyncio.sleep(NODES_SETTLE_S)
            if not computing or computing != self._computing_nodes():
                continue  # none is present, or the set of devices still changes
            wanted = self._speeds.work_shares(computing)
            known = tuple(map(self._kernels, computing))
            speeds_count = time.monotonic() - planned_at >= self._lasts_s()
            if computing == planned and not (speeds_count and (known != measured or shares_differ(wanted, shares))):
                continue
            planned, shares, measured, planned_at = computing, wanted, known, time.monotonic()
            yield planned, shares

    def _computing_nodes(self) -> tuple[str, ...]:
        """Return the present nodes that get tiles; all present ones if none of them does."""
        present = self._members.present
        return tuple(node for node in present if self._takes_tiles(node)) or present
