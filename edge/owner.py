"""The owner's side: keeps the frames of this edge's cameras until the gateway has published their outcome."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.frames.frame_tasks import FrameTasks
from edge.frames.outcome_requests import OutcomeRequests
from edge.frames.owned_frame import OwnedFrame
from shared.model.letterbox import Letterbox
from shared.network.addresses import Address
from shared.payloads.frames import Outcome
from shared.plan.plan import Distribution
from shared.security.data_security import THE_GATEWAY, ExpectedPeer
from shared.security.member_list import Role
from shared.tracing.spans import Part, tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.computing.prepared_plans import PreparedPlans
    from shared.model.arrays import Pixels
    from shared.mqtt.bus import Bus
    from shared.payloads.cluster import FrameDone
    from shared.payloads.frames import FrameInfo
    from shared.wire.courier import Courier
    from shared.wire.headers import TileHeader

log = logging.getLogger(__name__)

NO_ANSWER_GRACE_S = 5.0
"""The gateway ends every frame by its deadline; this long after it, an owner without an outcome gives the frame up."""

PICTURE_KEPT_S = 10.0
"""A published frame's picture is kept this long, because the gateway fetches it for snapshots."""

NO_PIXELS: Pixels = np.empty((0, 0, 3), np.uint8)
"""Replaces the letterboxed pixels of a published frame: nobody computes it any more."""

LEASE_CHECK_PERIOD_S = 0.25
"""Leases and deadlines are checked this often; leases last at least a second."""


