"""Changes the plans of a running cluster: with the devices, with the load, and when the last frame of one has ended."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gateway.cluster.automatic_plans import AutomaticPlans
from gateway.cluster.replanning import Replanner
from gateway.planning.methods import Method
from shared.payloads.bridge import BridgeEventType
from shared.process.lifecycle import run_together
from shared.process.malloc import release_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.cluster.cluster_listener import ClusterListener
    from gateway.cluster.link_rates import LinkRates
    from gateway.cluster.running_plans import RunningPlan, RunningPlans
    from gateway.cluster.sharing_service import SharingService
    from gateway.cluster.speeds import NodeSpeeds
    from gateway.cluster.stealing_service import StealingService
    from gateway.membership.members import Membership
    from gateway.models.catalogue import Model
    from gateway.options import GatewayOptions
    from gateway.planning.partitioned import PartitionedModel


class PlanChanges:
    """Offers plans to the edges. Frames under way are finished by the plan that they began with."""

    def __init__(
        self,
        options: GatewayOptions,
        model: Model,
        partitions: Sequence[PartitionedModel],
        plans: RunningPlans,
        services: tuple[SharingService, StealingService],
        members: Membership,
        speeds: NodeSpeeds,
        links: LinkRates,
        listener: ClusterListener,
        takes_tiles: Callable[[str], bool],
    ) -> None:
        """Offer the first plans. Raises ConfigurationError when edges would refuse one.

        `takes_tiles` returns whether a node gets tiles of other nodes.
        """
        self._options = options
        self._plans = plans
        self._sharing, self._stealing = services
        self._listener = listener
        self._changed = asyncio.Event()
        self._replanner = Replanner(options, model, members, speeds, takes_tiles)
        whole, *others = self._offer(partitions)
        self._automatic = AutomaticPlans(whole, next(iter(others), None), plans, members, speeds, links, takes_tiles)
        if not self._replanner.needed:
            model.forget_weights()
            release_freed_memory()

    async def run(self) -> None:
        """Follow devices and load until cancelled."""
        await run_together(self._replan(), self._follow_choice())

    def check(self) -> None:
        """Follow the load, and forget plans whose frames have all ended: called periodically."""
        for epoch in self._plans.retire(time.monotonic()):
            self._stealing.forget_plan(epoch)
            self._sharing.forget_plan(epoch)
        if self._automatic.update():
            self._changed.set()

    def add_frame(self, running: RunningPlan, seconds: float) -> None:
        """Note how long a published frame took from its first task to its objects."""
        self._automatic.add_frame(running, seconds)

    def _offer(self, partitions: Sequence[PartitionedModel], nodes: Sequence[str] = ()) -> list[RunningPlan]:
        """Offer these plans instead of the ones before; return them. `nodes` as in SharingService.add_plan."""
        offered = self._plans.offer(partitions)
        for running in offered:
            if self._options.method is not Method.AUTO:
                running.open_detector(self._options.threads)
            if running.plan.distribution.by_gateway:
                self._sharing.add_plan(running.plan, nodes)
        return offered

    async def _replan(self) -> None:
        """Follow the devices, for a method whose plan is made for each of them."""
        async for partitioned, nodes in self._replanner.run():
            self._offer([partitioned], nodes)
            self._listener.on_cluster_event(BridgeEventType.REPLANNED, str(self._plans.preferred.epoch))
            await self._plans.republish()

    async def _follow_choice(self) -> None:
        """Offer and prefer what method `auto` has chosen."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for running in self._plans:
                if not running.held_back:
                    await asyncio.to_thread(running.open_detector, self._options.threads)
            await self._plans.republish()
            await self._listener.on_plan_changed()
