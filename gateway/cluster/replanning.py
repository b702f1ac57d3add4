"""Makes a new plan for the present devices when they join, leave, or change their speed."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.speeds import shares_differ
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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

    def __init__(self, options: GatewayOptions, model: Model, members: Membership, speeds: NodeSpeeds) -> None:
        self._options = options
        self._model = model
        self._members = members
        self.needed = options.method is Method.BODP and options.grid is None
        self._speeds = speeds

    async def run(self) -> AsyncIterator[tuple[PartitionedModel, tuple[str, ...]]]:
        """Yield each new partition, and the devices that its tiles are for, in order. Never ends."""
        planned: tuple[str, ...] = ()
        shares: tuple[float, ...] = (1.0,)
        planned_at = -MIN_PLAN_DURATION_S
        if not self.needed:
            await asyncio.Event().wait()
        while True:
            present = self._members.present
            await asyncio.sleep(NODES_SETTLE_S)
            if not present or present != self._members.present:
                continue  # none is present, or the set of devices still changes
            wanted = self._speeds.work_shares(present)
            speeds_count = time.monotonic() - planned_at >= MIN_PLAN_DURATION_S
            if present == planned and not (speeds_count and shares_differ(wanted, shares)):
                continue
            planned, shares, planned_at = present, wanted, time.monotonic()
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
