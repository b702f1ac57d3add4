"""Changes the plans of a running cluster: with the devices, with the load, and when the last frame of one has ended."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.automatic_plans import AutomaticPlans
from gateway.cluster.device_watch import DeviceWatch
from gateway.cluster.measured_devices import MeasuredDevices
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_candidates import PlanOutlook, plan_words
from gateway.planning.plan_prediction import predict_plan
from gateway.planning.plan_search import search_plans
from gateway.planning.predicted_plans import planned_devices, predicted_plans
from gateway.planning.stage_fitting import ALL_FRAMES, fit_stages, levelled_speeds
from shared.errors import DeepThingsError
from shared.ftp.grid import grids_of
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
    from gateway.planning.plan_candidates import PlanCandidate
    from gateway.planning.plan_search import PlanSearch
    from gateway.planning.profiles import ClusterProfile
    from shared.payloads.bridge import PlannedDevice, PredictedPlan
    from shared.wire.headers import ResultHeader

log = logging.getLogger(__name__)

MIN_REPLACEMENT_GAIN = 0.9
"""Tiles are replaced by others that are predicted to take less than this part of their time."""

MIN_FITTING_GAIN = 0.95
"""The same of tiles that are fitted to devices, for the product of latency and of the time of the busiest device."""

FITTED_LASTS_S = 45.0
"""Tiles that were fitted to the devices are not fitted again for measured speeds before they have lasted this long.
Edges of 0.06 core take some 10 s to prepare others, and seem slower meanwhile: refitted every 12 s, six of them had a
fifth of the frames."""

SEARCH_LASTS_S = 60.0
"""The same for plans that were searched."""

CAMERA_LASTS_S = 60.0
"""The same for tiles of either kind, when nothing has changed but the device with the camera."""

PLANNING_SHARE = 0.01
"""Planning for measured speeds takes at most this part of the gateway's time: after a long one, the next is later."""

