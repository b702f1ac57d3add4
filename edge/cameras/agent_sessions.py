"""The cameras of this edge: invites frames of their agents, receives them, and reports their outcomes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from edge.cameras.admission import AgentIdentity, refusal_reason
from edge.cameras.agent_permission import check_agent
from edge.cameras.camera_session import CameraSession
from edge.cameras.feed import AgentFeed
from edge.cameras.invitations import MAX_INVITATION_S, Invitations
from edge.tasks.intake import MAX_INVITATION_PAUSE_S
from shared.errors import ProtocolError
from shared.mqtt import topics
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.tracing.spans import Part, tracer
from shared.wire.camera_headers import CameraHeader, ControlHeader, FrameHeader, OfferHeader, ReportHeader
from shared.wire.shared_pictures import SharedPictureReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.owner import Owner
    from shared.model.arrays import Pixels
    from shared.mqtt.bus import Bus
    from shared.wire.connection import Connection, Payload

log = logging.getLogger(__name__)

STATS_REPEAT_PERIOD_S = 30.0
"""Between publications of unchanged stats, in case the broker has lost them."""

MIN_FPS_CHANGE = 0.2
"""A frame rate that differs by less than this part is not published: it is never perfectly steady."""

MIN_INVITATION_PAUSE_S = 0.005
"""Between two looks whether a frame is due."""

PATIENCE, MIN_PATIENCE_S = 2, 0.2
"""An invited frame that takes so many times as long as usual, and at least so many seconds, does not come soon."""

MAX_FEEDS = 256
"""Cameras whose frame counts are kept, so that a client with invented names cannot fill the memory."""

AGENT_GONE = "its agent is not connected"


class CameraSessions:
    """The connected cameras of this edge, one agent for each."""

    def __init__(
        self,
        node: str,
        bus: Bus,
        owner: Owner,
        max_frames: Callable[[int], int],
        idle_lanes: Callable[[], int],
        *,
        reports_to_gateway: bool = False,
    ) -> None:
        """`max_frames` returns how many frames of a camera may be under way while so many can be computed at once.

        `idle_lanes` returns how many tiles could begin now. An edge with a login reports its cameras to the gateway.
        """
        self._reports_to_gateway = reports_to_gateway
        self._node = node
        self._bus = bus
        self._owner = owner
        self._idle_lanes, self._lanes = idle_lanes, 1
        # Of a single camera, all nodes that compute whole frames can have some at the same time.
        self._invitations = Invitations(lambda: max_frames(self._lanes + owner.tasks.frames_elsewhere))
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._sessions: dict[str, CameraSession] = {}
        self._feeds: dict[str, AgentFeed] = {}
        self._own_tokens: dict[str, str] = {}
        self._controls: dict[str, ControlHeader] = {}
        self._published: dict[str, tuple[float, CameraStats]] = {}
        self._closed: dict[str, CameraStats] = {}
        self._open = False
        self._awaited: deque[asyncio.Future[None]] = deque()
        self.required_permit: Callable[[], str | None] = lambda: None
        """Return what an agent without keys must show; None: nothing."""
        owner.tasks.cameras = self

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted(self._sessions))

    @property
    def saturated(self) -> bool:
        """Return whether a camera has more pictures than are invited."""
        return self._invitations.saturated

    @property
    def may_have_more(self) -> bool:
        """Return whether a saturated camera may have one more frame under way."""
        return self._open and self._invitations.may_have_more

    def use_lanes(self, lanes: int) -> None:
        """Let as many frames of each camera be under way as suits so many that are computed side by side here."""
        self._lanes = lanes
        self.invite_frames()

    def open(self) -> None:
        """Invite frames, now that there is a plan; still scenes too, as a new gateway has not seen them."""
        self._open = True
        for camera, session in self._sessions.items():
            session.send_control(self._control_of(camera).model_copy(update={"look": True}))
        self.invite_frames()

    def invite_frames(self) -> None:
        """Invite frames after what else follows from the same event: a frame that came is usually begun at once."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._invite)

    def _invite(self) -> None:
        """Invite the newest frames of cameras, as many as are wanted now; look again when the next one is due.

        While frames come or wait, none is due: that changes only by something that invites frames again.
        """
        for timer in (self._soon, self._later):
            if timer is not None:
                timer.cancel()
        self._soon = self._later = None
        if not (self._open and self._invitations.may_invite):
            return
        now, tasks = time.monotonic(), self._owner.tasks
        own_invited = max(0, self._invitations.invited(now) - len(self._awaited))
        wanted = tasks.frames_wanted(own_invited, self._idle_lanes())
        for camera in self._invitations.choose(wanted, now):
            self._sessions[camera].send_ready()
        if self._invitations.may_invite:
            due_s = 0.0 if own_invited or wanted else tasks.next_frame_due_s()
            pause_s = max(MIN_INVITATION_PAUSE_S, due_s) if due_s else MAX_INVITATION_PAUSE_S
            self._later = asyncio.get_running_loop().call_later(pause_s, self._invite)

    async def pull_frame(self) -> float:
        """Get a frame for another node: the one that is invited, or invite one; return the seconds that it took.

        It is in the queue then, unless no camera had a picture, or it did not come in time.
        """
        began = time.monotonic()
        chosen = self._invitations.choose(1, began)
        for camera in chosen:
            self._sessions[camera].send_ready()
        if chosen or self._invitations.invited(began) > len(self._awaited):
            awaited = asyncio.get_running_loop().create_future()
            self._awaited.append(awaited)
            try:
                await asyncio.wait([awaited], timeout=MAX_INVITATION_S)
            finally:
                if awaited in self._awaited:
                    self._awaited.remove(awaited)
        return time.monotonic() - began

    def expect_frame(self) -> float:
        """Invite frames, as there is nothing to compute; return the seconds within which one should come, 0 if none."""
        self._invite()
        way_s = max(MIN_PATIENCE_S, PATIENCE * self._owner.tasks.intake.lead_s)
        return self._invitations.expected_s(time.monotonic(), way_s)

    def set_control(self, camera: str, control: ControlHeader | None) -> None:
        """Send an agent its control now and at each new connection; None: send it none any more."""
        if control is None:
            self._controls.pop(camera, None)
            return
        self._controls[camera] = control
        if camera in self._sessions:
            self._sessions[camera].send_control(self._control_of(camera))

    def _control_of(self, camera: str) -> ControlHeader:
        """Return the control to send to a camera's agent."""
        control = self._controls.get(camera, ControlHeader())
        return control.model_copy(update={"offers": self._invitations.needs_offers})

    def _send_controls(self, changed: str = "") -> None:
        """Send a camera's agent its control; all of them, if a second camera has come or has gone."""
        for camera, session in self._sessions.items():
            if camera == changed or self._invitations.needs_offers is not session.offering:
                session.send_control(self._control_of(camera))

    def expect_agent(self, camera: str, token: str | None) -> None:
        """Set the token of the agent that this edge has started, which has priority; None: it has none any more."""
        if token is None:
            self._own_tokens.pop(camera, None)
        else:
            self._own_tokens[camera] = token

    def republish_stats(self) -> None:
        """Publish the stats of all connected cameras again, as the broker may have lost them."""
        for camera in self._sessions:
            if camera in self._published:
                self._publish_stats(self._published[camera][1])

    async def close(self) -> None:
        """Send all outcomes to the agents, then close the connections."""
        self._open = False
        for session in self._sessions.values():
            await session.flush()
            session.close()

    async def serve(self, connection: Connection, hello: CameraHeader) -> None:
        """Receive from one agent until it disconnects.

        Raises PeerRefusedError or ProtocolError if it may not feed this camera.
        """
        foreign = [frame for frame in hello.under_way.values() if not frame.startswith(f"{hello.camera}-")]
        if foreign:
            raise ProtocolError(f"frame {foreign[0]} is not of camera {hello.camera}")
        check_agent(hello, connection.member, self._own_tokens.get(hello.camera), self.required_permit())
        feed = self._admit_agent(AgentIdentity(hello.token, connection.peer), hello.camera)
        ended, unknown = feed.missed_outcomes(hello.under_way)
        for number in unknown:
            feed.begin_frame(number)
        session = CameraSession(hello.camera, connection, self._invitations, self._open_memory(hello))
        self._invitations.on_connected(hello.camera, feed.under_way, offers=hello.offers)
        self._sessions[hello.camera] = feed.listener = session
        log.info("camera %s connected from %s", hello.camera, connection.peer)
        for number, outcome in ended.items():
            session.send_outcome(number, outcome)
        for number in unknown:  # sent before this edge restarted, or lost on the way here
            self._owner.request_outcome(
                hello.under_way[number], Outcome.NO_EDGE, self._end_callback(hello.camera, feed, number)
            )
        self._send_controls(changed=hello.camera)
        self.invite_frames()  # an agent of the release before offers none
        try:
            while True:
                header, payload = await connection.expect(FrameHeader, ReportHeader, OfferHeader)
                if isinstance(header, FrameHeader):
                    await self._on_frame(session, feed, header, payload)
                elif isinstance(header, OfferHeader):
                    self._invitations.on_offer(session.camera)
                    if self._later is None:  # else none is wanted until then, or until something else happens
                        self.invite_frames()
                else:
                    assert isinstance(header, ReportHeader)
                    self._on_report(session, feed, header)
        finally:
            session.close_memory()
            if self._sessions.get(hello.camera) is session:  # else a newer connection has taken its place
                del self._sessions[hello.camera]
                self._invitations.on_gone(hello.camera)
                self._send_controls()
                feed.listener = None
                log.info("camera %s disconnected", hello.camera)
                self._on_agent_gone(hello.camera, feed)

    def _open_memory(self, hello: CameraHeader) -> SharedPictureReader | None:
        """Return the memory that an agent shares; None if it shares none, or is on another machine."""
        if hello.memory is None:
            return None
        try:
            return SharedPictureReader(hello.memory)
        except OSError as error:
            log.debug("camera %s sends its pictures, as its memory cannot be read: %s", hello.camera, error)
            return None

    def _admit_agent(self, agent: AgentIdentity, camera: str) -> AgentFeed:
        """Return the feed of an agent; disconnect the older connection of this camera.

        Raises ProtocolError if the agent may not feed it.
        """
        older, known = self._sessions.get(camera), self._feeds.get(camera)
        present = known.agent if known is not None and older is not None else None
        refused = refusal_reason(camera, agent, present, self._own_tokens.get(camera))
        if refused:
            raise ProtocolError(refused)
        if older is not None:
            log.warning("camera %s connected again from %s; the older connection is closed", camera, agent.peer)
            older.close()
        if known is None or known.agent.token != agent.token:  # another agent numbers its frames anew
            known = AgentFeed(agent)
        known.agent = agent
        known.assigned |= agent.token == self._own_tokens.get(camera)
        self._feeds[camera] = known
        self._closed.pop(camera, None)
        while len(self._feeds) > MAX_FEEDS:
            oldest = next(name for name in self._feeds if name != camera)
            del self._feeds[oldest]
            self._closed.pop(oldest, None)
        return known

    def _end_callback(self, camera: str, feed: AgentFeed, number: int) -> Callable[[Outcome], None]:
        """Return a function to call with the outcome of a frame."""

        def finished(outcome: Outcome) -> None:
            feed.end_frame(number, outcome)
            self.invite_frames()
            if self._feeds.get(camera) is feed and camera in self._closed:
                self._publish_closed(camera)

        return finished

    async def _on_frame(self, session: CameraSession, feed: AgentFeed, header: FrameHeader, payload: Payload) -> None:
        info = header.info
        picture = _picture_of(session, header, payload)
        transfer_s = max(0.0, time.time() - info.captured_at)
        _record_arrival(header, time.monotonic(), transfer_s)
        feed.begin_frame(info.number)
        # before it can end, and in step with the feed
        self._invitations.on_frame(session.camera, info.number, waited=header.waited)
        finished = self._end_callback(session.camera, feed, info.number)
        try:
            way = {"transfer_ms": transfer_s * 1e3, "invite_ms": min(header.invite_ms, transfer_s * 1e3)}
            promised = bool(self._awaited)
            await self._owner.accept_frame(info.model_copy(update=way), picture, finished, promised=promised)
            if promised and self._awaited:
                self._awaited.popleft().set_result(None)
            invited_for_s = self._invitations.on_frame_accepted(session.camera, time.monotonic())
            if invited_for_s is not None:  # a camera that had no picture yet was waited for, but that is no way
                self._owner.tasks.intake.on_frame(min(invited_for_s, transfer_s))
            self.invite_frames()
        except Exception:  # after any error the frame must end, or its agent would wait for ever
            finished(Outcome.FAILED)
            raise

    def _on_report(self, session: CameraSession, feed: AgentFeed, report: ReportHeader) -> None:
        camera = session.camera
        feed.account.add_report(report.counts)
        stats = CameraStats(
            camera=camera, node=self._node, counts=report.counts, ended=report.ended, state=report.state,
            reason=report.reason, fps=report.fps, width=report.width, height=report.height, motion=report.motion,
            published_per_s=feed.rate.rate_at(time.monotonic(), report.counts.published), assigned=feed.assigned,
        )  # fmt: skip
        if report.ended:
            self._closed[camera] = stats
            self._publish_closed(camera)
            return
        self._closed.pop(camera, None)
        published_at, published = self._published.get(camera, (0.0, None))
        if stats_differ(published, stats) or time.monotonic() - published_at > STATS_REPEAT_PERIOD_S:
            self._publish_stats(stats)

    def _on_agent_gone(self, camera: str, feed: AgentFeed) -> None:
        """Close the frame counts of an agent that disconnected without a final report: its camera is offline."""
        _, published = self._published.pop(camera, (0.0, None))
        if camera not in self._closed:
            reason = published.reason if published is not None and published.state is State.OFFLINE else AGENT_GONE
            self._closed[camera] = CameraStats(
                camera=camera, node=self._node, counts=FrameCounts(), state=State.OFFLINE, reason=reason,
                assigned=feed.assigned,
            )  # fmt: skip
            self._publish_closed(camera)

    def _publish_closed(self, camera: str) -> None:
        """Publish the final counts of an agent that is gone; call again when one of its frames ends."""
        if camera not in self._feeds:
            return
        closed = self._closed[camera]
        rest = Outcome.STOPPED if closed.ended else Outcome.AGENT_LOST
        counts = self._feeds[camera].closed_counts(rest)
        self._report(closed.model_copy(update={"counts": counts}))

    def _publish_stats(self, stats: CameraStats) -> None:
        self._published[stats.camera] = time.monotonic(), stats
        self._report(stats)

    def _report(self, stats: CameraStats) -> None:
        if self._reports_to_gateway:
            self._bus.publish_soon(topics.CAMERA_REPORTS, stats, self._node)
        else:
            self._bus.publish_soon(topics.CAMERA_STATS, stats, stats.camera)


