"""The camera agent: feeds the newest frame of a source to its edge, and accounts for every one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, PeerLostError, PeerTimeoutError
from shared.logs.outage import Outage
from shared.network.backoff import Backoff
from shared.payloads.cluster import REASON_CAP, STOPPED, State
from shared.payloads.frames import FrameCounts, FrameInfo, Outcome
from shared.process.lifecycle import cancel_in_order, run_together
from shared.process.signals import end_at_once
from shared.systemd import notification
from shared.wire.connection import Connection, WireTraffic
from shared.wire.headers import (
    MAX_UNDER_WAY,
    CameraHeader,
    ControlHeader,
    FrameHeader,
    OutcomeHeader,
    ReadyHeader,
    ReportHeader,
)

if TYPE_CHECKING:
    from typing import NoReturn

    from camera_sources.agent.camera_health import Condition
    from camera_sources.agent.mailbox import Shot
    from camera_sources.agent.reader import Reader
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

REPORT_S = 1.0
"""How often the account is told while frames come; a change of the camera's state is told at once."""

CHECK_S = 0.2
"""How often the camera's state is looked at, and whether its reader hangs."""

FRESH_S = 5.0
"""A camera's picture that has waited for its edge for longer shows what is over; in all a frame has twice as long."""

HUNG_EXIT_CODE = 3
"""The driver or library that reads the camera hangs: only a new process helps."""

LAST_WORDS_S = 1.0
"""To tell that before."""

LAST_FRAMES_S = 30.0
"""After the source has ended, frames under way have so long to end too; a frame's deadline is shorter."""

STOP_S = 2.0
"""The same after a signal, when somebody is waiting."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One camera: its name, the edge that it feeds, and the token that makes it known there when it comes again."""

    camera: str
    edge: Address
    token: str = ""


