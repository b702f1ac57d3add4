"""The owner's side: divides frames into tasks, announces and lends them, and queues lost ones again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.computing.tile_assignment import TileAssignment
from edge.tasks.prediction import Experience, reuse_pays
from edge.tasks.task import AvailableTasks, Taker, Task
from edge.tasks.task_queue import TaskQueue
from edge.tasks.tile_order import TileOrder
from shared.model.letterbox import Letterbox
from shared.mqtt import topics
from shared.payloads.cluster import FrameDone, TaskAnnouncement, TileDone
from shared.payloads.frames import FrameInfo, Outcome
from shared.plan.plan import Distribution
from shared.tracing.spans import Part, tracer
from shared.wire.headers import AbsentHeader, TileHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.computing.plan_work import PlanWork
    from edge.tasks.task import ScheduledTask
    from shared.model.arrays import Array, Pixels
    from shared.mqtt.bus import Bus
    from shared.wire.courier import Courier
    from shared.wire.headers import TakeHeader

log = logging.getLogger(__name__)

NO_ANSWER_GRACE_S = 5.0
"""The gateway ends every frame by its deadline; this long after it, an owner without an outcome gives the frame up."""

OUTCOME_TIMEOUT_S = 15.0
"""The outcome of a frame that is given up is requested for this long: by then a frozen edge has reconnected."""

OUTCOME_RETRY_S = 1.0
"""The request is repeated after this time: the gateway answers in milliseconds, but messages may be lost."""

MAX_REQUESTED_OUTCOMES = 1000
"""Frames in one request; the others follow in the next."""

PICTURE_KEPT_S = 10.0
"""A published frame's picture is kept this long, because the gateway fetches it for snapshots."""

MAX_OTHER_NODES = 1000
"""Other edges that are remembered, as many as a gateway lists: a faulty client may invent names without end."""

LEASE_CHECK_PERIOD_S = 0.1
"""Leases and deadlines are checked this often; leases last at least a second."""


@dataclass(slots=True)
class GivenUpFrame:
    """A frame that is given up: it gets `outcome` unless the gateway answers with another. Times are monotonic."""

    outcome: Outcome
    finished: Callable[[Outcome], None]
    answer_by: float
    request_at: float


@dataclass(slots=True)
class OwnedFrame:
    """A frame under way: its picture and its letterboxed pixels, uint8 (H, W, 3) each."""

    info: FrameInfo
    picture: Pixels
    pixels: Pixels
    opened_at: float
    finished: Callable[[Outcome], None]