def _record_arrival(header: FrameHeader, now: float, age_s: float) -> None:
    """Record how a frame came here, by this device's clock. `age_s`: its age by the wall clocks of camera and edge."""
    captured = now - age_s
    ready = min(now, captured + header.capture_ms / 1e3)
    sent = min(now, ready + header.invite_ms / 1e3)
    tracer.record(Part.CAPTURE, header.info.frame, captured, ready, cpu_s=header.cpu_ms / 1e3)
    tracer.record(Part.INVITE, header.info.frame, ready, sent)
    tracer.record(Part.TRANSFER, header.info.frame, sent, now)


def _picture_of(session: CameraSession, header: FrameHeader, payload: Payload) -> Pixels:
    """Return a frame's picture, uint8 BGR (H, W, 3), received or shared. Raises ProtocolError if it does not fit."""
    info = header.info
    size = info.height * info.width * 3 if header.offset is None else 0
    if info.camera != session.camera or payload.size != size:
        raise ProtocolError(f"a frame of {info.camera} with {payload.size} bytes does not match its header")
    if header.offset is None:
        return payload.reshape(info.height, info.width, 3)
    if session.shared is None:
        raise ProtocolError(f"a frame of {info.camera} in a memory that is not shared")
    return session.shared.picture(info, header.offset)


def stats_differ(published: CameraStats | None, stats: CameraStats) -> bool:
    """Return whether the stats differ enough from those last published. Pure."""
    if published is None or published.model_copy(update={"fps": stats.fps}) != stats:
        return True
    return abs(published.fps - stats.fps) > MIN_FPS_CHANGE * max(published.fps, stats.fps)
