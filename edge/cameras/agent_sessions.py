"""Camera agents that are connected to this edge: who may send a frame now, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from edge.cameras.admission import Agent, refusal
from edge.cameras.feed import Feed
from shared.errors import DeepThingsError, ProtocolError
from shared.mqtt import topics
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.wire.headers import Camera, Control, Frame, FrameOutcome, Header, Ready, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.owner import Owner
    from shared.model.letterbox import Pixels
    from shared.mqtt.bus import Bus
    from shared.wire.connection import Connection, Payload

log = logging.getLogger(__name__)

STATS_AGAIN_S = 30.0
"""Stats that have not changed are told again so often: a broker that lost its memory has them back."""

FPS_STEP = 0.2
"""A camera's rate counts as changed from this part of it on: it is never quite steady."""

FEEDS_CAP = 256
"""Cameras whose accounts are kept, as many as connections: a client that invents names makes others be forgotten."""

AGENT_GONE = "its agent is not connected"


class CameraSession:
    """One connection of an agent: it may send a frame for each Ready it got, up to `credit` unfinished ones.

    `granted` of them are under way from an earlier connection.
    """

    def __init__(self, camera: str, connection: Connection, credit: int, granted: int = 0) -> None:
        self.camera = camera
        self._connection = connection
        self._credit = credit
        self._granted = granted
        self._open = False
        self._telling: set[asyncio.Task[None]] = set()

    def invite(self) -> None:
        """Hand out the credit that is not in use, from now on as soon as it is not."""
        self._open = True
        while self._granted < self._credit:
            self._granted += 1
            self._tell(Ready())

    def finished(self, number: int, outcome: Outcome) -> None:
        """Report a frame's end, and invite the next."""
        self._granted -= 1
        self.missed(number, outcome)
        if self._open:
            self.invite()

    def missed(self, number: int, outcome: Outcome) -> None:
        """Report the end of a frame that was under way no more when the agent came."""
        self._tell(FrameOutcome(number=number, outcome=outcome))

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
        self._feeds: dict[str, Feed] = {}
        self._own_tokens: dict[str, str] = {}
        self._controls: dict[str, Control] = {}
        self._told: dict[str, tuple[float, CameraStats]] = {}
        self._closed: dict[str, CameraStats] = {}
        self._open = False

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted(self._sessions))

    def invite(self) -> None:
        """There is a plan: frames are welcome. A gateway that has just started knows no scene, so some are sent on."""
        self._open = True
        for camera, session in self._sessions.items():
            session.control(self._controls.get(camera, Control()).model_copy(update={"look": True}))
            session.invite()

    def control(self, camera: str, control: Control | None) -> None:
        """What a camera's agent is to do, now and whenever it connects; None: as it was told when it was started."""
        if control is None:
            self._controls.pop(camera, None)
            return
        self._controls[camera] = control
        if camera in self._sessions:
            self._sessions[camera].control(control)

    def expect(self, camera: str, token: str | None) -> None:
        """Prefer the agent that this edge has started, by its token; None: it looks after the camera no more."""
        if token is None:
            self._own_tokens.pop(camera, None)
        else:
            self._own_tokens[camera] = token

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
        """Receive from one agent until it goes. Raises ProtocolError for one that may not feed this camera."""
        strange = [frame for frame in hello.under_way.values() if not frame.startswith(f"{hello.camera}-")]
        if strange:
            raise ProtocolError(f"frame {strange[0]} is not of camera {hello.camera}")
        feed = self._admit(Agent(hello.token, connection.peer), hello.camera)
        ended, unknown = feed.missed(hello.under_way)
        for number in unknown:
            feed.begin(number)
        session = CameraSession(hello.camera, connection, self._credit, feed.under_way)
        self._sessions[hello.camera] = feed.listener = session
        log.info("camera %s connected from %s", hello.camera, connection.peer)
        for number, outcome in ended.items():
            session.missed(number, outcome)
        for number in unknown:  # of an earlier life of this edge, or lost on the way here
            self._owner.request_outcome(
                hello.under_way[number], Outcome.NO_EDGE, self._finished(hello.camera, feed, number)
            )
        if hello.camera in self._controls:
            session.control(self._controls[hello.camera])
        if self._open:
            session.invite()
        try:
            while True:
                header, payload = await connection.expect(Frame, Report)
                if isinstance(header, Frame):
                    await self._on_frame(session, feed, header, payload)
                else:
                    assert isinstance(header, Report)
                    self._on_report(session, feed, header)
        finally:
            if self._sessions.get(hello.camera) is session:
                del self._sessions[hello.camera]
                feed.listener = None
                log.info("camera %s disconnected", hello.camera)
                self._on_gone(hello.camera, feed)

    def _admit(self, agent: Agent, camera: str) -> Feed:
        """Return the feed of an agent that may feed this camera; whoever fed it before is disconnected.

        Raises ProtocolError.
        """
        older, known = self._sessions.get(camera), self._feeds.get(camera)
        present = known.agent if known is not None and older is not None else None
        refused = refusal(camera, agent, present, self._own_tokens.get(camera))
        if refused:
            raise ProtocolError(refused)
        if older is not None:
            log.warning("camera %s connected again from %s; the older connection is closed", camera, agent.peer)
            older.close()
        if known is None or known.agent.token != agent.token:
            known = Feed(agent)
        known.agent = agent
        known.assigned |= agent.token == self._own_tokens.get(camera)
        self._feeds[camera] = known
        self._closed.pop(camera, None)
        while len(self._feeds) > FEEDS_CAP:
            oldest = next(name for name in self._feeds if name != camera)
            del self._feeds[oldest]
            self._closed.pop(oldest, None)
        return known

    def _finished(self, camera: str, feed: Feed, number: int) -> Callable[[Outcome], None]:
        """Return what is to be called with the outcome of a frame."""

        def finished(outcome: Outcome) -> None:
            feed.end(number, outcome)
            if self._feeds.get(camera) is feed and camera in self._closed:
                self._tell_closed(camera)

        return finished

    async def _on_frame(self, session: CameraSession, feed: Feed, header: Frame, payload: Payload) -> None:
        info = header.info
        if info.camera != session.camera or payload.size != info.height * info.width * 3:
            raise ProtocolError(
                f"a frame of {info.camera} with {payload.size} bytes does not fit what it says of itself"
            )
        arrived = max(0.0, time.time() - info.captured_at)
        picture: Pixels = payload.reshape(info.height, info.width, 3)
        feed.begin(info.number)
        finished = self._finished(session.camera, feed, info.number)
        try:
            await self._owner.accept_frame(info.model_copy(update={"transfer_ms": arrived * 1e3}), picture, finished)
        except Exception:  # whatever it was, the frame is not under way, or its agent would wait for ever
            finished(Outcome.FAILED)
            raise

    def _on_report(self, session: CameraSession, feed: Feed, report: Report) -> None:
        camera = session.camera
        feed.account.report(report.counts)
        stats = CameraStats(
            camera=camera, node=self._node, counts=report.counts, ended=report.ended, state=report.state,
            reason=report.reason, fps=report.fps, width=report.width, height=report.height,
            published_per_s=feed.rate.at(time.monotonic(), report.counts.published), assigned=feed.assigned,
        )  # fmt: skip
        if report.ended:
            self._closed[camera] = stats
            self._tell_closed(camera)
            return
        self._closed.pop(camera, None)
        told_at, told = self._told.get(camera, (0.0, None))
        if differs(told, stats) or time.monotonic() - told_at > STATS_AGAIN_S:
            self._post(stats)

    def _on_gone(self, camera: str, feed: Feed) -> None:
        """An agent that has not said that it ends is lost, and with it its camera: its account is closed here."""
        _, told = self._told.pop(camera, (0.0, None))
        if camera not in self._closed:
            reason = told.reason if told is not None and told.state is State.OFFLINE else AGENT_GONE
            self._closed[camera] = CameraStats(
                camera=camera, node=self._node, counts=FrameCounts(), state=State.OFFLINE, reason=reason,
                assigned=feed.assigned,
            )  # fmt: skip
            self._tell_closed(camera)

    def _tell_closed(self, camera: str) -> None:
        """Publish the account of an agent that reports no more, as frames of it end."""
        if camera not in self._feeds:
            return
        closed = self._closed[camera]
        rest = Outcome.STOPPED if closed.ended else Outcome.AGENT_LOST
        counts = self._feeds[camera].counts(rest)
        self._bus.post(topics.CAMERA_STATS, closed.model_copy(update={"counts": counts}), camera)

    def _post(self, stats: CameraStats) -> None:
        self._told[stats.camera] = time.monotonic(), stats
        self._bus.post(topics.CAMERA_STATS, stats, stats.camera)


def differs(told: CameraStats | None, stats: CameraStats) -> bool:
    """Whether there is something new to tell. Pure."""
    if told is None or told.model_copy(update={"fps": stats.fps}) != stats:
        return True
    return abs(told.fps - stats.fps) > FPS_STEP * max(told.fps, stats.fps)