class CameraAgent:
    """One camera. An edge that is away is tried again for ever; frames meanwhile are counted as dropped."""

    def __init__(self, config: AgentConfig, reader: Reader) -> None:
        self.counts = FrameCounts()
        self._config = config
        self._reader = reader
        self._session = f"{time.time_ns() // 1_000_000:x}"
        self._backoff, self._outage = Backoff(), Outage()
        self._under_way: dict[int, str] = {}
        self._credit = 0
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._ended = asyncio.Event()
        self._report_due = asyncio.Event()
        self._control: ControlHeader | None = None
        self._condition = reader.health.condition(time.monotonic())
        self._leaving = False

    async def run(self, stop: asyncio.Event) -> None:
        """Feed the edge until the source ends or `stop`. Raises SourceError when the source failed."""
        loop = asyncio.get_running_loop()
        notification.current.ready(f"not connected to edge {self._config.edge} yet")
        self._reader.start(
            lambda superseded: _tell(loop, self._on_shot, superseded), lambda: _tell(loop, self._ended.set)
        )
        feeding = asyncio.create_task(self._feed())
        watching = asyncio.create_task(self._watch())
        others = [asyncio.create_task(self._until_finished()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait([feeding, watching, *others], return_when=asyncio.FIRST_COMPLETED)
            self._reader.stop()
            await asyncio.to_thread(self._reader.join, STOP_S)
            await self._drain(STOP_S if stop.is_set() else 0.0)
            await self._last_report(stopped=stop.is_set())
        finally:
            self._reader.stop()
            ended = [task for task in (feeding, watching) if task.done()]
            await cancel_in_order([watching, *others, feeding])
        for task in ended:
            task.result()
        if self._reader.error is not None:
            raise self._reader.error

    def _on_shot(self, superseded: Shot | None) -> None:
        self.counts.captured += 1
        if superseded is not None:
            self.counts.count(Outcome.NO_EDGE if self._connection is None else Outcome.SUPERSEDED)
        self._changed.set()

    async def _watch(self) -> None:
        """Tell of the camera's comings and goings; end the process when the thread that reads it hangs."""
        while True:
            now = time.monotonic()
            before, self._condition = self._condition, self._reader.health.condition(now)
            if (before.state, before.reason) != (self._condition.state, self._condition.reason):
                self._report_due.set()
                self._log(self._condition)
            if self._reader.hangs(now):
                await self._end_hung()
            await asyncio.sleep(CHECK_S)

    def _log(self, condition: Condition) -> None:
        name = self._config.camera
        if condition.state is State.ONLINE:
            log.info("camera %s is online: %sx%s", name, condition.width, condition.height)
        else:
            log.warning("camera %s is offline: %s", name, condition.reason)

    async def _end_hung(self) -> NoReturn:
        """A call into a driver cannot be interrupted. Others would wait for its thread."""
        log.error("camera %s: what reads it hangs; this process ends", self._config.camera)
        reason = "what reads it hangs; it is started again"
        if self._connection is not None:
            try:
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._connection.send(ReportHeader(counts=self.counts, state=State.OFFLINE, reason=reason))
                    self._connection.end_sending()
            except (DeepThingsError, TimeoutError) as error:
                log.warning("camera %s: the edge was not told: %s", self._config.camera, error)
        end_at_once(HUNG_EXIT_CODE)

    async def _feed(self) -> None:
        """Connect, and again whenever the connection is lost."""
        while True:
            try:
                await self._converse()
            except (PeerLostError, PeerTimeoutError) as error:
                if self._leaving:
                    return
                level = self._outage.level(str(error))
                log.log(level, "camera %s: edge %s; trying again until it works", self._config.camera, error)
                await asyncio.sleep(self._backoff.next_s())

    async def _converse(self) -> None:
        """One connection: both directions at once, until one of them fails."""
        connection = await Connection.open(self._config.edge, WireTraffic())
        try:
            hello = CameraHeader(camera=self._config.camera, token=self._config.token, under_way=self._under_way)
            await connection.send(hello)
            self._connection, self._credit = connection, 0
            log.info("camera %s feeds edge %s", self._config.camera, self._config.edge)
            notification.current.status(f"feeds edge {self._config.edge}")
            await run_together(
                self._hear(connection),  # first: of several failures, why we are refused is the one that counts
                self._send_frames(connection),
                self._send_reports(connection),
            )
        finally:
            connection.close()
            self._disconnected()

    async def _send_frames(self, connection: Connection) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._credit and (shot := self._take_fresh()) is not None:
                self._credit -= 1
                frame = f"{self._config.camera}-{self._session}-{shot.number:06d}"
                self._under_way[shot.number] = frame
                info = FrameInfo(
                    frame=frame,
                    camera=self._config.camera,
                    number=shot.number,
                    captured_at=shot.captured_at,
                    height=shot.picture.shape[0],
                    width=shot.picture.shape[1],
                )
                await connection.send(FrameHeader(info=info), [shot.picture.data])

    def _take_fresh(self) -> Shot | None:
        """The picture that waits; one of a camera that has waited too long is given up."""
        shot = self._reader.mailbox.take()
        if shot is not None and self._reader.live and time.time() - shot.captured_at > FRESH_S:
            self.counts.count(Outcome.NO_EDGE)
            self._settled.set()
            return None
        return shot

    async def _send_reports(self, connection: Connection) -> None:
        while True:
            self._report_due.clear()
            if not self._leaving:  # else the last one is sent already
                now = self._reader.health.condition(time.monotonic())
                await connection.send(
                    ReportHeader(
                        counts=self.counts, state=now.state, reason=now.reason, fps=now.fps, width=now.width,
                        height=now.height,
                    )
                )  # fmt: skip
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_S):
                    await self._report_due.wait()

    async def _hear(self, connection: Connection) -> None:
        while True:
            header, _ = await connection.expect(ReadyHeader, OutcomeHeader, ControlHeader)
            if isinstance(header, ReadyHeader):
                self._credit += 1
                self._backoff.reset()
                self._outage.over()
            elif isinstance(header, OutcomeHeader) and header.number in self._under_way:
                del self._under_way[header.number]
                self.counts.count(header.outcome)
                self._settled.set()
            elif isinstance(header, ControlHeader):
                self._obey(header)
            self._changed.set()

    def _obey(self, order: ControlHeader) -> None:
        control = order.model_copy(update={"look": False})
        if order.look:
            self._reader.selection.look()
        if control != self._control:
            level = logging.DEBUG if self._control is None else logging.INFO  # the first is mostly as it was started
            log.log(level, "camera %s: %s", self._config.camera, _in_words(control))
            self._control = control
            self._reader.selection.instruct(detect=control.detect, fps=control.fps)

    def _disconnected(self) -> None:
        """Wait with what was under way: the edge tells what became of it when we are there again."""
        self._connection = None
        notification.current.status(f"not connected to edge {self._config.edge}; trying again")
        for number in sorted(self._under_way)[:-MAX_UNDER_WAY]:  # none, unless edges never tell
            del self._under_way[number]
            self.counts.count(Outcome.NO_EDGE)
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

    async def _last_report(self, *, stopped: bool) -> None:
        """Close the account: what is still under way counts as stopped. `stopped`: the source has not ended itself."""
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
            why = str(self._reader.error or (STOPPED if stopped else "ended"))[:REASON_CAP]
            await connection.send(ReportHeader(counts=self.counts, ended=True, state=State.OFFLINE, reason=why))
            connection.end_sending()
            async with asyncio.timeout(STOP_S):
                while self._connection is connection:  # until the edge has read it, and closes
                    self._settled.clear()
                    await self._settled.wait()
        except (DeepThingsError, TimeoutError) as error:
            log.warning("camera %s: the last report was not delivered: %s", self._config.camera, error)


def _in_words(control: ControlHeader) -> str:
    if not control.detect:
        return "no frames are wanted"
    return f"frames are wanted{f', at most {control.fps:g} a second' if control.fps else ''}"


def _tell(loop: asyncio.AbstractEventLoop, *call: object) -> None:
    """From the reader's thread; a loop that has closed needs to hear nothing."""
    try:
        loop.call_soon_threadsafe(*call)  # type: ignore[arg-type]
    except RuntimeError:
        return
