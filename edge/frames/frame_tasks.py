"""The tasks of an owner's frames: takes them for its own worker, lends them to thieves, and queues lost ones again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING

from edge.computing.tile_assignment import TileAssignment
from edge.frames.frames_under_way import FramesUnderWay
from edge.frames.other_nodes import OtherNodes
from edge.frames.owned_plan import OwnedPlan
from edge.frames.picture_source import NoCameras
from edge.frames.pixel_coding import PixelCoding
from edge.frames.task_announcer import TaskAnnouncer
from edge.tasks.intake import Intake
from edge.tasks.task import NO_TASKS, Taker, Task
from shared.tracing.spans import Part, tracer
from shared.wire.headers import AbsentHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.computing.plan_work import PlanWork
    from edge.computing.prepared_plans import PreparedPlans
    from edge.frames.owned_frame import OwnedFrame
    from edge.frames.picture_source import PictureSource
    from edge.tasks.task import ScheduledTask
    from shared.model.arrays import Array, Pixels
    from shared.mqtt.bus import Bus
    from shared.payloads.cluster import Helpers, TileDone
    from shared.payloads.frames import FrameInfo
    from shared.wire.headers import TakeHeader, TileHeader

log = logging.getLogger(__name__)

MAX_KEPT_BYTES = 64_000_000
"""Memory of the frames of one camera that other nodes may have."""

MAX_PROMISED_HOLD_S = 0.5
"""A frame that was invited for a thief which then did not take it is computed here after this time."""


class FrameTasks:
    """Frames under way and their tasks, by plan: every frame is finished by the plan that it began with.

    `on_change` is called when tasks were added, taken or finished; with True, when they were also announced.
    """

    def __init__(self, node: str, plans: PreparedPlans, bus: Bus, on_change: Callable[[bool], None]) -> None:
        self._node = node
        self._plans = plans
        self._on_change = on_change
        self._owned_plans: dict[int, OwnedPlan] = {}
        self.frames = FramesUnderWay(time.monotonic())
        self._others = OtherNodes(node)
        self.intake = Intake()
        self.pixel_coding = PixelCoding()
        self.computes_here = True
        """False while the gateway has barred this node."""
        self.cameras: PictureSource = NoCameras()
        self.announcer = TaskAnnouncer(
            node, bus, self._others, computes_here=lambda: self.computes_here, promises=self.promises,
            on_announced=lambda: on_change(True),
        )  # fmt: skip

    # plans

    def current_plan(self) -> OwnedPlan | None:
        """Return the plan for new frames; None before the first plan is prepared."""
        work = self._plans.preferred
        return None if work is None else self._plan_of(work)

    def _plan_of(self, work: PlanWork) -> OwnedPlan:
        """Return the tasks of a plan; its engines may have been renewed."""
        plan = self._owned_plans.get(work.epoch)
        if plan is None:
            plan = self._owned_plans[work.epoch] = OwnedPlan(
                self._node, work, alone=not self._others, lanes_of_other=self._others.lanes_of
            )
        plan.work = work
        return plan

    def forget_removed_plans(self) -> list[OwnedFrame]:
        """Forget the plans that are not prepared any more; return their frames, which nobody can finish."""
        gone = [epoch for epoch in self._owned_plans if self._plans.get(epoch) is None]
        for epoch in gone:
            del self._owned_plans[epoch]
        return [owned for owned in self.frames if owned.plan.work.epoch in gone]

    # frames

    def keep_frame(self, owned: OwnedFrame) -> None:
        """Keep a frame whose tasks the gateway shares out, and announce it."""
        self.frames.add(owned, time.monotonic())
        self.announcer.announce(owned.plan, opened=owned.info)

    def add_frame(self, owned: OwnedFrame) -> None:
        """Queue the tasks of a frame, and announce them to the nodes that may take some."""
        plan, info = owned.plan, owned.info
        self.frames.add(owned, time.monotonic())
        plan.queue.add_frame(info.frame, reuse=plan.reuses(1 + len(self._others)))
        hold_s = MAX_PROMISED_HOLD_S if owned.promised else plan.hold_s(self._others.helpers)
        if hold_s:
            owned.held_until = owned.opened_at + hold_s
            asyncio.get_running_loop().call_later(hold_s, self._end_hold, owned)
        if self._gives_on_demand(plan):
            announced = self.announcer.announce_promise(plan)
        else:
            announced = self.announcer.may_be_helped(plan) or not (plan.work.finds_objects and self.computes_here)
            if announced:
                self.announcer.announce(plan, opened=info)
        if not announced:  # nobody else would take it; the gateway learns of it from its result
            self._on_change(False)

    def _gives_on_demand(self, plan: OwnedPlan) -> bool:
        """Return whether other nodes get whole frames of a plan on demand.

        A frame that waits here for a thief grows old, and many owners wait for few thieves. So while a camera has more
        pictures than are invited, a frame is announced before it is here, and invited when a thief comes for it.
        """
        return plan.work.finds_objects and self.computes_here and self.cameras.saturated and plan is self.current_plan()

    def _keeps_none(self, plan: OwnedPlan) -> bool:
        """Return whether no frame should wait here for thieves, as they get one on demand soon enough."""
        return plan.has_long_frames and self._gives_on_demand(plan)

    @property
    def frames_elsewhere(self) -> int:
        """Return how many whole frames of a camera other nodes may have; 0 while frames are divided among them.

        Of each lane, one is in work, and one waits until those before it are published.
        """
        current = self.current_plan()
        whole = current is not None and current.work.finds_objects
        return min(2 * self._others.lanes, MAX_KEPT_BYTES // self.frames.largest_bytes) if whole else 0

    def promises(self, plan: OwnedPlan) -> int:
        """Return how many frames of a plan, which are not here yet, other nodes can have now: 1 or 0."""
        return int(self._gives_on_demand(plan) and plan.may_lend and self.cameras.may_have_more)

    def take_mean_load(self, now: float) -> float:
        """Return the mean number of frames under way since the last call; one at its camera for thieves counts, too."""
        current = self.current_plan()
        return self.frames.take_mean(now) + (current is not None and self._keeps_none(current))

    def promise_again(self) -> None:
        """Announce that a whole frame can be had: a frame has ended, so that its camera may have another under way."""
        current = self.current_plan()
        if current is not None:
            self.announcer.announce_promise(current)

    def needs_picture(self, take: TakeHeader) -> bool:
        """Return whether a thief came for a frame that was promised, and none waits."""
        plan = self._owned_plans.get(take.epoch)
        return plan is not None and take.again is None and plan.queue.empty and bool(self.promises(plan))

    def take_frame(self, frame: str) -> OwnedFrame | None:
        """Remove a frame that has ended, with its tasks; return None for one that is not under way."""
        self.drop_tasks(frame)
        return self.frames.remove(frame, time.monotonic())

    def drop_tasks(self, frame: str) -> None:
        """Remove the tasks of a frame that is given up. A running computation is not interrupted."""
        for plan in self._owned_plans.values():
            plan.queue.drop_frame(frame)

    def _end_hold(self, owned: OwnedFrame) -> None:
        """Compute a frame here that no helper has taken."""
        if owned.plan.queue.is_waiting(Task(owned.info.frame, 0)):
            if not owned.promised:
                owned.plan.holding.on_missed()
            self._on_change(False)

    def on_helpers(self, helpers: Helpers) -> None:
        """Note the nodes that are idle."""
        if self._others.on_helpers(helpers.seconds, helpers.lanes):
            for plan in self._owned_plans.values():
                if not plan.queue.empty:
                    self.announcer.announce(plan)
                else:
                    self.announcer.announce_promise(plan)
        self._on_change(False)

    def frames_wanted(self, invited: int, idle_lanes: int) -> int:
        """Return how many frames to invite now; `invited` are on their way, `idle_lanes` tiles could begin here."""
        now, current = time.monotonic(), self.current_plan()
        if not self._owned_plans and current is None:
            return 0
        waiting = sum(plan.queue.untouched_frames for plan in self._owned_plans.values())
        return self.intake.wanted(
            waiting=waiting, invited=invited, idle_lanes=0 if waiting else idle_lanes, busy_s=self._busy_s(now),
            helpers=0 if current is not None and self._keeps_none(current) else len(self._others.helpers),
        )  # fmt: skip

    def next_frame_due_s(self) -> float:
        """Return the seconds until a frame may be wanted, if nothing else happens."""
        return self.intake.next_due_s(self._busy_s(time.monotonic()))

    def _busy_s(self, now: float) -> float:
        """Return the seconds until this node should be able to begin another task."""
        return max((plan.queue.busy_s(now) for plan in self._owned_plans.values()), default=0.0)

    def reannounce(self, frames: Iterable[OwnedFrame]) -> None:
        """Announce these frames and all tasks again, as the gateway may have lost them."""
        for owned in frames:
            self.announcer.announce(owned.plan, opened=owned.info)
        for plan in self._owned_plans.values():
            plan.untaken_since = -math.inf
            if plan.queue.available_tasks(time.monotonic()) != NO_TASKS or self.promises(plan):
                self.announcer.announce(plan)

    def announce_long_frames(self) -> bool:
        """Announce long frames that wait, so that the gateway forgets this node's request; return whether any waits.

        Else another one might come while this node computes its own, and grow old here.
        """
        waiting = [plan for plan in self._owned_plans.values() if plan.has_long_frames and not plan.queue.empty]
        for plan in waiting:
            self.announcer.announce(plan)
        return bool(waiting)

    # tasks

    @property
    def has_waiting_tasks(self) -> bool:
        """Return whether tasks wait, for a node or for strips."""
        return any(not plan.queue.empty for plan in self._owned_plans.values())

    def upcoming_task(self) -> tuple[PlanWork, Task] | None:
        """Return the task that the worker would be assigned next, and its plan, if it would be computed from strips."""
        for plan in self._owned_plans.values():
            task = plan.queue.upcoming_task() if plan.work.reuses else None
            if task is not None:
                return plan.work, task
        return None

    def take_assignment(self) -> TileAssignment | None:
        """Take the next own tile for the worker, which gathers its strips if it is computed from some.

        Return None when no task can be computed now. Of two plans, that of the older frame comes first: otherwise the
        frames of one could wait for as long as there are frames of the other. Without any, a task that is late on
        another node is computed here, too.
        """
        now = time.monotonic()
        for plan in sorted(self._owned_plans.values(), key=self._oldest_opened_at):
            plan.work = self._plans.get(plan.work.epoch) or plan.work  # its engines may have been renewed
            while (first := plan.queue.first_frame) is not None and not self._is_held(first, now):
                scheduled = plan.queue.take_task(now, reuses=plan.work.reuses)
                if scheduled is None:
                    break
                assignment = self._assignment(plan, scheduled)
                if assignment is not None:  # else its frame has ended meanwhile
                    return assignment
        late = ((plan, plan.queue.take_late_task(now)) for plan in self._owned_plans.values() if plan.queue.empty)
        return next((self._assignment(plan, scheduled) for plan, scheduled in late if scheduled is not None), None)

    def _oldest_opened_at(self, plan: OwnedPlan) -> float:
        """Return when the first waiting frame of a plan was opened; infinite without one."""
        owned = self.frames.find(plan.queue.first_frame or "")
        return math.inf if owned is None else owned.opened_at

    def _is_held(self, frame: str, now: float) -> bool:
        owned = self.frames.find(frame)
        return owned is not None and now < owned.held_until

    def without_strips(self, assignment: TileAssignment) -> TileAssignment | None:
        """Return the same tile with its whole halo, because its strips are not available; None when it is done."""
        plan = self._owned_plans.get(assignment.work.epoch)
        if plan is None:
            return None
        scheduled = plan.queue.run_whole(Task(assignment.info.frame, assignment.tile.index))
        return None if scheduled is None else self._assignment(plan, scheduled)

    def is_wanted(self, assignment: TileAssignment) -> bool:
        """Return whether an assignment's frame is still under way."""
        return assignment.info.frame in self.frames

    def on_result_sent(self, assignment: TileAssignment) -> None:
        """Expect the gateway's confirmation of an own tile from now on."""
        plan = self._owned_plans.get(assignment.work.epoch)
        if plan is not None:
            plan.queue.on_result_sent(Task(assignment.info.frame, assignment.tile.index), time.monotonic())

    def _assignment(self, plan: OwnedPlan, scheduled: ScheduledTask) -> TileAssignment | None:
        found = self._pixels_of(plan, scheduled)
        if found is None:
            return None
        info, pixels, waited_ms = found
        tile = plan.work.tile(scheduled.task.tile, reusing=scheduled.reusing)
        return TileAssignment(plan.work, info, self._node, tile, pixels, wanted=scheduled.wanted, waited_ms=waited_ms)

    def _pixels_of(self, plan: OwnedPlan, scheduled: ScheduledTask) -> tuple[FrameInfo, Pixels, float] | None:
        """Return a task's frame, its view of the pixels, and its waiting time (ms); None when the frame is finished."""
        frame = self.frames.find(scheduled.task.frame)
        if frame is None:
            return None
        tracer.since(Part.WAIT, scheduled.task.frame, frame.opened_at, scheduled.task.tile)
        region = plan.work.tile(scheduled.task.tile, reusing=scheduled.reusing).inputs[0]
        return frame.info, frame.pixels[region.slices], (time.monotonic() - frame.opened_at) * 1e3

    def lend_tile(self, take: TakeHeader, pulled_s: float | None = None) -> tuple[TileHeader, Array] | AbsentHeader:
        """Lend a thief the last waiting task of the oldest frame: its header, and pixels without bars; or Absent.

        `pulled_s`: a promised frame was invited for this thief, which took so many seconds.
        """
        plan, now = self._owned_plans.get(take.epoch), time.monotonic()
        if plan is None:
            return AbsentHeader(reason="this edge has no tasks of that plan")
        queue, work = plan.queue, plan.work
        if take.again is not None:
            scheduled = queue.run_whole(Task(take.again.frame, take.again.tile))
        elif not plan.may_lend:
            scheduled = None
        else:
            idle = take.idle or pulled_s is not None  # without this thief, the frame would still be at its camera
            scheduled = queue.lend_task(Taker(take.thief, idle, take.reuses and work.reuses), now)
        found = self._pixels_of(plan, scheduled) if scheduled is not None else None
        plan.untaken_since = -math.inf  # the gateway has counted one less, or is told now that there was none
        if scheduled is None or found is None:
            later = take.again is None and not take.idle and queue.available_tasks(now).waiting > 0
            if later:
                self.announcer.announce(plan)  # the gateway has counted this task as granted, but it still waits
            return AbsentHeader(reason="no task is waiting for this node", later=later)
        info, view, waited_ms = found
        log.debug("%s tile %s lent to %s", scheduled.task.frame, scheduled.task.tile, take.thief)
        owned = self.frames.find(info.frame)
        if owned is not None and owned.held_until > now and not owned.promised:
            plan.holding.on_taken(now - owned.opened_at)
        if take.reuses and queue.available_tasks(now).near.get(take.thief):
            self.announcer.announce(plan)  # with this tile the thief will have all strips for others
        elif queue.empty and not self.announcer.announce_promise(plan):
            self._on_change(False)
        tile = work.tile(scheduled.task.tile, reusing=scheduled.reusing)
        header, sent = work.encode_tile(self._node, info, tile, view, bars=not take.fills_bars)
        lease = {"lease_s": queue.current_lease_s, "reusing": scheduled.reusing, "wanted": scheduled.wanted}
        return header.model_copy(update={**lease, "waited_ms": waited_ms, "pulled_ms": (pulled_s or 0.0) * 1e3}), sent

    def _plan_of_frame(self, frame: str) -> OwnedPlan | None:
        """Return the plan of a frame; for one that has ended, that of new frames, which learns from it as well."""
        owned = self.frames.find(frame)
        return owned.plan if owned is not None else self.current_plan()

    def on_tile_failed(self, task: Task, node: str) -> None:
        """Queue a task for other nodes, because `node` cannot compute it."""
        plan = self._plan_of_frame(task.frame)
        if plan is not None and plan.queue.task_failed(task, node):
            log.debug("%s tile %s will run on another edge: %s cannot compute it", task.frame, task.tile, node)
            self.announcer.announce(plan)

    def on_tile_done(self, done: TileDone) -> None:
        """Process the gateway's message that it has a tile, or that a worker failed to compute it."""
        plan, now = self._plan_of_frame(done.frame), time.monotonic()
        if plan is None:
            return
        if done.error:
            self.on_tile_failed(Task(done.frame, done.tile), done.worker)
            return
        before = plan.queue.available_tasks(now)
        task, compute_s = Task(done.frame, done.tile), done.compute_ms / 1e3
        plan.queue.task_done(task, done.worker, compute_s, now, done.macs, done.strips)
        plan.experience.add_tile(done.worker, done.fetch_bytes_per_s)
        self.pixel_coding.on_transfer(done.worker, done.fetch_bytes_per_s)
        self._update_alone()
        if plan.queue.available_tasks(now) != before:
            self.announcer.announce(plan)

    def on_node_found(self, node: str) -> None:
        """Note that another edge is online."""
        self._others.on_found(node)
        self._update_alone()

    def on_node_lost(self, node: str) -> None:
        """Queue the tasks of a lost thief again."""
        self._others.on_lost(node)
        self._update_alone()
        for plan in self._owned_plans.values():
            lost = plan.queue.requeue_node(node)
            if lost:
                log.info("edge %s is offline: its %s tiles will run again", node, len(lost))
            self.announcer.announce_requeued(plan, lost, f"{node} is offline")

    def _update_alone(self) -> None:
        """Note whether this edge computes mostly alone, for the queues."""
        for plan in self._owned_plans.values():
            plan.queue.alone = not self._others or plan.experience.on_its_own

    def put_back_task(self, task: Task, thief: str) -> None:
        """Queue a task again that could not be sent to its thief."""
        plan = self._plan_of_frame(task.frame)
        if plan is not None and plan.queue.hand_over_failed(task, thief):
            self.announcer.announce_requeued(plan, [task], f"{thief} did not receive it")

    def check_plans(self, now: float) -> None:
        """Queue tasks again whose leases have ended, and announce overdue ones: called periodically."""
        for plan in self._owned_plans.values():
            self.announcer.announce_requeued(plan, plan.queue.requeue_expired(now), "its lease ended")
            self.announcer.announce_due(plan, now)
