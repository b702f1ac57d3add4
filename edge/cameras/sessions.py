"""Camera agents that are connected to this edge: who may send a frame now, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from shared import topics
from shared.errors import DeepThingsError, ProtocolError
from shared.frames import FrameCounts
from shared.messages import CameraStats, State
from shared.wire.headers import Camera, Control, Frame, FrameOutcome, Header, Ready, Report

if TYPE_CHECKING:
    from edge.owner import Owner
    from shared.bus import Bus
    from shared.frames import Outcome
    from shared.letterbox import Pixels
    from shared.wire.connection import Connection, Payload

log = logging.getLogger(__name__)

STATS_AGAIN_S = 30.0
"""Stats that have not changed are told again so often: a broker that lost its memory has them back."""

FPS_STEP = 0.2
"""A camera's rate counts as changed from this part of it on: it is never quite steady."""

AGENT_GONE = "its agent is not connected"


class CameraSession:
    """One agent: it may send a frame for each Ready it got, up to `credit` unfinished ones."""

    def __init__(self, camera: str, connection: Connection, credit: int) -> None:
        self.camera = camera
        self._connection = connection
        self._credit = credit
        self._granted = 0
        self._telling: set[asyncio.Task[None]] = set()

    def invite(self) -> None:
        """Hand out the credit that is not in use."""
        while self._granted < self._credit:
            self._granted += 1
            self._tell(Ready())

    def finished(self, number: int, outcome: Outcome) -> None:
        """Report a frame's end, and invite the next."""
        self._granted -= 1
        self._tell(FrameOutcome(number=number, outcome=outcome))
        self.invite()

    def control(self, control: Control) -> None:
        """Say whether frames are wanted, and how many."""
        self._tell(control)

    def close(self) -> None:
        self._connection.close()

    def _tell(self, header: Header) -> None:
        task = asyncio.create_task(self._send(header))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _send(self, header: Header) -> None:
        with contextlib.suppress(DeepThingsError):
            await self._connection.send(header)

    async def flush(self) -> None:
        """Wait until everything told is on its way."""
        await asyncio.gather(*self._telling)


class CameraSessions:
    """The cameras of this edge, one agent for each."""

    def __init__(self, node: str, bus: Bus, owner: Owner, credit: int) -> None:
        self._node = node
        self._bus = bus
        self._owner = owner
        self._credit = credit
        self._sessions: dict[str, CameraSession] = {}
        self._controls: dict[str, Control] = {}
        self._told: dict[str, tuple[float, CameraStats]] = {}
        self._open = False

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted(self._sessions))

    def invite(self) -> None:
        """There is a plan: frames are welcome."""
        self._open = True
        for session in self._sessions.values():
            session.invite()

    def control(self, camera: str, control: Control | None) -> None:
        """What a camera's agent is to do, now and whenever it connects; None: as it was told when it was started."""
        if control is None:
            self._controls.pop(camera, None)
            return
        self._controls[camera] = control
        if camera in self._sessions:
            self._sessions[camera].control(control)

    def announce_again(self) -> None:
        """The broker may have forgotten: tell the stats of all cameras that are here."""
        for camera in self._sessions:
            if camera in self._told:
                self._post(self._told[camera][1])

    async def close(self) -> None:
        """Let the agents hear the end of their frames, then close."""
        self._open = False
        for session in self._sessions.values():
            await session.flush()
            session.close()

    async def serve(self, connection: Connection, hello: Camera) -> None:
        """Receive from one agent until it goes. A new agent for the same camera replaces the old."""
        session = CameraSession(hello.camera, connection, self._credit)
        older = self._sessions.get(hello.camera)
        if older is not None:
            log.warning(
                "camera %s connected again from %s; the older connection is closed",
                hello.camera,
                connection.peer,
            )
            older.close()
        self._sessions[hello.camera] = session
        log.info("camera %s connected from %s", hello.camera, connection.peer)
        if hello.camera in self._controls:
            session.control(self._controls[hello.camera])
        if self._open:
            session.invite()
        try:
            while True:
                header, payload = await connection.expect(Frame, Report)
                if isinstance(header, Frame):
                    await self._on_frame(session, header, payload)
                else:
                    assert isinstance(header, Report)
                    self._on_report(session, header)
        finally:
            if self._sessions.get(hello.camera) is session:
                del self._sessions[hello.camera]
                log.info("camera %s disconnected", hello.camera)
                self._on_gone(hello.camera)

    async def _on_frame(self, session: CameraSession, header: Frame, payload: Payload) -> None:
        info = header.info
        if info.camera != session.camera or payload.size != info.height * info.width * 3:
            raise ProtocolError(
                f"a frame of {info.camera} with {payload.size} bytes does not fit what it says of itself"
            )
        arrived = max(0.0, time.time() - info.captured_at)
        picture: Pixels = payload.reshape(info.height, info.width, 3)
        await self._owner.accept(
            info.model_copy(update={"transfer_ms": arrived * 1e3}),
            picture,
            lambda outcome: session.finished(info.number, outcome),
        )

    def _on_report(self, session: CameraSession, report: Report) -> None:
        stats = CameraStats(
            camera=session.camera, node=self._node, counts=report.counts, ended=report.ended, state=report.state,
            reason=report.reason, fps=report.fps, width=report.width, height=report.height,
        )  # fmt: skip
        told_at, told = self._told.get(session.camera, (0.0, None))
        if differs(told, stats) or time.monotonic() - told_at > STATS_AGAIN_S:
            self._post(stats)

    def _on_gone(self, camera: str) -> None:
        """An agent that has not said that it ends is lost, and with it its camera."""
        _, told = self._told.pop(camera, (0.0, None))
        if told is None or told.state is not State.OFFLINE:
            counts = FrameCounts() if told is None else told.counts
            lost = CameraStats(camera=camera, node=self._node, counts=counts, state=State.OFFLINE, reason=AGENT_GONE)
            self._bus.post(topics.CAMERA_STATS, lost, camera)

    def _post(self, stats: CameraStats) -> None:
        self._told[stats.camera] = time.monotonic(), stats
        self._bus.post(topics.CAMERA_STATS, stats, stats.camera)


def differs(told: CameraStats | None, stats: CameraStats) -> bool:
    """Whether there is something new to tell. Pure."""
    if told is None or told.model_copy(update={"fps": stats.fps}) != stats:
        return True
    return abs(told.fps - stats.fps) > FPS_STEP * max(told.fps, stats.fps)
