"""The camera agent: sends the newest frame of a source to its edge, and counts the outcome of each frame."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from camera_sources.agent.agent_messages import describe_control, frame_header
from camera_sources.agent.known_members import KnownMembers
from camera_sources.agent.member_finder import MemberFinder
from shared.errors import DeepThingsError, PeerLostError, PeerTimeoutError
from shared.logs.outage import Outage
from shared.network.backoff import Backoff
from shared.payloads.cluster import AGENT_STOPPED, MAX_REASON_LENGTH, State
from shared.payloads.frames import FrameCounts, FrameInfo, Outcome, frame_name
from shared.process.idle_code import unmap_idle_code
from shared.process.lifecycle import cancel_in_order, run_together
from shared.process.signals import exit_now
from shared.security.data_security import ANY_EDGE
from shared.systemd import notification
from shared.wire.camera_headers import (
    MAX_UNDER_WAY,
    CameraHeader,
    ControlHeader,
    OfferHeader,
    OutcomeHeader,
    ReadyHeader,
    ReportHeader,
)
from shared.wire.connection import Connection
from shared.wire.shared_pictures import SharedPictureWriter
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from typing import NoReturn

    from camera_sources.agent.camera_health import CameraCondition
    from camera_sources.agent.mailbox import Shot
    from camera_sources.agent.source_reader import SourceReader
    from shared.network.addresses import Address
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)

_REPORT_PERIOD_S = 1.0
"""Period of the reports of frame counts; a change of the camera's state is reported at once."""

_CHECK_PERIOD_S = 0.5
"""Period of the checks whether the camera's state has changed, and whether the reader hangs."""

MAX_PICTURE_AGE_S = 5.0
"""A live picture that has waited longer for its edge is outdated, and is dropped."""

HUNG_EXIT_CODE = 3
"""Exit code if the driver or library that reads the camera hangs; only a new process helps then."""

_HUNG_REPORT_TIMEOUT_S = 1.0
"""Time for the report to the edge before the exit with HUNG_EXIT_CODE."""

_LAST_FRAMES_TIMEOUT_S = 30.0
"""Time for the outcomes of frames under way after the source has ended; longer than a frame's deadline."""

_STOP_TIMEOUT_S = 2.0
"""Time for the outcomes of frames under way after a signal, when a user or the edge waits for the process to end."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One camera: its name, its edge, and the token by which the edge recognises it after a reconnect.

    `identity` are the keys of a camera that has joined the cluster. Such a camera requests the list of members at the
    data plane of the `gateway`. `permit` is the content of the permit file, for an edge on this machine.
    """

    camera: str
    edge: Address
    token: str = field(default="", repr=False)
    identity: NodeIdentity | None = None
    gateway: Address | None = None
    permit: str = field(default="", repr=False)


