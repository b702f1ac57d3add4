"""The worker: computes stolen and own tiles, several side by side if that serves better, and sends results."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from edge.computing.tile_assignment import TileAssignment
from edge.tasks.intake import LONG_FRAME_S
from edge.tasks.task import Task
from shared.engine.lanes import MAX_LANES, ONE_LANE
from shared.errors import ModelError
from shared.finite import all_finite
from shared.payloads.cluster import MAX_REASON_LENGTH
from shared.process.children import lower_thread_priority
from shared.process.lifecycle import run_together
from shared.security.data_security import THE_GATEWAY
from shared.tracing.spans import Part, tracer
from shared.wire.headers import ResultHeader
from shared.wire.map_values import encode_map

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.computing.plan_work import PlanWork
    from edge.computing.strips import StripStore
    from edge.frames.frame_tasks import FrameTasks
    from edge.thief import StolenTile, Thief
    from shared.detection.detections import Detections
    from shared.engine.lanes import TileLanes
    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Form
    from shared.model.arrays import Array, FeatureMap
    from shared.payloads.frames import FrameInfo
    from shared.wire.courier import Courier

log = logging.getLogger(__name__)

T = TypeVar("T")

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
    """A tile's part of the maps at the cut, float32 (1, C, h, w) each; for a whole frame, the `objects` in it.

    `fetch_bytes_per_s`: speed at which a stolen tile arrived, 0 for own ones. `strips`: by reader, those that the
    gateway must keep.
    """

    maps: Sequence[FeatureMap]
    compute_ms: float
    macs: int
    fetch_bytes_per_s: float = 0.0
    strips: Mapping[int, Sequence[Array]] = field(default_factory=dict)
    objects: Detections | None = None
    waited_ms: float = 0.0


def _tile_threads(lanes: TileLanes) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(lanes.count, "tiles", initializer=lower_thread_priority)


class Worker:
    """Runs tiles in separate threads while there are any: one for each lane, as the engine of the plan says."""

    def __init__(self, node: str, courier: Courier, strips: StripStore) -> None:
        self._node = node
        self._courier = courier
        self._strips = strips
        self.lanes = ONE_LANE
        self._threads = _tile_threads(self.lanes)
        self._awake, self._changed, self._widened = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._running = 0
        self._failing = False
        self._frame_s = 0.0
        self._on_taken: Callable[[], None] = lambda: None
        self.own = 0
        self.stolen = 0
        self.barred = False
        """True while the gateway has barred this node."""

    @property
    def idle_lanes(self) -> int:
        """Return the number of tiles that could begin now."""
        return 0 if self.barred else max(0, self.lanes.count - self._running)

    def use_lanes(self, lanes: TileLanes) -> None:
        """Compute so many tiles side by side from now on."""
        if lanes.count != self.lanes.count:
            self._threads.shutdown(wait=False)  # tiles that run are finished
            self._threads = _tile_threads(lanes)
        self.lanes = lanes
        self._widened.set()
        self.wake()

    def wake(self) -> None:
        """Check for tiles now: some may have become available."""
        self._awake.set()
        self._changed.set()

    async def run(
        self,
        tasks: FrameTasks,
        thief: Thief,
        invite: Callable[[], float] = lambda: 0.0,
        on_taken: Callable[[], None] = lambda: None,
    ) -> None:
        """Compute tiles until cancelled: stolen ones, and those of `tasks`; `on_taken` is called for each of these.

        `invite` is called when there are none: it invites own frames, and returns the seconds within which one should
        come, 0 if none will. Others are asked for work only then: frames that cross the network for nothing cost both.
        """
        self._on_taken = on_taken
        await run_together(*(self._run_lane(lane, tasks, thief, invite) for lane in range(MAX_LANES)))

    async def _run_lane(self, lane: int, tasks: FrameTasks, thief: Thief, invite: Callable[[], float]) -> None:
        """Compute one tile after the other; wait while the plan has fewer lanes."""
        while True:
            if lane >= self.lanes.count:
                self._widened.clear()
                await self._widened.wait()
                continue
            self._awake.clear()
            if not await self._run_next(tasks, thief, invite):
                patience_s = invite()
                if not (self.barred or patience_s):
                    thief.request_task()
                await self._wait_until_woken(patience_s or _WAKE_PERIOD_S)

    async def _run_next(self, tasks: FrameTasks, thief: Thief, invite: Callable[[], float]) -> bool:
        if self.barred:
            return await self._return_stolen(thief)
        return await self._run_stolen(tasks, thief, invite) or await self._run_own(tasks)

    async def prefetch_strips(self, tasks: FrameTasks) -> None:
        """Fetch the strips for the next own tile while another one runs, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            upcoming = tasks.upcoming_task()
            if upcoming is not None:
                work, task = upcoming
                await self._strips.prefetch_strips(work, task.frame, task.tile)

    async def compute_tile(
        self,
        engine: TileEngine,
        form: Form,
        parts: Sequence[Array],
        strips: Sequence[Array] = (),
        *,
        task: Task,
    ) -> tuple[list[FeatureMap], list[Array], float]:
        """Run a task's tile in one of the worker's threads; return its maps, the strips it gives, and milliseconds.

        Raises ModelError for any exception of the engine, and when a value of the result is not finite.
        """

        def run() -> tuple[list[FeatureMap], list[Array]]:
            maps, given = engine.run(form, parts, strips)
            if not all_finite((*maps, *given)):
                raise ModelError(NOT_FINITE_REASON)
            return maps, given

        (maps, given), compute_ms = await self._in_thread(run, task)
        return maps, given, compute_ms

    async def _in_thread(self, compute: Callable[[], T], task: Task) -> tuple[T, float]:
        """Return what is computed in one of the worker's threads, and milliseconds. Raises ModelError on failure."""

        queued = time.monotonic()

        def run() -> tuple[T, float]:
            begun = time.monotonic()
            if begun - queued > _SHORT_WAIT_S:
                tracer.record(Part.WAIT, task.frame, queued, begun, task.tile)
            with tracer.measure(Part.COMPUTE, task.frame, task.tile):
                computed = compute()
            return computed, (time.monotonic() - begun) * 1e3

        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"the engine failed: {error}") from error
        finally:
            self._running -= 1

    async def _wait_until_woken(self, seconds: float) -> None:
        """Wait until woken, at most for some time."""
        timer = asyncio.get_running_loop().call_later(seconds, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()

    async def _run_own(self, tasks: FrameTasks) -> bool:
        assignment = tasks.take_assignment()
        if assignment is None:
            return False
        self._on_taken()
        if assignment.tile.taken:  # it is computed from strips
            begun = time.monotonic()
            strips = await self._strips.gather_strips(assignment.work, assignment.info.frame, assignment.tile.index)
            tracer.since(Part.STRIPS, assignment.info.frame, begun, assignment.tile.index)
            found = tasks.without_strips(assignment) if strips is None else replace(assignment, strips=strips)
            if found is None or not tasks.is_wanted(found):  # the frame was given up meanwhile
                return True
            assignment = found
        if await self._run_assignment(assignment):
            tasks.on_result_sent(assignment)
        else:
            tasks.on_tile_failed(Task(assignment.info.frame, assignment.tile.index), self._node)
        return True

    async def _run_stolen(self, tasks: FrameTasks, thief: Thief, invite: Callable[[], float]) -> bool:
        """Run a stolen tile; return whether there was one. It goes before own tiles, because its lease is running."""
        stolen = thief.take_stolen()
        if stolen is None:
            return False

        def request_next() -> None:
            if not (self.barred or tasks.has_waiting_tasks or invite()):
                thief.request_task(idle=False)

        # Another one is requested while this one runs, to hide the transfer; late, if it would grow old here.
        early_s = self._frame_s - thief.lead_s if self._frame_s > LONG_FRAME_S else 0.0
        if early_s <= 0.0:
            request_next()
            return await self._run_taken(stolen, thief)
        timer = asyncio.get_running_loop().call_later(early_s, request_next)
        try:
            return await self._run_taken(stolen, thief)
        finally:
            timer.cancel()

    async def _run_taken(self, stolen: StolenTile, thief: Thief) -> bool:
        strips: Sequence[Array] | None = ()
        found: StolenTile | None = stolen
        waited_ms = stolen.header.waited_ms + (time.monotonic() - stolen.fetched_at) * 1e3
        tracer.since(Part.WAIT, stolen.header.info.frame, stolen.fetched_at, stolen.header.tile)
        if stolen.header.reusing:
            begun = time.monotonic()
            strips = await self._strips.gather_strips(stolen.work, stolen.header.info.frame, stolen.header.tile)
            tracer.since(Part.STRIPS, stolen.header.info.frame, begun, stolen.header.tile)
            if strips is None:
                found = await thief.fetch_whole(stolen)
        if found is not None:
            header = found.header
            tile = found.work.tile(header.tile, reusing=header.reusing)
            assignment = TileAssignment(
                found.work, header.info, header.owner, tile, found.pixels, strips or (), header.wanted,
                found.fetch_bytes_per_s, waited_ms,
            )  # fmt: skip
            await self._run_assignment(assignment)
        return True

    async def _run_assignment(self, assigned: TileAssignment) -> bool:
        work, info, tile = assigned.work, assigned.info, assigned.tile
        try:
            result = await self._compute(assigned)
        except ModelError as error:
            await self.report_failure(work, info, assigned.owner, tile.index, str(error))
            return False
        form = "from strips" if tile.taken else "whole"
        log.debug("%s tile %s of %s ran %s in %.1f ms", info.frame, tile.index, assigned.owner, form, result.compute_ms)
        await self.send_result(work, info, assigned.owner, tile.index, result)
        return True

    async def _compute(self, assigned: TileAssignment) -> TileResult:
        """Compute a tile; in a plan of whole frames, also find the objects in the network's outputs."""
        work, info, tile = assigned.work, assigned.info, assigned.tile
        task = Task(info.frame, tile.index)
        if work.finds_objects:
            objects, compute_ms = await self._in_thread(lambda: work.find_objects(info, assigned.pixels), task)
            self._frame_s = compute_ms / 1e3
            return TileResult(
                (), compute_ms, tile.macs, assigned.fetch_bytes_per_s, objects=objects, waited_ms=assigned.waited_ms
            )
        self._frame_s = 0.0
        maps, given, compute_ms = await self.compute_tile(
            work.engines[0], tile.form, [assigned.pixels], assigned.strips, task=task
        )
        kept = self._strips.keep_strips(info.frame, tile, given) if given else {}
        wanted = {reader: strips for reader, strips in kept.items() if reader in assigned.wanted}
        return TileResult(maps, compute_ms, tile.macs, assigned.fetch_bytes_per_s, wanted, waited_ms=assigned.waited_ms)

    async def _return_stolen(self, thief: Thief) -> bool:
        """Report a stolen tile as failed, so that a node that may compute gets it; return whether there was one."""
        stolen = thief.take_stolen()
        if stolen is None:
            return False
        header = stolen.header
        await self.report_failure(stolen.work, header.info, header.owner, header.tile, BARRED_REASON)
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
        await self._courier.send(work.gateway, (header, []), THE_GATEWAY)

    async def send_result(self, work: PlanWork, info: FrameInfo, owner: str, tile: int, result: TileResult) -> None:
        """Send the result of a tile to the gateway, and count it."""
        header = ResultHeader(
            info=info,
            epoch=work.epoch,
            owner=owner,
            worker=self._node,
            tile=tile,
            shapes=tuple(array.shape for array in result.maps),
            objects=None if result.objects is None else len(result.objects),
            maps=work.plan.maps,
            strips={reader: sum(array.nbytes for array in arrays) for reader, arrays in result.strips.items()},
            compute_ms=result.compute_ms,
            macs=result.macs,
            fetch_bytes_per_s=result.fetch_bytes_per_s,
            waited_ms=result.waited_ms,
        )
        strips = [np.ascontiguousarray(array) for arrays in result.strips.values() for array in arrays]
        found = (np.ascontiguousarray(result.objects.table),) if result.objects else ()  # an empty one is no buffer
        maps = [encode_map(values, work.plan.maps) for values in result.maps]
        payload = [array.data for array in (*maps, *found, *strips)]
        await self._courier.send(work.gateway, (header, payload), THE_GATEWAY)
        if self._failing:
            self._failing = False
            log.info("tiles are computed here again")
        if owner == self._node:
            self.own += 1
        else:
            self.stolen += 1