class Owner:
    """Owns the frames that cameras give to this edge, until the gateway has published their outcome.

    Only the gateway decides outcomes, see edge.frames.outcome_requests. `tasks` are the frames under way and their
    tasks; `on_change` is called when these change.
    """

    def __init__(
        self, node: str, plans: PreparedPlans, bus: Bus, courier: Courier, on_change: Callable[[bool], None]
    ) -> None:
        self.tasks = FrameTasks(node, plans, bus, on_change)
        self._node = node
        self._bus = bus
        self._courier = courier
        self._given_up = OutcomeRequests()
        self._published: dict[str, tuple[float, OwnedFrame]] = {}
        self._stopping = False
        self._answered = asyncio.Event()
        self._busy = asyncio.Event()

    async def accept_frame(
        self, info: FrameInfo, picture: Pixels, finished: Callable[[Outcome], None], *, promised: bool = False
    ) -> None:
        """Accept a frame with its picture, uint8 BGR (H, W, 3); `finished` is called once, with its outcome.

        `promised`: it was invited for another node, which waits for it.
        """
        plan = self.tasks.current_plan()
        if self._stopping or plan is None:
            finished(Outcome.STOPPED if self._stopping else Outcome.NO_PLAN)
            return
        begun, work = time.monotonic(), plan.work
        letterbox = Letterbox.for_picture((info.height, info.width), work.plan.input, work.plan.preprocessing)
        with tracer.measure(Part.PREPARE, info.frame):  # in the loop: the way to a thread and back costs more
            pixels = letterbox.apply(picture, work.plan.preprocessing)
        now = time.monotonic()
        earlier = self.tasks.frames.numbers_before(info)
        info = info.model_copy(update={"prepare_ms": (now - begun) * 1e3, "after": earlier})
        owned = OwnedFrame(info, picture, pixels, now, finished, plan, promised=promised)
        self._busy.set()
        if work.plan.distribution.by_gateway:
            self.tasks.keep_frame(owned)
            await self._send_tiles(owned)
        else:
            self.tasks.add_frame(owned)

    async def _send_tiles(self, owned: OwnedFrame) -> None:
        """Send all tiles to the gateway, which shares them out, also to edges of the release before: with bars.

        Of tiles that it assigns, it gets the headers only.
        """
        work = owned.plan.work
        for tile in work.stages[0]:
            payload: list[memoryview] = []
            if work.plan.distribution is Distribution.ASSIGNING:
                header = work.tile_header(self._node, owned.info, tile)
            else:
                view = owned.pixels[tile.inputs[0].slices]
                header, sent = work.encode_tile(self._node, owned.info, tile, view, bars=True)
                payload = [sent.data]
            await self._courier.send(work.gateway, (header, payload), THE_GATEWAY)

    def send_assigned_tile(self, assigned: TileHeader) -> None:
        """Send a tile of a frame that is under way to its worker, as the gateway has assigned it."""
        owned = self.tasks.frames.find(assigned.info.frame)
        if owned is None:
            return  # the frame has ended meanwhile
        work = owned.plan.work
        if work.epoch != assigned.epoch or assigned.tile >= work.tile_count or not assigned.workers:
            return
        tile, worker = work.tile(assigned.tile), assigned.workers[assigned.tile % len(assigned.workers)]
        header, sent = work.encode_tile(self._node, owned.info, tile, owned.pixels[tile.inputs[0].slices])
        header = header.model_copy(update={"attempt": assigned.attempt, "workers": assigned.workers})
        address = Address(worker.host, worker.port).seen_from(self._bus.broker)
        if not self._courier.post(address, (header, [sent.data]), ExpectedPeer(Role.EDGE, worker.node)):
            log.warning("%s tile %s not sent: too many wait for %s", assigned.info.frame, assigned.tile, worker.node)

    def find_frame(self, frame: str) -> OwnedFrame | None:
        """Return a frame that is under way or was published recently; None for others."""
        published = [owned for _, owned in self._published.values() if owned.info.frame == frame]
        return self.tasks.frames.find(frame) or next(iter(published), None)

    # outcomes

    def give_up_removed_plans(self) -> None:
        """Give up the frames whose plan is not prepared any more."""
        self._give_up_frames(self.tasks.forget_removed_plans(), Outcome.REPLANNED)

    def give_up_frames(self, outcome: Outcome) -> None:
        """Give up all frames, with this outcome unless the gateway answers with another."""
        self._give_up_frames(self.tasks.frames, outcome)

    def _give_up_frames(self, frames: Iterable[OwnedFrame], outcome: Outcome) -> None:
        self._give_up({owned.info.frame: owned.finished for owned in frames}, outcome)

    def request_outcome(self, frame: str, outcome: Outcome, finished: Callable[[Outcome], None]) -> None:
        """Request the outcome of a frame that is not owned any more; call `finished` with it, or with `outcome`."""
        self._give_up({frame: finished}, outcome)

    async def stop_frames(self, timeout_s: float) -> None:
        """Accept no more frames and give up all; wait for the gateway's answers, at most `timeout_s`."""
        self._stopping = True
        self.give_up_frames(Outcome.STOPPED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._given_up:
                    self._answered.clear()
                    await self._answered.wait()
        for frame, outcome in self._given_up.all_proposals().items():
            self._finish(frame, outcome)

    def _give_up(self, frames: dict[str, Callable[[Outcome], None]], outcome: Outcome) -> None:
        """Give up frames, by name with their callbacks."""
        now = time.monotonic()
        for frame, finished in frames.items():
            if self._given_up.give_up(frame, finished, outcome, now):
                self._busy.set()
                self.tasks.drop_tasks(frame)
        self._request_outcomes(now)

    def _request_outcomes(self, now: float, *, all_again: bool = False) -> None:
        """Request the outcomes that are due, and finish frames that have waited too long for an answer."""
        for frame, outcome in self._given_up.unanswered(now).items():
            log.debug("%s: no answer from the gateway", frame)
            self._finish(frame, outcome)
        due = self._given_up.due(now, all_again=all_again)
        if due:
            self.tasks.announcer.announce(self.tasks.current_plan(), given_up=due)

    def reannounce_tasks(self) -> None:
        """Announce tasks and open frames again: called after each (re)connect, when the gateway may have lost them.

        Outcomes that were missed meanwhile are requested, and the gateway publishes those of announced frames again.
        """
        self._request_outcomes(time.monotonic(), all_again=True)
        self.tasks.reannounce(owned for owned in self.tasks.frames if owned.info.frame not in self._given_up)

    def on_frame_done(self, done: FrameDone) -> None:
        """Finish a frame with the outcome that the gateway has published."""
        self._finish(done.frame, done.outcome)

    async def run(self) -> None:
        """Check leases and deadlines until cancelled; without frames there are none, and the loop sleeps."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(LEASE_CHECK_PERIOD_S)
            if not (self.tasks.frames or self._given_up or self._published):
                self._busy.clear()
            now = time.monotonic()
            self._request_outcomes(now)
            self._published = {camera: kept for camera, kept in self._published.items() if kept[0] > now}
            self.tasks.check_plans(now)
            self._give_up_late(now)

    def _give_up_late(self, now: float) -> None:
        """Give up frames without an outcome long after their deadline: the message with it was lost."""
        self._give_up_frames(
            [
                owned
                for owned in self.tasks.frames
                if owned.opened_at < now - owned.plan.work.plan.deadline_s - NO_ANSWER_GRACE_S
                and owned.info.frame not in self._given_up
            ],
            Outcome.NO_ANSWER,
        )

    def _finish(self, frame: str, outcome: Outcome) -> None:
        owned, given_up = self.tasks.take_frame(frame), self._given_up.take_frame(frame)
        finished = owned.finished if owned is not None else given_up.finished if given_up is not None else None
        if finished is None:
            return
        if outcome is not Outcome.PUBLISHED:
            log.debug("%s dropped: %s", frame, outcome)
        elif owned is not None:
            owned.pixels = NO_PIXELS
            self._published[owned.info.camera] = time.monotonic() + PICTURE_KEPT_S, owned
        finished(outcome)
        self._answered.set()
        self.tasks.promise_again()