class CameraAgent:
    """Sends the frames of one camera to its edge. It reconnects for ever; frames in between are counted as dropped."""

    def __init__(self, config: AgentConfig, reader: SourceReader) -> None:
        self.counts = FrameCounts()
        self._config = config
        self._members = None if config.identity is None or config.gateway is None else KnownMembers(
            config.camera, config.identity, config.gateway
        )  # fmt: skip
        self._reader = reader
        self._finder = MemberFinder(config.identity, config.edge)
        self._session = f"{time.time_ns() // 1_000_000:x}"
        self._backoff, self._outage = Backoff(), Outage()
        self._under_way: dict[int, str] = {}
        self._credit = 0
        self._picture_waited = False
        """A picture was there when the edge invited one."""
        self._connection: Connection | None = None
        self._shared: SharedPictureWriter | None = None
        self._edge_reads_shared = False
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._ended = asyncio.Event()
        self._report_due = asyncio.Event()
        self._control: ControlHeader | None = None
        self._condition = reader.health.condition(time.monotonic())
        self._reported_motion: bool | None = None
        self._leaving = False
        self._edge_wants_offers = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send frames until the source ends or `stop` is set. Raises SourceError when the source failed."""
        loop = asyncio.get_running_loop()
        notification.current_manager.notify_ready(f"not connected to edge {self._config.edge} yet")
        self._reader.start(
            lambda superseded: _call_in_loop(loop, self._on_shot, superseded),
            lambda: _call_in_loop(loop, self._ended.set),
        )
        feeding = asyncio.create_task(self._feed())
        watching = asyncio.create_task(self._watch_camera())
        others = [asyncio.create_task(self._until_finished()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait([feeding, watching, *others], return_when=asyncio.FIRST_COMPLETED)
            self._reader.stop()
            await asyncio.to_thread(self._reader.join, _STOP_TIMEOUT_S)
            await self._wait_settled(_STOP_TIMEOUT_S if stop.is_set() else 0.0)
            await self._send_last_report(stopped=stop.is_set())
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

    async def _watch_camera(self) -> None:
        """Report changes of the camera's state and of motion; end the process when the reader's thread hangs."""
        while True:
            now = time.monotonic()
            before, self._condition = self._condition, self._reader.health.condition(now)
            if (before.state, before.reason) != (self._condition.state, self._condition.reason):
                self._report_due.set()
                self._log_condition(self._condition)
            if self._reader.selection.motion(now) != self._reported_motion:
                self._report_due.set()
            if self._reader.hangs(now):
                await self._exit_hung()
            await asyncio.sleep(_CHECK_PERIOD_S)

    def _log_condition(self, condition: CameraCondition) -> None:
        name = self._config.camera
        if condition.state is State.ONLINE:
            log.info("camera %s is online: %sx%s", name, condition.width, condition.height)
            unmap_idle_code()
        else:
            log.warning("camera %s is offline: %s", name, condition.reason)

    async def _exit_hung(self) -> NoReturn:
        """Report the camera as offline, then end the process without waiting for the reader's thread.

        The thread is in a call into a driver, which cannot be interrupted, and a normal exit would wait for it.
        """
        log.error("camera %s: its reader hangs; this process ends", self._config.camera)
        reason = "its reader hangs; the agent is started again"
        if self._connection is not None:
            try:
                async with asyncio.timeout(_HUNG_REPORT_TIMEOUT_S):
                    await self._connection.send(ReportHeader(counts=self.counts, state=State.OFFLINE, reason=reason))
                    self._connection.end_sending()
            except (DeepThingsError, TimeoutError) as error:
                log.warning("camera %s: cannot report this to the edge: %s", self._config.camera, error)
        exit_now(HUNG_EXIT_CODE)

    async def _feed(self) -> None:
        """Connect, and reconnect whenever the connection is lost."""
        while True:
            try:
                await self._serve_connection()
            except (PeerLostError, PeerTimeoutError) as error:
                if self._leaving:
                    return
                level = self._outage.level(str(error))
                log.log(level, "camera %s: edge %s; trying again until it works", self._config.camera, error)
                await asyncio.sleep(self._backoff.next_s())
                await self._finder.look_after_failure()

    async def _serve_connection(self) -> None:
        """Send and receive on one connection until either direction fails."""
        members = self._members
        if members is not None:
            await members.refresh()
        traffic = WireTraffic(None if members is None else members.security)
        connection = await Connection.open(self._finder.address, traffic, ANY_EDGE)
        self._finder.note_connected(connection.member)
        try:
            self._edge_wants_offers = False
            with contextlib.suppress(OSError):  # where there is no shared memory, pictures are sent
                self._shared = SharedPictureWriter()
            hello = CameraHeader(
                camera=self._config.camera, token=self._config.token, under_way=self._under_way, offers=True,
                memory=self._shared.memory if self._shared else None, permit=self._config.permit,
            )  # fmt: skip
            await connection.send(hello)
            self._connection, self._credit = connection, 0
            log.info("camera %s feeds edge %s", self._config.camera, self._finder.address)
            notification.current_manager.notify_status(f"feeds edge {self._finder.address}")
            await run_together(
                self._receive_messages(connection),  # the first one: if several fail, the edge's refusal is reported
                self._send_frames(connection),
                self._send_reports(connection),
                *([] if members is None else [members.run()]),
            )
        finally:
            connection.close()
            self._on_disconnected()

    async def _send_frames(self, connection: Connection) -> None:
        offered = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._edge_wants_offers and not (self._credit or offered or self._reader.mailbox.empty):
                offered = True
                await connection.send(OfferHeader())
            while self._credit and await self._send_frame(connection):
                offered = False

    async def _send_frame(self, connection: Connection) -> bool:
        """Send the waiting picture, of which no copy is kept; return whether there was one."""
        shot = self._take_fresh_shot()
        if shot is None:
            return False
        # The frame is under way before it is sent, so that its outcome is requested if the connection breaks meanwhile.
        self._credit -= 1
        frame = frame_name(f"{self._config.camera}-{self._session}", shot.number)
        self._under_way[shot.number] = frame
        info = FrameInfo(
            frame=frame,
            camera=self._config.camera,
            number=shot.number,
            captured_at=shot.captured_at,
            height=shot.picture.shape[0],
            width=shot.picture.shape[1],
        )
        offset = self._share_picture(shot)
        payload = [shot.picture.data] if offset is None else []
        waited, self._picture_waited = self._picture_waited, False
        await connection.send(frame_header(info, shot, offset, waited=waited), payload)
        return True

    def _share_picture(self, shot: Shot) -> int | None:
        """Put a picture into the shared memory and return its offset there; None when it must be sent."""
        if self._shared is None or not self._edge_reads_shared:
            return None
        return self._shared.put_picture(shot.number, shot.picture)

    def _take_fresh_shot(self) -> Shot | None:
        """Take the waiting picture; drop one of a live camera that has waited too long."""
        shot = self._reader.mailbox.take_shot()
        if shot is not None and self._reader.live and time.time() - shot.captured_at > MAX_PICTURE_AGE_S:
            self.counts.count(Outcome.NO_EDGE)
            self._settled.set()
            return None
        return shot

    async def _send_reports(self, connection: Connection) -> None:
        while True:
            self._report_due.clear()
            if not self._leaving:  # _send_last_report sends the last report
                now = time.monotonic()
                condition = self._reader.health.condition(now)
                self._reported_motion = self._reader.selection.motion(now)
                await connection.send(
                    ReportHeader(
                        counts=self.counts, state=condition.state, reason=condition.reason, fps=condition.fps,
                        width=condition.width, height=condition.height, motion=self._reported_motion,
                    )
                )  # fmt: skip
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_PERIOD_S):
                    await self._report_due.wait()

    async def _receive_messages(self, connection: Connection) -> None:
        while True:
            header, _ = await connection.expect(ReadyHeader, OutcomeHeader, ControlHeader)
            if isinstance(header, ReadyHeader):
                self._picture_waited = not self._reader.mailbox.empty
                self._credit += 1
                self._edge_reads_shared = header.shared
                self._backoff.reset()
                self._outage.note_success()
            elif isinstance(header, OutcomeHeader):
                self._apply_outcome(header)
            elif isinstance(header, ControlHeader):
                self._apply_control(header)
            self._changed.set()

    def _apply_outcome(self, header: OutcomeHeader) -> None:
        for number in header.released:
            if self._shared is not None:
                self._shared.release(number)
        if header.number in self._under_way:
            del self._under_way[header.number]
            self.counts.count(header.outcome)
            self._settled.set()

    def _apply_control(self, received: ControlHeader) -> None:
        self._edge_wants_offers = received.offers
        control = received.model_copy(update={"look": False, "offers": False})
        if received.look:
            self._reader.selection.show_still_scene()
        if control != self._control:
            # The first control usually repeats what the agent was started with.
            level = logging.DEBUG if self._control is None else logging.INFO
            log.log(level, "camera %s: %s", self._config.camera, describe_control(control))
            self._control = control
            self._reader.selection.set_rate(detect=control.detect, fps=control.fps)

    def _on_disconnected(self) -> None:
        """Prepare for the next connection.

        Frames under way are kept: the edge reports their outcomes after the reconnect. The shared memory is closed,
        because the edge may still read pictures there, and cannot report any more when it has finished.
        """
        self._connection = None
        if self._shared is not None:
            self._shared.close()
        self._shared, self._edge_reads_shared = None, False
        notification.current_manager.notify_status(f"not connected to edge {self._finder.address}; trying again")
        for number in sorted(self._under_way)[:-MAX_UNDER_WAY]:  # there are more only if edges report no outcomes
            del self._under_way[number]
            self.counts.count(Outcome.NO_EDGE)
        self._changed.set()
        self._settled.set()

    async def _until_finished(self) -> None:
        """Wait until the source has ended and its frames are finished, at most _LAST_FRAMES_TIMEOUT_S."""
        await self._ended.wait()
        await self._wait_settled(_LAST_FRAMES_TIMEOUT_S)

    async def _wait_settled(self, timeout_s: float) -> None:
        """Wait until no frame is waiting or under way, at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._under_way or not self._reader.mailbox.empty:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            log.info("camera %s: %s frames did not finish in time", self._config.camera, self.counts.under_way)

    async def _send_last_report(self, *, stopped: bool) -> None:
        """Send the final counts, in which frames under way are stopped. `stopped`: by a signal, not by the source."""
        if self._reader.mailbox.take_shot() is not None:
            self.counts.count(Outcome.NO_EDGE if self._connection is None else Outcome.STOPPED)
        for _ in self._under_way:
            self.counts.count(Outcome.STOPPED)
        self._under_way.clear()
        connection = self._connection
        if connection is None:
            return
        self._leaving = True
        try:
            reason = str(self._reader.error or (AGENT_STOPPED if stopped else "ended"))[:MAX_REASON_LENGTH]
            await connection.send(ReportHeader(counts=self.counts, ended=True, state=State.OFFLINE, reason=reason))
            connection.end_sending()
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                while self._connection is connection:  # the edge closes the connection when it has read the report
                    self._settled.clear()
                    await self._settled.wait()
        except (DeepThingsError, TimeoutError) as error:
            log.warning("camera %s: the last report was not delivered: %s", self._config.camera, error)


def _call_in_loop(loop: asyncio.AbstractEventLoop, *call: object) -> None:
    """Call a function in the event loop from the reader's thread; do nothing when the loop is closed."""
    try:
        loop.call_soon_threadsafe(*call)  # type: ignore[arg-type]
    except RuntimeError:
        return
