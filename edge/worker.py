"""The worker: one tile after the other, its own first, stolen ones otherwise; results go to the gateway."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.wire.connection import Connection, Traffic
from shared.wire.headers import Result

if TYPE_CHECKING:
    from edge.owner import Owner
    from edge.thief import Thief
    from edge.work import Work
    from shared.addresses import Address
    from shared.frames import FrameInfo
    from shared.ftp.merge import Map
    from shared.letterbox import Pixels

log = logging.getLogger(__name__)

UNSENT_RESULTS_CAP = 4
"""Results on their way while the next tile runs; a slow link then slows the worker, not the memory."""


class ResultSender:
    """Sends results to the gateway while the worker goes on. One that cannot be sent is dropped: its lease ends."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._queue: asyncio.Queue[tuple[Address, Result, list[Map]]] = asyncio.Queue(UNSENT_RESULTS_CAP)

    async def send(self, gateway: Address, header: Result, maps: list[Map]) -> None:
        """Queue a result; waits while too many are queued."""
        await self._queue.put((gateway, header, maps))

    async def run(self) -> None:
        """Send until cancelled."""
        connection: Connection | None = None
        connected_to: Address | None = None
        try:
            while True:
                gateway, header, maps = await self._queue.get()
                try:
                    if connection is None or connection.closed or connected_to != gateway:
                        if connection is not None:
                            connection.close()
                        connection = await Connection.open(gateway, self._traffic)
                        connected_to = gateway
                    await connection.send(header, [array.data for array in maps])
                except DeepThingsError as error:
                    log.warning("result of %s tile %s not delivered: %s", header.info.frame, header.tile, error)
        finally:
            if connection is not None:
                connection.close()


class Worker:
    """Runs tiles in one thread of its own, for as long as there are any."""

    def __init__(self, node: str, results: ResultSender) -> None:
        self._node = node
        self._results = results
        self._thread = ThreadPoolExecutor(1, "tiles")
        self._awake = asyncio.Event()
        self.work: Work | None = None
        self.own = 0
        self.stolen = 0

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    async def run(self, owner: Owner, thief: Thief) -> None:
        """Work until cancelled."""
        while True:
            self._awake.clear()
            work = self.work
            if work is None or not (await self._run_own(work, owner) or await self._run_stolen(work, thief)):
                thief.ask()
                await self._sleep()

    async def _sleep(self) -> None:
        """Until woken; now and then all the same, so that a lost request is asked again."""
        try:
            async with asyncio.timeout(1.0):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _run_own(self, work: Work, owner: Owner) -> bool:
        queue = owner.queue
        task = queue.take()
        if task is None:
            return False
        found = owner.pixels_of(task)
        if found is not None:
            info, pixels = found
            if await self._run(work, info, self._node, task.tile, pixels):
                self.own += 1
                queue.sent(task, time.monotonic())
        return True

    async def _run_stolen(self, work: Work, thief: Thief) -> bool:
        stolen = thief.take()
        if stolen is None:
            return False
        thief.ask()
        header = stolen.header
        if header.epoch == work.epoch and await self._run(work, header.info, header.owner, header.tile, stolen.pixels):
            self.stolen += 1
        return True

    async def _run(self, work: Work, info: FrameInfo, owner: str, tile: int, pixels: Pixels) -> bool:
        begun = time.monotonic()
        try:
            maps = await asyncio.get_running_loop().run_in_executor(
                self._thread, work.engine.run, pixels, work.pads(tile)
            )
        except Exception:  # whatever the engine raises: the frame is lost by its deadline, the worker is not
            log.exception("%s tile %s failed", info.frame, tile)
            return False
        header = Result(
            info=info,
            epoch=work.epoch,
            owner=owner,
            worker=self._node,
            tile=tile,
            shapes=tuple(array.shape for array in maps),
            compute_ms=(time.monotonic() - begun) * 1e3,
        )
        log.debug("%s tile %s of %s ran in %.1f ms", info.frame, tile, owner, header.compute_ms)
        await self._results.send(work.gateway, header, maps)
        return True
