"""Work sharing on an edge: computes tiles from the gateway through all stages, and sends their results."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from edge.computing.border_exchange import InvalidBorderError
from edge.tasks.task import Task
from edge.worker import BARRED_REASON, TileResult
from shared.errors import DeepThingsError, ModelError, ProtocolError
from shared.plan.payload_sizes import largest_border, largest_pixels
from shared.tracing.spans import Part, tracer
from shared.wire.camera_headers import FrameHeader
from shared.wire.headers import BorderHeader, TileHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.computing.border_exchange import BorderExchange
    from edge.computing.plan_work import PlanWork
    from edge.computing.prepared_plans import PreparedPlans
    from edge.worker import Worker
    from shared.model.arrays import Array, Pixels
    from shared.wire.connection import Payload
    from shared.wire.header import Header

log = logging.getLogger(__name__)

MAX_SHARED_TILES = 64
"""Tiles that are here at the same time, a few MB at most; further ones wait in the connection, and at the gateway."""


class SharedWork:
    """Computes each tile in a task of its own; the worker's threads run them in turn."""

    def __init__(self, plans: PreparedPlans, worker: Worker, exchange: BorderExchange) -> None:
        self._plans = plans
        self._worker = worker
        self._exchange = exchange
        self._room = asyncio.Semaphore(MAX_SHARED_TILES)
        self._tasks: dict[tuple[str, int], tuple[int, asyncio.Task[None]]] = {}

    def bound_of(self, header: Header) -> int | None:
        """Return the most bytes of payload that fit a header, for what peers send; None when nobody waits for it."""
        if isinstance(header, TileHeader | BorderHeader):
            work = self._plans.get(header.epoch)
            if work is None:
                return None
            if isinstance(header, TileHeader):
                return largest_pixels(work.plan, header.tile)
            return largest_border(work.plan, header.stage, header.giver)
        if isinstance(header, FrameHeader):
            return 3 * header.info.height * header.info.width
        return 0

    async def accept_tile(self, header: TileHeader, payload: Payload) -> None:
        """Start a tile; wait while there are too many. Raises ProtocolError for a tile that does not fit the plan."""
        work = self._plans.get(header.epoch)
        if work is None:
            return
        pixels = work.decode_pixels(header, payload)
        if pixels is None or (len(work.stages) > 1 and not header.workers):
            raise ProtocolError(f"tile {header.tile} of {header.info.frame} does not fit the plan")
        if self._worker.barred:
            await self._worker.report_failure(work, header.info, header.owner, header.tile, BARRED_REASON)
            return
        key = header.info.frame, header.tile
        # With several stages, a new attempt replaces all tiles of the frame; with one, single tiles are shared again.
        if len(work.stages) > 1:
            for (frame, tile), (attempt, _) in list(self._tasks.items()):
                if frame == header.info.frame and attempt < header.attempt:
                    self._give_up(frame, tile)
        if key in self._tasks:
            return
        await self._room.acquire()
        task = asyncio.create_task(self._compute(work, header, pixels))
        self._tasks[key] = header.attempt, task
        task.add_done_callback(lambda ended: self._on_ended(key, header.attempt, ended))

    async def run(self) -> None:
        """Run until cancelled, then give up all tiles."""
        try:
            await asyncio.Event().wait()
        finally:
            for frame, tile in list(self._tasks):
                self._give_up(frame, tile)

    def _give_up(self, frame: str, tile: int) -> None:
        _, task = self._tasks.pop((frame, tile))
        task.cancel()

    def _on_ended(self, key: tuple[str, int], attempt: int, task: asyncio.Task[None]) -> None:
        self._room.release()
        if self._tasks.get(key, (0, None))[1] is task:
            del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s tile %s failed", *key, exc_info=task.exception())
        if not any(frame == key[0] for frame, _ in self._tasks):
            self._exchange.drop_attempt(key[0], attempt)

    async def _compute(self, work: PlanWork, header: TileHeader, pixels: Pixels) -> None:
        parts: Sequence[Array] = [pixels]
        received_at = time.monotonic()
        compute_ms, macs, last = 0.0, 0, len(work.stages) - 1
        try:
            for stage, (tiles, engine) in enumerate(zip(work.stages, work.engines, strict=True)):
                tile = tiles[header.tile]
                maps, _, took_ms = await self._worker.compute_tile(
                    engine, tile.form, parts, task=Task(header.info.frame, header.tile)
                )
                compute_ms, macs = compute_ms + took_ms, macs + tile.macs
                if stage < last:
                    await self._exchange.send_borders(work, header, stage, maps)
                    begun = time.monotonic()
                    parts = await self._exchange.gather_maps(work, header, stage, maps)
                    tracer.since(Part.STRIPS, header.info.frame, begun, header.tile)
        except ModelError as error:
            await self._worker.report_failure(work, header.info, header.owner, header.tile, str(error))
            return
        except InvalidBorderError as error:
            sender = header.workers[error.giver % len(header.workers)].node
            await self._worker.report_failure(work, header.info, header.owner, error.giver, str(error), sender)
            return
        except (DeepThingsError, ValueError) as error:  # the gateway shares the frame out again, or drops it
            log.warning("%s tile %s given up: %s", header.info.frame, header.tile, error)
            return
        waited_ms = max(0.0, (time.monotonic() - received_at) * 1e3 - compute_ms)
        result = TileResult(maps, compute_ms, macs, waited_ms=waited_ms)
        await self._worker.send_result(work, header.info, header.owner, header.tile, result)
