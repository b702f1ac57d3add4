"""Camera agents that are connected to this edge: who may send a frame now, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from shared import topics
from shared.errors import DeepThingsError, ProtocolError
from shared.messages import CameraStats
from shared.wire.headers import Camera, Frame, FrameOutcome, Header, Ready, Report

if TYPE_CHECKING:
    from edge.owner import Owner
    from shared.bus import Bus
    from shared.frames import Outcome
    from shared.letterbox import Pixels
    from shared.wire.connection import Connection, Payload

log = logging.getLogger(__name__)


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
        self._open = False

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted(self._sessions))

    def invite(self) -> None:
        """There is a plan: frames are welcome."""
        self._open = True
        for session in self._sessions.values():
            session.invite()

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
        if self._open:
            session.invite()
        try:
            while True:
                header, payload = await connection.expect(Frame, Report)
                if isinstance(header, Frame):
                    await self._on_frame(session, header, payload)
                else:
                    assert isinstance(header, Report)
                    await self._on_report(session, header)
        finally:
            if self._sessions.get(hello.camera) is session:
                del self._sessions[hello.camera]
                log.info("camera %s disconnected", hello.camera)

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

    async def _on_report(self, session: CameraSession, report: Report) -> None:
        stats = CameraStats(camera=session.camera, node=self._node, counts=report.counts, ended=report.ended)
        self._bus.post(topics.CAMERA_STATS, stats, session.camera)