class Owner:
    """Owns the frames that cameras give to this edge, until the gateway has published their outcome.

    Only the gateway decides outcomes: it may publish a frame at the moment when the owner gives it up. The owner
    therefore announces a given-up frame with the outcome that it proposes, and repeats that until the gateway answers
    with the outcome that counts. Only if no answer arrives in time does the owner use its own proposal.

    `on_announced` is called after each announcement of tasks.
    """

    def __init__(self, node: str, bus: Bus, courier: Courier, on_announced: Callable[[], None]) -> None:
        self._node = node
        self._bus = bus
        self._courier = courier
        self._on_announced = on_announced
        self._work: PlanWork | None = None
        self._frames: dict[str, OwnedFrame] = {}
        self._given_up: dict[str, GivenUpFrame] = {}
        self._published: dict[str, tuple[float, OwnedFrame]] = {}
        self._preparing = ThreadPoolExecutor(1, "prepare")
        self._others: set[str] = set()
        self._experience = Experience(node)
        self._announced_overdue = 0
        self._stopping = False
        self._answered = asyncio.Event()
        self._busy = asyncio.Event()
        self.queue = TaskQueue(node, TileOrder((), {}), lease_s=1.0)

    def adopt_plan(self, work: PlanWork) -> None:
        """Follow another plan; frames of the earlier one are given up."""
        self.give_up_frames(Outcome.REPLANNED)
        self._work = work
        self._experience = Experience(self._node)
        self.queue = TaskQueue(
            self._node, work.tile_order, work.plan.lease_s, longest_s=work.plan.deadline_s / 2, alone=not self._others
        )

    def give_up_frames(self, outcome: Outcome) -> None:
        """Give up all frames, with this outcome unless the gateway answers with another."""
        self._give_up({frame: owned.finished for frame, owned in self._frames.items()}, outcome)

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
        for frame in list(self._given_up):
            self._finish(frame, self._given_up[frame].outcome)

    def _give_up(self, frames: dict[str, Callable[[Outcome], None]], outcome: Outcome) -> None:
        """Give up frames, by name with their callbacks; the first proposal for a frame counts."""
        now = time.monotonic()
        for frame, finished in frames.items():
            if frame not in self._given_up:
                self._busy.set()
                self.queue.drop_frame(frame)
                self._given_up[frame] = GivenUpFrame(outcome, finished, now + OUTCOME_TIMEOUT_S, now)
        self._request_outcomes(now)

    def _request_outcomes(self, now: float, *, all_again: bool = False) -> None:
        """Request the outcomes that are due, and finish frames that have waited too long for an answer."""
        for frame in [name for name, waiting in self._given_up.items() if waiting.answer_by <= now]:
            log.debug("%s: no answer from the gateway", frame)
            self._finish(frame, self._given_up[frame].outcome)
        due = [name for name, waiting in self._given_up.items() if all_again or waiting.request_at <= now]
        due = due[:MAX_REQUESTED_OUTCOMES]
        if not due:
            return
        for frame in due:
            self._given_up[frame].request_at = now + OUTCOME_RETRY_S
        self._announce(given_up={frame: self._given_up[frame].outcome for frame in due})

    async def accept_frame(self, info: FrameInfo, picture: Pixels, finished: Callable[[Outcome], None]) -> None:
        """Accept a frame with its picture, uint8 BGR (H, W, 3); `finished` is called once, with its outcome."""
        work = self._work
        if self._stopping or work is None:
            finished(Outcome.STOPPED if self._stopping else Outcome.NO_PLAN)
            return
        begun, spec = time.monotonic(), work.plan.preprocessing
        letterbox = Letterbox.for_picture((info.height, info.width), work.plan.input, spec)
        pixels = await asyncio.get_running_loop().run_in_executor(
            self._preparing, tracer.call, Part.PREPARE, info.frame, letterbox.apply, picture, spec
        )
        if self._stopping or work is not self._work:  # changed while the pixels were prepared
            finished(Outcome.STOPPED if self._stopping else Outcome.REPLANNED)
            return
        now = time.monotonic()
        info = info.model_copy(update={"prepare_ms": (now - begun) * 1e3})
        self._frames[info.frame] = OwnedFrame(info, picture, pixels, now, finished)
        self._busy.set()
        if work.plan.distribution is Distribution.SHARING:
            self._announce(opened=info)
            await self._send_tiles(work, info, pixels)
            return
        self.queue.add_frame(info.frame, reuse=self._reuses(work))
        self._announce(opened=info)

    async def _send_tiles(self, work: PlanWork, info: FrameInfo, pixels: Pixels) -> None:
        """Send all tiles to the gateway, which shares them out."""
        for tile in work.stages[0]:
            view = pixels[tile.inputs[0].slices]
            header = self._header(work, info, tile.index, view)
            await self._courier.send(work.gateway, (header, [work.encode_pixels(view).data]))

    def _reuses(self, work: PlanWork) -> bool:
        """Return whether the next frame is computed with reuse: whether its strips are worth their transfers."""
        conditions = self._experience.conditions(1 + len(self._others), self.queue.pace.of_all, work.result_bytes)
        return work.reuses and (conditions is None or reuse_pays(work.tile_order, conditions))

    def reannounce_tasks(self) -> None:
        """Announce tasks and open frames again: called after each (re)connect, when the gateway may have lost them.

        Outcomes that were missed meanwhile are requested, and the gateway publishes those of announced frames again.
        """
        now = time.monotonic()
        self._request_outcomes(now, all_again=True)
        for frame in [name for name in self._frames if name not in self._given_up]:
            self._announce(opened=self._frames[frame].info)
        if self._work is not None and self.queue.available_tasks(now) != AvailableTasks():
            self._announce()

    @property
    def has_waiting_tasks(self) -> bool:
        """Return whether tasks wait, for a node or for strips."""
        return not self.queue.empty

    def upcoming_task(self) -> Task | None:
        """Return the task that the worker would be assigned next, if it would be computed from strips."""
        return self.queue.upcoming_task()

    def take_assignment(self, work: PlanWork) -> TileAssignment | None:
        """Take the next own tile for the worker, which gathers its strips if it is computed from some.

        Return None when no task can be computed now, or the worker has another plan.
        """
        while self._follows(work) and (scheduled := self.queue.take_task(time.monotonic(), reuses=work.reuses)):
            assignment = self._assignment(work, scheduled)
            if assignment is not None:  # else its frame has ended meanwhile
                return assignment
        return None

    def without_strips(self, assignment: TileAssignment) -> TileAssignment | None:
        """Return the same tile with its whole halo, because its strips are not available; None when it is done."""
        scheduled = self.queue.run_whole(Task(assignment.info.frame, assignment.tile.index))
        return None if scheduled is None or self._work is None else self._assignment(self._work, scheduled)

    def is_wanted(self, assignment: TileAssignment, work: PlanWork) -> bool:
        """Return whether an assignment's frame is still under way in this plan."""
        return self._follows(work) and assignment.info.frame in self._frames

    def _follows(self, work: PlanWork) -> bool:
        """Return whether the worker's plan is the owner's; the engines of the same plan may have been made anew."""
        return self._work is not None and self._work.epoch == work.epoch

    def on_result_sent(self, assignment: TileAssignment) -> None:
        """Expect the gateway's confirmation of an own tile from now on."""
        self.queue.on_result_sent(Task(assignment.info.frame, assignment.tile.index), time.monotonic())

    def _assignment(self, work: PlanWork, scheduled: ScheduledTask) -> TileAssignment | None:
        found = self._pixels_of(scheduled)
        if found is None:
            return None
        info, pixels, waited_ms = found
        tile = work.tile(scheduled.task.tile, reusing=scheduled.reusing)
        return TileAssignment(info, self._node, tile, pixels, wanted=scheduled.wanted, waited_ms=waited_ms)

    def _pixels_of(self, scheduled: ScheduledTask) -> tuple[FrameInfo, Pixels, float] | None:
        """Return a task's frame, its view of the pixels, and its waiting time (ms); None when the frame is finished."""
        frame = self._frames.get(scheduled.task.frame)
        if frame is None or self._work is None:
            return None
        tracer.since(Part.WAIT, scheduled.task.frame, frame.opened_at, scheduled.task.tile)
        region = self._work.tile(scheduled.task.tile, reusing=scheduled.reusing).inputs[0]
        return frame.info, frame.pixels[region.slices], (time.monotonic() - frame.opened_at) * 1e3

    def lend_tile(self, take: TakeHeader) -> tuple[TileHeader, Array] | AbsentHeader:
        """Lend a thief a task from the back of the queue: its header and contiguous pixels; or Absent."""
        work = self._work
        if work is None or take.epoch != work.epoch:
            return AbsentHeader(reason="this edge follows another plan")
        if take.again is not None:
            scheduled = self.queue.run_whole(Task(take.again.frame, take.again.tile))
        else:
            scheduled = self.queue.lend_task(
                Taker(take.thief, take.idle, take.reuses and work.reuses), time.monotonic()
            )
        found = self._pixels_of(scheduled) if scheduled is not None else None
        if scheduled is None or found is None:
            later = take.again is None and not take.idle and self.queue.available_tasks(time.monotonic()).waiting > 0
            if later:
                self._announce()  # the gateway has counted this task as granted, but it still waits
            return AbsentHeader(reason="no task is waiting for this node", later=later)
        info, view, waited_ms = found
        log.debug("%s tile %s lent to %s", scheduled.task.frame, scheduled.task.tile, take.thief)
        if take.reuses and self.queue.available_tasks(time.monotonic()).near.get(take.thief):
            self._announce()  # with this tile the thief will have all strips for others
        header = self._header(work, info, scheduled.task.tile, view)
        lease = {"lease_s": self.queue.current_lease_s, "reusing": scheduled.reusing, "wanted": scheduled.wanted}
        return header.model_copy(update={**lease, "waited_ms": waited_ms}), work.encode_pixels(view)

    def _header(self, work: PlanWork, info: FrameInfo, tile: int, view: Pixels) -> TileHeader:
        height, width = view.shape[:2]
        return TileHeader(info=info, epoch=work.epoch, owner=self._node, tile=tile, height=height, width=width)

    def find_frame(self, frame: str) -> OwnedFrame | None:
        """Return a frame that is under way or was published recently; None for others."""
        published = [owned for _, owned in self._published.values() if owned.info.frame == frame]
        return self._frames.get(frame) or next(iter(published), None)

    def on_tile_failed(self, task: Task, node: str) -> None:
        """Queue a task for other nodes, because `node` cannot compute it."""
        if self.queue.task_failed(task, node):
            log.debug("%s tile %s will run on another edge: %s cannot compute it", task.frame, task.tile, node)
            self._announce()

    def on_tile_done(self, done: TileDone) -> None:
        """Process the gateway's message that it has a tile, or that a worker failed to compute it."""
        if done.error:
            self.on_tile_failed(Task(done.frame, done.tile), done.worker)
            return
        now = time.monotonic()
        before = self.queue.available_tasks(now)
        task, compute_s = Task(done.frame, done.tile), done.compute_ms / 1e3
        self.queue.task_done(task, done.worker, compute_s, now, done.macs, done.strips)
        self._experience.add_tile(done.worker, done.fetch_bytes_per_s)
        self._update_alone()
        if self._work is not None and self.queue.available_tasks(now) != before:
            self._announce()

    def on_frame_done(self, done: FrameDone) -> None:
        """Finish a frame with the outcome that the gateway has published."""
        self._finish(done.frame, done.outcome)

    def on_node_found(self, node: str) -> None:
        """Note that another edge is online."""
        if len(self._others) < MAX_OTHER_NODES:
            self._others.add(node)
        self._update_alone()

    def on_node_lost(self, node: str) -> None:
        """Queue the tasks of a lost thief again."""
        self._others.discard(node)
        self._update_alone()
        lost = self.queue.requeue_node(node)
        if lost:
            log.info("edge %s is offline: its %s tiles will run again", node, len(lost))
        self._announce_requeued(lost, f"{node} is offline")

    def _update_alone(self) -> None:
        """Note whether this edge computes mostly alone, for the queue."""
        self.queue.alone = not self._others or self._experience.on_its_own

    def put_back_task(self, task: Task, reason: str) -> None:
        """Queue a task again that could not be sent to its thief."""
        if self.queue.put_back(task):
            self._announce_requeued([task], reason)

    async def run(self) -> None:
        """Check leases and deadlines until cancelled; without frames there are none, and the loop sleeps."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(LEASE_CHECK_PERIOD_S)
            if not (self._frames or self._given_up or self._published):
                self._busy.clear()
            now = time.monotonic()
            self._announce_requeued(self.queue.requeue_expired(now), "its lease ended")
            self._request_outcomes(now)
            self._published = {camera: kept for camera, kept in self._published.items() if kept[0] > now}
            if self._work is None:
                continue
            # Tasks become overdue by time alone, without an event that would announce them.
            overdue = self.queue.available_tasks(now).overdue
            if overdue > self._announced_overdue:
                self._announce()
            self._announced_overdue = overdue
            # The gateway ends frames at their deadline; if that message was lost, the outcome is requested.
            oldest = now - self._work.plan.deadline_s - NO_ANSWER_GRACE_S
            late = {name: owned.finished for name, owned in self._frames.items() if owned.opened_at < oldest}
            self._give_up(late, Outcome.NO_ANSWER)

    def _announce_requeued(self, tasks: list[Task], reason: str) -> None:
        for task in tasks:
            log.debug("%s tile %s will run again: %s", task.frame, task.tile, reason)
        if tasks:
            self._announce()

    def _announce(self, opened: FrameInfo | None = None, given_up: dict[str, Outcome] | None = None) -> None:
        available = self.queue.available_tasks(time.monotonic())
        message = TaskAnnouncement(
            node=self._node, epoch=0 if self._work is None else self._work.epoch, waiting=available.waiting,
            overdue=available.overdue, near=dict(available.near), opened=opened, given_up=given_up or {},
            unfit=dict(available.unfit),
        )  # fmt: skip
        self._announced_overdue = available.overdue
        self._bus.publish_soon(topics.TASKS, message, self._node)
        self._on_announced()

    def _finish(self, frame: str, outcome: Outcome) -> None:
        owned, given_up = self._frames.pop(frame, None), self._given_up.pop(frame, None)
        finished = owned.finished if owned is not None else given_up.finished if given_up is not None else None
        if finished is None:
            return
        self.queue.drop_frame(frame)
        if outcome is not Outcome.PUBLISHED:
            log.debug("%s dropped: %s", frame, outcome)
        elif owned is not None:
            self._published[owned.info.camera] = time.monotonic() + PICTURE_KEPT_S, owned
        finished(outcome)
        self._answered.set()
