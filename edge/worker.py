"""The worker: one tile after the other, stolen while there are no own ones; results go to the gateway."""

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
from shared.payloads.cluster import REASON_CAP
from shared.process.children import step_back
from shared.wire.headers import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.computing.plan_work import PlanWork
    from edge.computing.strips import StripStore
    from edge.owner import Owner
    from edge.thief import StolenTile, Thief
    from shared.engine.sessions import TileEngine
    from shared.ftp.merge import Map
    from shared.ftp.stage import Form
    from shared.ftp.strip_cache import Array
    from shared.payloads.frames import FrameInfo
    from shared.wire.courier import Courier

log = logging.getLogger(__name__)

NOT_FINITE_REASON = "values of its result are no numbers"

BARRED_REASON = "this node may not compute"

MAX_UNSENT_RESULTS = 4
"""Results on their way while the next tile runs; a slow link then slows the worker, not the memory."""


@dataclass(frozen=True, slots=True)
class TileResult:
    """A tile's part of the maps at the cut, what computing it took, and how fast it had come; 0 for an own one.

    `strips` are those that the gateway is to keep, by reader.
    """

    maps: Sequence[Map]
    compute_ms: float
    macs: int
    fetch_bytes_per_s: float = 0.0
    strips: Mapping[int, Sequence[Array]] = field(default_factory=dict)


class Worker:
    """Runs tiles in one thread of its own, for as long as there are any."""

    def __init__(self, node: str, courier: Courier, strips: StripStore) -> None:
        self._node = node
        self._courier = courier
        self._strips = strips
        self._thread = ThreadPoolExecutor(1, "tiles", initializer=step_back)
        self._awake, self._changed = asyncio.Event(), asyncio.Event()
        self.work: PlanWork | None = None
        self._failing = False
        self.own = 0
        self.stolen = 0
        self.barred = False
        """Whether the gateway lets this node compute nothing."""

    def adopt_plan(self, work: PlanWork) -> None:
        """Compute tiles of another plan from now on."""
        self.work = work
        self.wake()

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()
        self._changed.set()

    async def run(self, owner: Owner, thief: Thief) -> None:
        """Work until cancelled."""
        while True:
            self._awake.clear()
            work = self.work
            if work is None or not await self._run_next(work, owner, thief):
                if not self.barred:
                    thief.request_task()
                await self._wait_until_woken()

    async def _run_next(self, work: PlanWork, owner: Owner, thief: Thief) -> bool:
        if self.barred:
            return await self._hand_back(work, thief)
        return await self._run_stolen(work, owner, thief) or await self._run_own(work, owner)

    async def prefetch_strips(self, owner: Owner) -> None:
        """While a tile runs, get the strips for our next own one, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            task = owner.upcoming_task() if self.work is not None and self.work.reuses else None
            if self.work is not None and task is not None:
                await self._strips.prefetch_strips(self.work, task.frame, task.tile)

    async def compute_tile(
        self, engine: TileEngine, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[Map], list[Array], float]:
        """Have an engine run a tile in its turn: the maps, the strips that it gives, and milliseconds.

        Raises ModelError, whatever the engine raises, also when a value of the result is no number.
        """

        def run() -> tuple[list[Map], list[Array], float]:
            begun = time.monotonic()
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
        """Until woken; now and then all the same, so that a lost request is asked again."""
        try:
            async with asyncio.timeout(1.0):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _run_own(self, work: PlanWork, owner: Owner) -> bool:
        assignment = owner.take_assignment(work)
        if assignment is None:
            return False
        if assignment.tile.taken:
            strips = await self._strips.gather_strips(work, assignment.info.frame, assignment.tile.index)
            found = owner.without_strips(assignment) if strips is None else replace(assignment, strips=strips)
            if found is None or not owner.is_wanted(found, work):  # meanwhile the frame was given up
                return True
            assignment = found
        if await self._run_assignment(work, assignment):
            owner.on_result_sent(assignment)
        else:
            owner.on_tile_failed(Task(assignment.info.frame, assignment.tile.index), self._node)
        return True

    async def _run_stolen(self, work: PlanWork, owner: Owner, thief: Thief) -> bool:
        """A stolen tile that is here goes before our own: somebody waits for it already, and it is but one."""
        stolen = thief.take_stolen()
        if stolen is None:
            return False
        if not owner.has_waiting_tasks:
            thief.request_task(idle=False)
        if stolen.header.epoch != work.epoch:
            return True
        strips: Sequence[Array] | None = ()
        found: StolenTile | None = stolen
        if stolen.header.reusing:
            strips = await self._strips.gather_strips(work, stolen.header.info.frame, stolen.header.tile)
            if strips is None:
                found = await thief.fetch_whole(work, stolen)
        if found is not None:
            header = found.header
            tile = work.tile(header.tile, reusing=header.reusing)
            assignment = TileAssignment(
                header.info, header.owner, tile, found.pixels, strips or (), header.wanted, found.fetch_bytes_per_s
            )
            await self._run_assignment(work, assignment)
        return True

    async def _run_assignment(self, work: PlanWork, assigned: TileAssignment) -> bool:
        info, tile = assigned.info, assigned.tile
        try:
            maps, given, compute_ms = await self.compute_tile(
                work.engines[0], tile.form, [assigned.pixels], assigned.strips
            )
        except ModelError as error:
            await self.report_failure(work, info, assigned.owner, tile.index, str(error))
            return False
        how = "from strips" if tile.taken else "whole"
        log.debug("%s tile %s of %s ran %s in %.1f ms", info.frame, tile.index, assigned.owner, how, compute_ms)
        kept = self._strips.keep_strips(info.frame, tile, given) if given else {}
        wanted = {reader: strips for reader, strips in kept.items() if reader in assigned.wanted}
        done = TileResult(maps, compute_ms, tile.macs, assigned.fetch_bytes_per_s, wanted)
        await self.send_result(work, info, assigned.owner, tile.index, done)
        return True

    async def _hand_back(self, work: PlanWork, thief: Thief) -> bool:
        """Give up a stolen tile, for somebody who may compute."""
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
        """Have the gateway told that a tile cannot be computed by this node, or by another `worker`."""
        if not worker and reason != BARRED_REASON:
            level = logging.DEBUG if self._failing else logging.WARNING
            log.log(level, "%s tile %s cannot be computed here: %s; others do it", info.frame, tile, reason)
            self._failing = True
        header = Result(
            info=info, epoch=work.epoch, owner=owner, worker=worker or self._node, tile=tile, shapes=(), compute_ms=0.0,
            error=reason[:REASON_CAP],
        )  # fmt: skip
        await self._courier.send(work.gateway, (header, []))

    async def send_result(self, work: PlanWork, info: FrameInfo, owner: str, tile: int, done: TileResult) -> None:
        """Have the result of a tile sent to the gateway, and count it."""
        header = Result(
            info=info,
            epoch=work.epoch,
            owner=owner,
            worker=self._node,
            tile=tile,
            shapes=tuple(array.shape for array in done.maps),
            strips={reader: sum(array.nbytes for array in arrays) for reader, arrays in done.strips.items()},
            compute_ms=done.compute_ms,
            macs=done.macs,
            fetch_bytes_per_s=done.fetch_bytes_per_s,
        )
        strips = [np.ascontiguousarray(array) for arrays in done.strips.values() for array in arrays]
        await self._courier.send(work.gateway, (header, [array.data for array in (*done.maps, *strips)]))
        if self._failing:
            self._failing = False
            log.info("tiles are computed here again")
        if owner == self._node:
            self.own += 1
        else:
            self.stolen += 1
