"""The camera agent: feeds the newest frame of a source to its edge, and accounts for every one."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.backoff import Backoff
from shared.errors import DeepThingsError, PeerLostError, PeerTimeoutError
from shared.frames import FrameCounts, FrameInfo, Outcome
from shared.wire.connection import Connection, Traffic
from shared.wire.headers import Camera, Frame, FrameOutcome, Ready, Report

if TYPE_CHECKING:
    from camera_sources.mailbox import Shot
    from camera_sources.reader import Reader
    from shared.addresses import Address

log = logging.getLogger(__name__)

REPORT_S = 1.0
"""How often the account is told while frames come."""

LAST_FRAMES_S = 30.0
"""After the source has ended, frames under way have so long to end too; a frame's deadline is shorter."""

STOP_S = 2.0
"""The same after a signal, when somebody is waiting."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One camera: its name, and the edge that it feeds."""

    camera: str
    edge: Address


class CameraAgent:
    """One camera. An edge that is away is tried again for ever; frames meanwhile are counted as dropped."""

    def __init__(self, config: AgentConfig, reader: Reader) -> None:
        self.counts = FrameCounts()
        self._config = config
        self._reader = reader
        self._session = f"{time.time_ns() // 1_000_000:x}"
        self._backoff = Backoff()
        self._under_way: set[int] = set()
        self._credit = 0
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._ended = asyncio.Event()
        self._leaving = False

    async def run(self, stop: asyncio.Event) -> None:
        """Feed the edge until the source ends or `stop`. Raises SourceError when the source failed."""
        loop = asyncio.get_running_loop()
        self._reader.start(
            lambda superseded: _tell(loop, self._on_shot, superseded), lambda: _tell(loop, self._ended.set)
        )
        feeding = asyncio.create_task(self._feed())
        finished = asyncio.create_task(self._until_finished())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([feeding, finished, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._reader.stop()
            for task in (finished, stopping):
                task.cancel()
            await asyncio.to_thread(self._reader.join, STOP_S)
            await self._drain(STOP_S if stop.is_set() else 0.0)
            await self._last_report()
            feeding.cancel()
            await asyncio.gather(feeding, finished, stopping, return_exceptions=True)
        if feeding.done() and not feeding.cancelled():
            feeding.result()
        if self._reader.error is not None:
            raise self._reader.error

    def _on_shot(self, superseded: Shot | None) -> None:
        self.counts.captured += 1
        if superseded is not None:
            self.counts.count(Outcome.NO_EDGE if self._connection is None else Outcome.SUPERSEDED)
        self._changed.set()

    async def _feed(self) -> None:
        """Connect, and again whenever the connection is lost."""
        while True:
            try:
                await self._converse()
            except (PeerLostError, PeerTimeoutError) as error:
                if self._leaving:
                    return
                delay_s = self._backoff.next_s()
                log.warning("camera %s: edge %s; trying again in %.1f s", self._config.camera, error, delay_s)
                await asyncio.sleep(delay_s)

    async def _converse(self) -> None:
        """One connection: both directions at once, until one of them fails."""
        connection = await Connection.open(self._config.edge, Traffic())
        try:
            await connection.send(Camera(camera=self._config.camera))
            self._connection, self._credit = connection, 0
            log.info("camera %s feeds edge %s", self._config.camera, self._config.edge)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._send_frames(connection))
                both.create_task(self._send_reports(connection))
                both.create_task(self._hear(connection))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            connection.close()
            self._disconnected()

    async def _send_frames(self, connection: Connection) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._credit and (shot := self._reader.mailbox.take()) is not None:
                self._credit -= 1
                self._under_way.add(shot.number)
                info = FrameInfo(
                    frame=f"{self._config.camera}-{self._session}-{shot.number:06d}",
                    camera=self._config.camera,
                    number=shot.number,
                    captured_at=shot.captured_at,
                    height=shot.picture.shape[0],
                    width=shot.picture.shape[1],
                )
                await connection.send(Frame(info=info), [shot.picture.data])

    async def _send_reports(self, connection: Connection) -> None:
        while not self._leaving:
            await connection.send(Report(counts=self.counts))
            await asyncio.sleep(REPORT_S)

    async def _hear(self, connection: Connection) -> None:
        while True:
            header, _ = await connection.expect(Ready, FrameOutcome)
            if isinstance(header, Ready):
                self._credit += 1
                self._backoff.reset()
            elif isinstance(header, FrameOutcome) and header.number in self._under_way:
                self._under_way.discard(header.number)
                self.counts.count(header.outcome)
                self._settled.set()
            self._changed.set()

    def _disconnected(self) -> None:
        """What was under way at the edge will not be heard of again."""
        for _ in self._under_way:
            self.counts.count(Outcome.NO_EDGE)
        self._under_way.clear()
        self._connection = None
        self._changed.set()
        self._settled.set()

    async def _until_finished(self) -> None:
        """The source has ended and every frame has its outcome, or has had long enough."""
        await self._ended.wait()
        await self._drain(LAST_FRAMES_S)

    async def _drain(self, timeout_s: float) -> None:
        """Wait until no frame is under way."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._under_way or not self._reader.mailbox.empty:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            log.info("camera %s: %s frames had no end", self._config.camera, self.counts.under_way)

    async def _last_report(self) -> None:
        """Close the account: what is still under way counts as stopped."""
        if self._reader.mailbox.take() is not None:
            self.counts.count(Outcome.NO_EDGE if self._connection is None else Outcome.STOPPED)
        for _ in self._under_way:
            self.counts.count(Outcome.STOPPED)
        self._under_way.clear()
        connection = self._connection
        if connection is None:
            return
        self._leaving = True
        try:
            await connection.send(Report(counts=self.counts, ended=True))
            connection.finish()
            async with asyncio.timeout(STOP_S):
                while self._connection is connection:  # until the edge has read it, and closes
                    self._settled.clear()
                    await self._settled.wait()
        except (DeepThingsError, TimeoutError) as error:
            log.warning("camera %s: the last report was not delivered: %s", self._config.camera, error)


def _tell(loop: asyncio.AbstractEventLoop, *call: object) -> None:
    """From the reader's thread; a loop that has closed needs to hear nothing."""
    try:
        loop.call_soon_threadsafe(*call)  # type: ignore[arg-type]
    except RuntimeError:
        return
