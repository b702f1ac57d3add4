"""Makes a new plan for the devices that compute when these join, leave, or change their speed."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.speeds import shares_differ
from gateway.planning.partitioned import PartitionedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership
    from gateway.models.catalogue import Model
    from gateway.options import GatewayOptions

log = logging.getLogger(__name__)

NODES_SETTLE_S = 1.0
"""The set of devices must stay unchanged this long before it is planned for: at a start they join one by one."""

MIN_PLAN_DURATION_S = 10.0
"""A plan is not changed for measured speeds before it has lasted this long."""


class Replanner:
    """Watches the devices, for a method that divides the work among all of them."""

    def __init__(
        self,
        options: GatewayOptions,
        model: Model,
        members: Membership,
        speeds: NodeSpeeds,
        takes_tiles: Callable[[str], bool],
    ) -> None:
        """`takes_tiles` returns whether a node gets tiles of other nodes."""
        self._options = options
        self._model = model
        self._members = members
        self._takes_tiles = takes_tiles
        self.needed = options.method.fits_devices and options.grid is None
        self._speeds = speeds

    async def run(self) -> AsyncIterator[tuple[PartitionedModel, tuple[str, ...]]]:
        """Yield each new partition, and the devices that its tiles are for, in order. Never ends."""
        planned: tuple[str, ...] = ()
        shares: tuple[float, ...] = (1.0,)
        planned_at = -MIN_PLAN_DURATION_S
        if not self.needed:
            await asyncio.Event().wait()
        while True:
            computing = self._computing_nodes()
            await asyncio.sleep(NODES_SETTLE_S)
            if not computing or computing != self._computing_nodes():
                continue  # none is present, or the set of devices still changes
            wanted = self._speeds.work_shares(computing)
            speeds_count = time.monotonic() - planned_at >= MIN_PLAN_DURATION_S
            if computing == planned and not (speeds_count and shares_differ(wanted, shares)):
                continue
            planned, shares, planned_at = computing, wanted, time.monotonic()
            log.info("planning for %s", ", ".join(f"{n} ({s:.0%})" for n, s in zip(planned, shares, strict=True)))
            options = self._options
            yield (
                await asyncio.to_thread(
                    PartitionedModel.of,
                    self._model,
                    options.grid_for(len(planned)),
                    options.cut,
                    options.method,
                    shares,
                ),
                planned,
            )

    def _computing_nodes(self) -> tuple[str, ...]:
        """Return the present nodes that get tiles; all present ones if none of them does."""
        present = self._members.present
        return tuple(node for node in present if self._takes_tiles(node)) or present