START_S = 5.0
"""Until most of a start is over; then the memory that it took is returned. Assumed."""


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
        self._model = model
        self._plans = plans
        self._members = members
        self._sharing, self._stealing = services
        self._listener = listener
        self._changed = asyncio.Event()
        self._model_in_use = asyncio.Lock()  # who has made a graph lets the weights go, which another may still need
        self._search_result: PlanSearch | None = None
        self._searched_for: ClusterProfile | None = None
        self._planning_s, self._speeds_missed = 0.0, False
        self._speeds = speeds
        whole, *others = self._offer(partitions)
        self._whole = whole
        self._devices = MeasuredDevices(whole.partitioned.costs, members, speeds, links, options.terms.maps)
        self._automatic = AutomaticPlans(whole, next(iter(others), None), plans, members, self._devices, takes_tiles)
        self._searches = options.method is Method.AUTO and self._automatic.tiles is not None
        self._fits_devices = options.method.fits_devices and options.grid is None
        self._watch = DeviceWatch(
            members, speeds, self._is_measured(speeds, takes_tiles), self._plan_lasts_s,
            self._other_facts, self._facts_last_s,
        )  # fmt: skip
        if not self._fits_devices:
            self._forget_weights()

    async def run(self) -> None:
        """Follow devices and load until cancelled."""
        start_is_over = asyncio.get_running_loop().call_later(START_S, release_freed_memory)
        try:
            await run_together(self._replan(), self._follow_choice())
        finally:
            start_is_over.cancel()

    def check(self) -> None:
        """Follow the load, and forget plans whose frames have all ended: called periodically."""
        for epoch in self._plans.retire(time.monotonic()):
            self._stealing.forget_plan(epoch)
            self._sharing.forget_plan(epoch)
        if self._automatic.update():
            self._changed.set()

    def usual_macs(self, running: RunningPlan, result: ResultHeader) -> int:
        """Return the operations of a result; with method `auto` so many of the whole network as take as long.

        Other methods divide the same layers in every plan.
        """
        if self._options.method is not Method.AUTO:
            return result.macs
        return self._devices.usual_macs(running.partitioned.costs, result.tile, result.worker, result.macs)

    def add_frame(self, running: RunningPlan, seconds: float) -> None:
        """Note how long a published frame took from its first task to its objects."""
        running.durations.append(seconds)
        self._devices.add_frame(time.monotonic())
        self._automatic.add_frame(running, seconds)

    @property
    def predicted(self) -> tuple[PredictedPlan, ...]:
        """Return the plans that were considered last, with method `auto`: predictions, and what was measured."""
        if self._search_result is None:
            return ()
        offered = [self._whole, *([self._automatic.tiles] if self._automatic.tiles else [])]
        measured = {
            plan_words(plan.partitioned.method, plan.partitioned.stages, plan.nodes): plan.measured_s
            for plan in offered
        }
        return predicted_plans(self._search_result, measured)

    @property
    def planned_devices(self) -> tuple[PlannedDevice, ...]:
        """Return the devices for which plans were considered last, with what they have measured."""
        return () if self._searched_for is None else planned_devices(self._searched_for, self._members.kernels)

    def _offer(self, partitions: Sequence[PartitionedModel], nodes: Sequence[str] = ()) -> list[RunningPlan]:
        """Offer these plans instead of the ones before; return them. `nodes` as in RunningPlan."""
        offered = self._plans.offer(partitions, nodes)
        for running in offered:
            if self._options.method is not Method.AUTO:
                running.open_detector(self._options.threads)
            if running.plan.distribution.by_gateway:
                self._sharing.add_plan(running.plan, nodes)
        return offered

    def _is_measured(self, speeds: NodeSpeeds, takes_tiles: Callable[[str], bool]) -> Callable[[str], bool]:
        """Return whether a node is planned for: a search needs its speed, rows are fitted before it is known."""
        return lambda node: takes_tiles(node) and (not self._searches or speeds.speed_of(node) is not None)

    def _other_facts(self, node: str) -> object:
        """Return what plans are made by besides shares: measurements of a device, and whether it has the camera."""
        if self._options.method is Method.BODP:
            return None
        kernels = self._members.kernels(node) if self._searches else None
        return kernels, self._devices.owner == node, self._speeds.speed_of(node) is not None

    def _plan_lasts_s(self) -> float:
        """Return how long plans for the devices last before new ones are made for measured speeds alone."""
        return max(SEARCH_LASTS_S if self._searches else FITTED_LASTS_S, self._planning_s / PLANNING_SHARE)

    def _facts_last_s(self) -> float:
        """Return the same for what else counts: stages that were made before speeds were known do not last."""
        return 0.0 if self._speeds_missed else max(CAMERA_LASTS_S, self._plan_lasts_s())

    async def _replan(self) -> None:
        """Make new plans for the devices that are there, for methods that have any. Never ends."""
        if not (self._fits_devices or self._searches):
            await asyncio.Event().wait()
        async for nodes, shares in self._watch.changes():
            if self._searches:
                await self._search(nodes)
            else:
                await self._fit(nodes, shares)

    async def _fit(self, nodes: Sequence[str], shares: Sequence[float]) -> None:
        """Offer a plan with a tile for each device, by its speed, if it is clearly better than that of before."""
        log.info("planning for %s", ", ".join(f"{n} ({s:.0%})" for n, s in zip(nodes, shares, strict=True)))
        cluster = self._devices.describe(nodes, time.monotonic()) if self._options.method is Method.STAGED else None
        self._speeds_missed = any(self._speeds.speed_of(node) is None for node in nodes)
        begun = time.monotonic()
        try:
            fitted = await asyncio.to_thread(self._fitted, nodes, shares, cluster, self._plans.preferred)
            self._planning_s = time.monotonic() - begun
            if fitted is None:
                return
            self._offer([fitted[0]], fitted[1])
        except DeepThingsError as error:  # the plan of before goes on
            log.warning("a frame cannot be divided for these devices: %s", error)
            return
        self._listener.on_cluster_event(BridgeEventType.REPLANNED, str(self._plans.preferred.epoch))
        await self._plans.republish()

    def _fitted(
        self, nodes: Sequence[str], shares: Sequence[float], cluster: ClusterProfile | None, now: RunningPlan
    ) -> tuple[PartitionedModel, Sequence[str]] | None:
        """Return the model with a tile for each device, and the devices in the order of their tiles.

        `cluster`: stages are fitted to it, in rows and columns, too; None: a row of these shares for each device.
        Return None if the plan of `now` is as good: another one costs every device the time to prepare it.
        """
        options, method = self._options, self._options.method
        if cluster is None or len(nodes) == 1:
            rows = PartitionedModel.of(self._model, options.grid_for(len(nodes)), options.cut, method, shares)
            same = tuple(now.nodes) == tuple(nodes) and now.partitioned.stages == rows.stages
            return None if same else (rows, nodes)
        cut = PartitionedModel.of(self._model, grids_of(len(nodes))[-1], options.cut).cut
        levelled = levelled_speeds(cluster)
        fitted = fit_stages(self._model.network, levelled, cut)
        if {*now.nodes} == {*nodes}:
            kept = PlanOutlook.of(method, now.partitioned.costs, levelled.in_order(now.nodes))
            kept_refused, kept_cost = ALL_FRAMES.order(kept)  # a device may have less memory by now
            if ALL_FRAMES.order(fitted) > (kept_refused, MIN_FITTING_GAIN * kept_cost):
                return None
        if fitted.refused:
            log.warning(
                "no stages fit the memory of all devices; the best ones are used: %s. Add a device, or allow that one "
                "more with --max-memory", fitted.refused,
            )  # fmt: skip
        return PartitionedModel(self._model, fitted.stages, method), fitted.devices

    async def _search(self, nodes: Sequence[str]) -> None:
        """Search the best tiles for these devices, and offer them instead of those before if they are clearly better.

        Edges of the release before do not know all methods: for them the first tiles stay.
        """
        cluster = self._devices.describe(nodes, time.monotonic())
        tiles = self._automatic.tiles
        if cluster is None or tiles is None or self._members.has_older_nodes:
            return
        self._searched_for = cluster
        options = self._options
        cut = () if options.cut is None else tiles.partitioned.cut
        begun = time.monotonic()
        self._search_result = await asyncio.to_thread(
            search_plans, self._model.network, cluster, cut=cut, grid=options.grid
        )
        self._planning_s = time.monotonic() - begun
        best = self._search_result.best_divided
        if best is not None and self._is_better(best, tiles, cluster):
            await self._replace_tiles(tiles, best)
        await self._listener.on_plan_changed()

    @staticmethod
    def _is_better(best: PlanCandidate, tiles: RunningPlan, cluster: ClusterProfile) -> bool:
        """Return whether a candidate is clearly better than the tiles of now."""
        if tiles.nodes and set(tiles.nodes) - {device.name for device in cluster.devices}:
            return True  # some of the devices that they were made for are gone
        now = predict_plan(tiles.partitioned.method, tiles.partitioned.costs, cluster.in_order(tiles.nodes))
        return best.prediction.latency_s < MIN_REPLACEMENT_GAIN * now.latency_s

    async def _replace_tiles(self, tiles: RunningPlan, best: PlanCandidate) -> None:
        log.info("tiles are planned anew: %s, predicted %.2f s a frame", best, best.prediction.latency_s)
        partitioned = PartitionedModel(self._model, best.stages, best.method)
        nodes = best.devices if best.method.distribution.by_gateway else ()
        try:
            async with self._model_in_use:
                programs = await asyncio.to_thread(partitioned.build_programs)
                added = self._plans.replace(tiles, partitioned, programs, nodes)
                self._forget_weights()
        except DeepThingsError as error:  # the tiles of before go on
            log.warning("these tiles cannot be used: %s", error)
            return
        if added.plan.distribution.by_gateway:
            self._sharing.add_plan(added.plan, nodes)
        self._automatic.replace_tiles(added)
        self._listener.on_cluster_event(BridgeEventType.REPLANNED, str(added.epoch))
        await self._plans.republish()

    def _forget_weights(self) -> None:
        self._model.forget_weights()
        release_freed_memory()

    async def _follow_choice(self) -> None:
        """Offer and prefer what method `auto` has chosen."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for running in self._plans:
                if not running.held_back:
                    async with self._model_in_use:
                        await asyncio.to_thread(running.open_detector, self._options.threads)
            await self._plans.republish()
            await self._listener.on_plan_changed()
