"""The worker: computes stolen and own tiles one after the other, and sends results to the gateway."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.computing.tile_assignment import TileAssignment
from edge.tasks.task import Task
from shared.errors import ModelError
from shared.finite import all_finite
from shared.payloads.cluster import MAX_REASON_LENGTH
from shared.process.children import lower_thread_priority
from shared.tracing.spans import Part, tracer
from shared.wire.headers import ResultHeader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.computing.plan_work import PlanWork
    from edge.computing.strips import StripStore
    from edge.owner import Owner
    from edge.thief import StolenTile, Thief
    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Form
    from shared.model.arrays import Array, FeatureMap
    from shared.payloads.frames import FrameInfo
    from shared.wire.courier import Courier

log = logging.getLogger(__name__)

NOT_FINITE_REASON = "its result contains values that are not finite"

BARRED_REASON = "this node is barred"

MAX_UNSENT_RESULTS = 4
"""Results that are sent while the next tile runs; a slow link then slows the worker and does not fill the memory."""

_SHORT_WAIT_S = 0.001
"""A tile that waits for the thread for a shorter time is not traced as waiting."""

_WAKE_PERIOD_S = 1.0
"""An idle worker wakes this often, so that its thief repeats a request that was lost."""


@dataclass(frozen=True, slots=True)
class TileResult:
    """A tile's part of the maps at the cut, float32 (1, C, h, w) each.

    `fetch_bytes_per_s` and `waited_ms` are those of its assignment. `strips`: by reader, those that the
    gateway must keep.
    """

    maps: Sequence[FeatureMap]
    compute_ms: float
    macs: int
    fetch_bytes_per_s: float = 0.0
    strips: Mapping[int, Sequence[Array]] = field(default_factory=dict)
    waited_ms: float = 0.0


class Worker:
    """Runs tiles in a separate thread, one at a time, while there are any."""

    def __init__(self, node: str, courier: Courier, strips: StripStore) -> None:
        self._node = node
        self._courier = courier
        self._strips = strips
        self._thread = ThreadPoolExecutor(1, "tiles", initializer=lower_thread_priority)
        self._awake, self._changed = asyncio.Event(), asyncio.Event()
        self.work: PlanWork | None = None
        self._failing = False
        self.own = 0
        self.stolen = 0
        self.barred = False
        """True while the gateway has barred this node."""

    def adopt_plan(self, work: PlanWork) -> None:
        """Compute tiles of another plan from now on."""
        self.work = work
        self.wake()

    def wake(self) -> None:
        """Check for tiles now: some may have become available."""
        self._awake.set()
        self._changed.set()

    async def run(self, owner: Owner, thief: Thief) -> None:
        """Compute tiles until cancelled."""
        while True:
            self._awake.clear()
            work = self.work
            if work is None or not await self._run_next(work, owner, thief):
                if not self.barred:
                    thief.request_task()
                await self._wait_until_woken()

    async def _run_next(self, work: PlanWork, owner: Owner, thief: Thief) -> bool:
        if self.barred:
            return await self._return_stolen(work, thief)
        return await self._run_stolen(work, owner, thief) or await self._run_own(work, owner)

    async def prefetch_strips(self, owner: Owner) -> None:
        """Fetch the strips for the next own tile while another one runs, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            task = owner.upcoming_task() if self.work is not None and self.work.reuses else None
            if self.work is not None and task is not None:
                await self._strips.prefetch_strips(self.work, task.frame, task.tile)

    async def compute_tile(
        self,
        engine: TileEngine,
        form: Form,
        parts: Sequence[Array],
        strips: Sequence[Array] = (),
        *,
        task: Task,
    ) -> tuple[list[FeatureMap], list[Array], float]:
        """Run the tile of a task in the worker's thread; return its maps, the strips that it gives, and milliseconds.

        Raises ModelError for any exception of the engine, and when a value of the result is not finite.
        """

        queued = time.monotonic()

        def run() -> tuple[list[FeatureMap], list[Array], float]:
            begun = time.monotonic()
            if begun - queued > _SHORT_WAIT_S:
                tracer.record(Part.WAIT, task.frame, queued, begun, task.tile)
            with tracer.measure(Part.COMPUTE, task.frame, task.tile):
                maps, given = engine.run(form, parts, strips)
                if not all_finite((*maps, *given)):
                    raise ModelError(NOT_FINITE_REASON)
            return maps, given, (time.monotonic() - begun) * 1e3

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"the engine failed: {error}") from error

    async def _wait_until_woken(self) -> None:
        """Wait until woken, at most _WAKE_PERIOD_S."""
        try:
            async with asyncio.timeout(_WAKE_PERIOD_S):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _run_own(self, work: PlanWork, owner: Owner) -> bool:
        assignment = owner.take_assignment(work)
        if assignment is None:
            return False
        if assignment.tile.taken:  # it is computed from strips
            begun = time.monotonic()
            strips = await self._strips.gather_strips(work, assignment.info.frame, assignment.tile.index)
            tracer.since(Part.STRIPS, assignment.info.frame, begun, assignment.tile.index)
            found = owner.without_strips(assignment) if strips is None else replace(assignment, strips=strips)
            if found is None or not owner.is_wanted(found, work):  # the frame was given up meanwhile
                return True
            assignment = found
        if await self._run_assignment(work, assignment):
            owner.on_result_sent(assignment)
        else:
            owner.on_tile_failed(Task(assignment.info.frame, assignment.tile.index), self._node)
        return True

    async def _run_stolen(self, work: PlanWork, owner: Owner, thief: Thief) -> bool:
        """Run a stolen tile; return whether there was one. It goes before own tiles, because its lease is running."""
        stolen = thief.take_stolen()
        if stolen is None:
            return False
        if not owner.has_waiting_tasks:  # request the next one while this one runs, to hide the transfer
            thief.request_task(idle=False)
        if stolen.header.epoch != work.epoch:
            return True
        strips: Sequence[Array] | None = ()
        found: StolenTile | None = stolen
        waited_ms = stolen.header.waited_ms + (time.monotonic() - stolen.fetched_at) * 1e3
        tracer.since(Part.WAIT, stolen.header.info.frame, stolen.fetched_at, stolen.header.tile)
        if stolen.header.reusing:
            begun = time.monotonic()
            strips = await self._strips.gather_strips(work, stolen.header.info.frame, stolen.header.tile)
            tracer.since(Part.STRIPS, stolen.header.info.frame, begun, stolen.header.tile)
            if strips is None:
                found = await thief.fetch_whole(work, stolen)
        if found is not None:
            header = found.header
            tile = work.tile(header.tile, reusing=header.reusing)
            assignment = TileAssignment(
                header.info, header.owner, tile, found.pixels, strips or (), header.wanted, found.fetch_bytes_per_s,
                waited_ms,
            )  # fmt: skip
            await self._run_assignment(work, assignment)
        return True

    async def _run_assignment(self, work: PlanWork, assigned: TileAssignment) -> bool:
        info, tile = assigned.info, assigned.tile
        try:
            maps, given, compute_ms = await self.compute_tile(
                work.engines[0], tile.form, [assigned.pixels], assigned.strips, task=Task(info.frame, tile.index)
            )
        except ModelError as error:
            await self.report_failure(work, info, assigned.owner, tile.index, str(error))
            return False
        form = "from strips" if tile.taken else "whole"
        log.debug("%s tile %s of %s ran %s in %.1f ms", info.frame, tile.index, assigned.owner, form, compute_ms)
        kept = self._strips.keep_strips(info.frame, tile, given) if given else {}
        wanted = {reader: strips for reader, strips in kept.items() if reader in assigned.wanted}
        result = TileResult(maps, compute_ms, tile.macs, assigned.fetch_bytes_per_s, wanted, assigned.waited_ms)
        await self.send_result(work, info, assigned.owner, tile.index, result)
        return True

    async def _return_stolen(self, work: PlanWork, thief: Thief) -> bool:
        """Report a stolen tile as failed, so that a node that may compute gets it; return whether there was one."""
        stolen = thief.take_stolen()
        if stolen is None:
            return False
        header = stolen.header
        if header.epoch == work.epoch:
            await self.report_failure(work, header.info, header.owner, header.tile, BARRED_REASON)
        return True

    async def report_failure(
        self, work: PlanWork, info: FrameInfo, owner: str, tile: int, reason: str, worker: str = ""
    ) -> None:
        """Report to the gateway that this node, or another `worker`, cannot compute a tile."""
        if not worker and reason != BARRED_REASON:
            level = logging.DEBUG if self._failing else logging.WARNING
            log.log(level, "%s tile %s cannot be computed here: %s; other edges compute it", info.frame, tile, reason)
            self._failing = True
        header = ResultHeader(
            info=info, epoch=work.epoch, owner=owner, worker=worker or self._node, tile=tile, shapes=(), compute_ms=0.0,
            error=reason[:MAX_REASON_LENGTH],
        )  # fmt: skip
        await self._courier.send(work.gateway, (header, []))

    async def send_result(self, work: PlanWork, info: FrameInfo, owner: str, tile: int, result: TileResult) -> None:
        """Send the result of a tile to the gateway, and count it."""
        header = ResultHeader(
            info=info,
            epoch=work.epoch,
            owner=owner,
            worker=self._node,
            tile=tile,
            shapes=tuple(array.shape for array in result.maps),
            strips={reader: sum(array.nbytes for array in arrays) for reader, arrays in result.strips.items()},
            compute_ms=result.compute_ms,
            macs=result.macs,
            fetch_bytes_per_s=result.fetch_bytes_per_s,
            waited_ms=result.waited_ms,
        )
        strips = [np.ascontiguousarray(array) for arrays in result.strips.values() for array in arrays]
        await self._courier.send(work.gateway, (header, [array.data for array in (*result.maps, *strips)]))
        if self._failing:
            self._failing = False
            log.info("tiles are computed here again")
        if owner == self._node:
            self.own += 1
        else:
            self.stolen += 1
