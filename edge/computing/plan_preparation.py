"""Prepares the plans that a gateway offers: fetches their programs, and opens engines for this device."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.computing.device_kernels import DeviceKernels
from edge.computing.plan_memory import explain_missing
from edge.computing.plan_work import NoEngine, PlanWork
from edge.computing.programs import ProgramCache
from edge.computing.speed_trial import measure_speed
from shared.engine.opening import open_engine, prepared_folder
from shared.engine.sessions import PreparedEngine
from shared.errors import ModelError, WrongResultError
from shared.network.addresses import Address
from shared.process.malloc import release_freed_memory
from shared.process.usable_memory import MemoryForPlans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.computing.prepared_plans import PreparedPlans
    from edge.options import EdgeConfig
    from shared.engine.opening import TileKinds
    from shared.engine.sessions import TileEngine
    from shared.plan.plan import Plan, PlanOffer
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

MEMORY_PERIOD_S = 10.0
"""Reading it takes half a millisecond on a desktop processor, and much more on a small one."""

QUIET_MOMENT_S = 5.0
QUIET_MOMENTS = 12
"""Kinds of layers are measured once nothing was computed for a moment; after so many moments anyway, as they are
measured in a process of low priority."""

SPEED_TRIAL_PERIOD_S = 120.0
"""Between trials of an idle device."""


class PlanPreparation:
    """Prepares offered plans, each once; again for a trial that the gateway requests, or for other cores.

    `on_prepared` is called with each plan that is ready. `passed_trial` is the number of the last trial that this
    device has passed.
    """

    def __init__(
        self,
        config: EdgeConfig,
        traffic: WireTraffic,
        prepared: PreparedPlans,
        on_prepared: Callable[[PlanWork], None],
    ) -> None:
        self._config = config
        self._prepared = prepared
        self._on_prepared = on_prepared
        self._programs = ProgramCache(config.cache, traffic)
        self._requested_trial = self.passed_trial = 0
        self._computes_correctly = True
        self._opened_cores = self._cores = config.computing.count
        self.preferred = 0
        """The plan to prepare first."""
        self.memory = MemoryForPlans(config.max_memory_bytes)
        self._told_memory = float("-inf"), 0
        self.kernels = DeviceKernels(config.computing)
        self._measured: tuple[Path, TileKinds, int] | None = None  # the program of the first plan of a single stage
        self._measurable = asyncio.Event()
        self.macs_per_s = 0.0
        """The speed of this device, measured with the first plan; 0 before."""

    def memory_bytes(self, now: float) -> int:
        """Return the memory for plans, read at most every MEMORY_PERIOD_S; `now` is monotonic seconds."""
        at, told = self._told_memory
        if now - at >= MEMORY_PERIOD_S:
            at, told = self._told_memory = now, self.memory.bytes
        return told

    def request_trial(self, trial: int) -> bool:
        """Note the trial that the gateway requests, 0: none; return whether it is another one."""
        changed = trial not in {0, self._requested_trial}
        self._requested_trial = trial
        if not trial:
            self.passed_trial = 0
        return changed

    def leave_core_to_cameras(self, cameras: int) -> bool:
        """Compute on one core less from the first camera on, if there are enough; return whether that is a change.

        It stays so until the edge restarts: a camera that comes and goes must not open all programs again each time.
        """
        cores = self._config.computing.beside_cameras(cameras)
        fewer = cores < self._cores
        if fewer:
            log.info("one core is left to cameras from now on; threads that compute: %s", cores)
            self._cores = cores
        return fewer

    async def adopt(self, newest: PlanOffer) -> None:
        """Prepare the offered plans, and withdraw all others. Raises DeepThingsError when one cannot be prepared.

        A plan that needs more memory than there is here is left to others; if that is so for all, it is an error.
        A device that computes wrongly follows the plans without computing: its frames are computed by others.
        """
        trial, cores = self._requested_trial, self._cores
        again = trial != self.passed_trial or cores != self._opened_cores or not self._computes_correctly
        offered = sorted((newest, *newest.also), key=lambda plan: plan.epoch != self.preferred)
        missing = ""
        for plan in offered:
            if self._prepared.get(plan.epoch) is None and (lacks := explain_missing(plan, self.memory.bytes)):
                missing = lacks
                log.info("plan %s is left to other devices: %s", plan.epoch, lacks)
            elif again or self._prepared.get(plan.epoch) is None:
                await self._prepare(plan, cores, afresh=trial != self.passed_trial)
            self._prepared.withdraw_others({plan.epoch for plan in offered}, time.monotonic())
        if missing and not any(plan.epoch in self._prepared.epochs for plan in offered):
            raise ModelError(missing)
        if trial != self.passed_trial:
            log.info("the programs were prepared again and have passed the trial")
        self.passed_trial, self._opened_cores, self._computes_correctly = trial, cores, True

    async def repeat_speed_trials(self, tiles_computed: Callable[[], int]) -> None:
        """Measure kinds of layers once, and the speed from time to time while this device computes nothing.

        Heat and other programs change it, and a device that counts as slow gets no work that would show its speed. Runs
        until cancelled.
        """
        await self._measure_kernels(tiles_computed)
        while True:
            before = tiles_computed()
            await asyncio.sleep(SPEED_TRIAL_PERIOD_S)
            work = self._prepared.preferred
            if work is None or not self._computes_correctly or tiles_computed() != before:
                continue
            self.macs_per_s = await measure_speed(work, quota=self._config.computing.is_limited)
            if work.epoch in self._prepared.epochs:
                self._prepared.add(replace(work, macs_per_s=self.macs_per_s))
            if self._measured is not None and self.kernels.is_due(self.macs_per_s):
                await self.kernels.measure(*self._measured, self.macs_per_s)

    async def _measure_kernels(self, tiles_computed: Callable[[], int]) -> None:
        """Measure kinds of layers with the first plan, in a quiet moment if there is one; not if they are known."""
        await self._measurable.wait()
        assert self._measured is not None
        if self.kernels.costs:
            return
        for _ in range(QUIET_MOMENTS):
            before = tiles_computed()
            await asyncio.sleep(QUIET_MOMENT_S)
            if tiles_computed() == before:
                break
        await self.kernels.measure(*self._measured, self.macs_per_s)

    async def _prepare(self, plan: Plan, cores: int, *, afresh: bool) -> None:
        gateway = Address(plan.gateway_host, plan.gateway_port).seen_from(self._config.broker)
        try:
            engines = await self._open_engines(plan, gateway, cores, afresh=afresh)
        except WrongResultError:
            self._computes_correctly = False
            if self._prepared.get(plan.epoch) is None:
                self._add(PlanWork(plan, [NoEngine()] * len(plan.stages), gateway))
            raise
        work = PlanWork(plan, engines, gateway)
        if not self.macs_per_s:
            self.macs_per_s = await measure_speed(work, quota=self._config.computing.is_limited)
        await self._note_program(plan, engines)
        release_freed_memory()
        self._add(replace(work, macs_per_s=self.macs_per_s))

    async def _note_program(self, plan: Plan, engines: Sequence[TileEngine]) -> None:
        """Remember the program of the first plan of a single stage that is prepared here, to measure kinds with it."""
        if self._measured is None and len(engines) == 1 and engines[0].name == PreparedEngine.name:
            kinds, lanes = PlanWork.tile_kinds(plan.stages[0]), engines[0].lanes
            program = self._programs.path_of(plan.stages[0].program)
            folder = await asyncio.to_thread(prepared_folder, program, kinds, self._config.cache)
            self._measured = folder, kinds, lanes.threads
            await asyncio.to_thread(self.kernels.read_kept, folder, lanes.threads)
            self._measurable.set()

    async def _open_engines(self, plan: Plan, gateway: Address, cores: int, *, afresh: bool) -> list[TileEngine]:
        """Return an engine for each stage of a plan, all for the lanes of the first; programs come from `gateway`."""
        engines: list[TileEngine] = []
        for stage in plan.stages:
            program = await self._programs.get_program(stage.program, gateway)
            kinds = PlanWork.tile_kinds(stage)
            lanes = engines[0].lanes if engines else None
            engines.append(await open_engine(program, kinds, self._config.cache, cores, lanes=lanes, afresh=afresh))
        return engines

    def _add(self, work: PlanWork) -> None:
        work.validate()
        renewed = self._prepared.get(work.epoch) is not None
        self._prepared.add(work)
        if not renewed:
            plan = work.plan
            division = "whole frames" if work.finds_objects else f"{work.tile_count} tiles ({plan.stages[-1].grid})"
            log.info("plan %s: %s by %s, %s", work.epoch, plan.model, plan.method, division)
        self._on_prepared(work)
