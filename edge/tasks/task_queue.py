"""The queue of an edge's own tasks, pure: waiting tasks in order, and their leases.

Its own worker takes a frame's tasks from the front, thieves from the back (paper, section III-B); of several frames,
all begin with the oldest. In a frame with reuse, a task is blocked until the strips of its neighbours are available,
and computed from them; an idle node computes it with its whole halo instead if that ends sooner than waiting (paper,
section III-C).
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from heapq import heapreplace
from typing import TYPE_CHECKING

from edge.tasks.leases import Leases
from edge.tasks.pace import NodePace
from edge.tasks.predicted_ends import PredictedEnds
from edge.tasks.reuse_schedule import ReuseMode, ReuseSchedule
from edge.tasks.task import ANYONE, NO_TASKS, AvailableTasks, ScheduledTask, Taker, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.tasks.tile_order import TileOrder

LEASE_FACTOR = 4.0
"""A lease lasts this many times the longest recent tile: the tile may wait at the thief behind another one."""

MAX_HELPERS = 64
"""Thieves whose last visit is remembered: more than a frame has tiles."""

SOONER_FACTOR = 0.25
"""A node is free sooner than another only by more than this part of a tile's time; less is a prediction error."""


class TaskQueue:
    """Tasks of the frames that this edge owns.

    `lease_s` is the shortest lease. Leases grow with the duration of tiles, up to `longest_s`, so that a frame still
    has time left when a node that was frozen reports hours for a tile. While the node is `alone`, because others hardly
    take tasks, it need not send strips of its own tiles to the gateway. `lanes_of` returns how many tasks a node
    computes at the same time.
    """

    def __init__(
        self,
        node: str,
        order: TileOrder,
        lease_s: float,
        *,
        longest_s: float = math.inf,
        alone: bool = False,
        lanes_of: Callable[[str], int] = lambda _: 1,
    ) -> None:
        self.node = node
        self.alone = alone
        self.pace = NodePace()
        self._order = order
        self._lease_s, self._longest_s = lease_s, longest_s
        self._frames: dict[str, None] = {}  # in the order in which they were added
        self._waiting: deque[Task] = deque()
        self._leases = Leases(self.pace, lanes_of)
        self._ends = PredictedEnds(order, self._leases, self.pace)
        self._reuse = ReuseSchedule(order, self._leases, self.pace)
        self._helpers: dict[str, float] = {}
        self._unfit: dict[Task, set[str]] = {}

    @property
    def empty(self) -> bool:
        """Return whether no task waits, for anyone or for strips."""
        return not self._waiting

    @property
    def current_lease_s(self) -> float:
        """Return the duration of a new lease: longer while tiles take longer."""
        return max(self._lease_s, min(self._longest_s, LEASE_FACTOR * self.pace.longest_s))

    def available_tasks(self, now: float) -> AvailableTasks:
        """Return the numbers of tasks that may be taken now."""
        if not self._waiting:
            late = self._ends.late_tasks(ANYONE.node, now, self._unfit)
            return AvailableTasks(overdue=len(late)) if late else NO_TASKS
        waiting, blocked, near, unfit = 0, [], Counter[str](), Counter[str]()
        for task in self._waiting:
            if self._schedule(task, ANYONE) is not None:
                waiting += 1
                unfit.update(self._unfit.get(task, ()))
            else:
                blocked.append(task)
                makers = self._reuse.makers_of_givers(task) - {self.node}
                near.update(node for node in makers if self._schedule(task, Taker(node, reuses=True)))
        # Blocked tasks are offered with their whole halo only as the last resort: nothing else waits, and their strips
        # are too far away.
        overdue = 0 if waiting or self._reuse.worth_waiting(blocked, now) else len(blocked)
        return AvailableTasks(
            waiting, overdue, dict(sorted(near.items())), dict(sorted(unfit.items())), self._slow_nodes(now)
        )

    def add_frame(self, frame: str, *, reuse: bool = False) -> None:
        """Queue a frame's tasks in the order of its tiles, behind those of earlier frames."""
        self._frames[frame] = None
        if reuse:
            self._reuse.add_frame(frame)
        self._waiting.extend(Task(frame, tile) for tile in self._order.order)

    @property
    def failed_here(self) -> bool:
        """Return whether a task waits that this node could not compute."""
        return any(self.node in self._unfit.get(task, ()) for task in self._waiting)

    @property
    def first_frame(self) -> str | None:
        """Return the frame of the first waiting task; None when no task waits."""
        return self._waiting[0].frame if self._waiting else None

    def is_waiting(self, task: Task) -> bool:
        """Return whether a task waits."""
        return task in self._waiting

    @property
    def untouched_frames(self) -> int:
        """Return the number of frames all of whose tasks wait."""
        if len(self._order.order) == 1:  # whole frames
            return len(self._waiting)
        counts = Counter(task.frame for task in self._waiting)
        return sum(1 for count in counts.values() if count == len(self._order.order))

    @property
    def has_lent(self) -> bool:
        """Return whether another node computes a task."""
        return self._leases.has_other_holder(self.node)

    def busy_s(self, now: float) -> float:
        """Return the seconds until this node should be able to begin another task, 0 if it can now.

        Infinite before the first result, while all its lanes compute.
        """
        return self.ends_s(now, 0, 0.0)

    def ends_s(self, now: float, count: int, task_s: float) -> float:
        """Return the seconds until this node would end the last of `count` more tasks, of `task_s` each.

        Without more tasks as `busy_s`; infinite before the first result, while it computes one.
        """
        held, lanes = len(self._leases.held_by(self.node)), self._leases.lanes_free_at(self.node)
        if self.pace.of_all is None and (held >= len(lanes) or (held and count)):
            return math.inf
        end = max(now, lanes[0])
        for _ in range(count):
            end = max(now, lanes[0]) + task_s
            heapreplace(lanes, end)
        return end - now

    def take_task(self, now: float, *, reuses: bool = False) -> ScheduledTask | None:
        """Take the next task for the edge's own idle worker; its lease has no end until `on_result_sent`."""
        return self._grant(self._next(self._waiting, Taker(self.node, reuses=reuses), now), self.node, now, math.inf)

    def take_late_task(self, now: float) -> ScheduledTask | None:
        """Take a task for the edge's own idle worker that another node computes and that ends sooner here."""
        return self._copy_late_task(Taker(self.node), now)

    def upcoming_task(self) -> Task | None:
        """Return the task that the edge's own worker would take next, if it would compute that from strips."""
        scheduled = self._best(self._waiting, Taker(self.node, reuses=True))
        return scheduled.task if scheduled is not None and scheduled.reusing else None

    def lend_task(self, taker: Taker, now: float) -> ScheduledTask | None:
        """Lease the oldest frame's last task that the thief may take; an idle thief gets a late one a second time.

        A thief that is not idle gets none while others will be free sooner for all waiting tasks: the last tasks of a
        frame, which decide its duration, go to the node that begins them first.
        """
        if not taker.idle and not self._begins_soon(taker, now):
            return None
        scheduled = self._next(self._lending_order(), taker, now)
        self._helpers.pop(taker.node, None)  # the dictionary is in the order of last visits
        self._helpers[taker.node] = now
        if len(self._helpers) > MAX_HELPERS:
            del self._helpers[next(iter(self._helpers))]
        if scheduled is None and taker.idle and not self._waiting:
            return self._copy_late_task(taker, now)
        return self._grant(scheduled, taker.node, now, now + self.current_lease_s)

    def run_whole(self, task: Task) -> ScheduledTask | None:
        """Compute a leased task with its whole halo, because its strips are not available; None when it is done."""
        holder = self._leases.holder(task)
        if holder is None:
            return None
        self._leases.set_cost(task, self._order.whole[task.tile].macs)
        self._reuse.run_whole(task)
        return ScheduledTask(task, wanted=self._wanted(task, holder))

    def on_result_sent(self, task: Task, now: float) -> None:
        """Limit the lease of an own task from now on, like a thief's: its result may be lost on its way."""
        if self._leases.holder(task) == self.node:
            self._leases.extend(task, now + self.current_lease_s)

    def hand_over_failed(self, task: Task, node: str) -> bool:
        """Queue a task again that a node did not receive; return False when another one computes it, or it is done."""
        return not self._leases.end_copy(task, node) and self.put_back(task)

    def put_back(self, task: Task) -> bool:
        """Queue a leased task again, at the front, because it was not computed; return False when it is done."""
        leased = self._leases.end_lease(task)
        if leased:
            self._waiting.appendleft(task)
        return leased

    def task_failed(self, task: Task, node: str) -> bool:
        """Queue a task again, at the front, for all nodes but the one that failed; return False when it is done.

        It runs with its whole halo then: a strip may have caused the failure.
        """
        if task not in self._leases and task not in self._waiting:
            return False
        self._unfit.setdefault(task, set()).add(node)
        if self._leases.end_copy(task, node):
            return True
        self._reuse.run_whole(task)
        if self._leases.holder(task) == node:  # else its lease had ended, and another node computes it
            self.put_back(task)
        return True

    def task_done(
        self, task: Task, worker: str, compute_s: float, now: float, macs: int = 0, strips: Iterable[int] = ()
    ) -> None:
        """Note that the gateway has a tile that `worker` computed, and its strips for these readers."""
        self.pace.add_result(worker, compute_s, macs)
        self._ends.on_result(worker, now)
        self._leases.end_lease(task)
        self._unfit.pop(task, None)
        self._leases.on_result(worker, now)  # after end_lease: the worker's next lease is the first one now
        if task in self._waiting:  # its lease had ended, but its result arrived after all
            self._waiting.remove(task)
        self._reuse.on_result(task, worker, strips)

    def requeue_expired(self, now: float) -> list[Task]:
        """Put the tasks whose leases have ended back to the front of the queue, and return them."""
        return self._take_back(self._leases.expired(now))

    def requeue_node(self, node: str) -> list[Task]:
        """Put the tasks of a lost node back to the front of the queue, and return them."""
        self.pace.forget_node(node)
        self._helpers.pop(node, None)
        self._ends.forget_node(node)
        self._leases.end_copies_of(node)
        return self._take_back(self._leases.held_by(node))

    def drop_frame(self, frame: str) -> None:
        """Remove the tasks of a frame that is finished or given up. A running computation is not interrupted."""
        self._frames.pop(frame, None)
        self._waiting = deque(task for task in self._waiting if task.frame != frame)
        self._unfit = {task: nodes for task, nodes in self._unfit.items() if task.frame != frame}
        self._leases.drop_frame(frame)
        self._reuse.drop_frame(frame)

    def _copy_late_task(self, taker: Taker, now: float) -> ScheduledTask | None:
        """Return the latest of the tasks that others compute and this taker would end sooner, for it as well."""
        late = self._ends.late_tasks(taker.node, now, self._unfit)
        if not late:
            return None
        latest = max(late, key=lambda task: late[task])
        self._leases.add_copy(latest, taker.node)
        return ScheduledTask(latest, wanted=self._wanted(latest, taker.node))

    def _lending_order(self) -> list[Task]:
        """Return the waiting tasks as thieves take them: older frames first, and of each frame the last tile first."""
        waiting: dict[str, list[Task]] = {frame: [] for frame in self._frames}
        for task in self._waiting:
            waiting[task.frame].append(task)
        return [task for tasks in waiting.values() for task in reversed(tasks)]

    def _take_back(self, tasks: list[Task]) -> list[Task]:
        for task in tasks:
            self.put_back(task)
        return tasks

    def _grant(self, scheduled: ScheduledTask | None, node: str, now: float, until: float) -> ScheduledTask | None:
        """Lease a task, which no longer waits."""
        if scheduled is not None:
            costs = self._order.reusing if scheduled.reusing else self._order.whole
            self._waiting.remove(scheduled.task)
            self._leases.grant_lease(scheduled.task, node, now, until, costs[scheduled.task.tile].macs)
        return scheduled

    def _next(self, tasks: Iterable[Task], taker: Taker, now: float) -> ScheduledTask | None:
        """Return the taker's next task; a blocked one with its whole halo if waiting takes longer."""
        tasks = [task for task in tasks if taker.node not in self._unfit.get(task, ())]
        best = self._best(tasks, taker)
        if best is not None or not taker.idle or not tasks or self._reuse.worth_waiting(tasks, now, taker.node):
            return best
        self._reuse.run_whole(tasks[0])  # its strips need not be kept any more
        return ScheduledTask(tasks[0], wanted=self._wanted(tasks[0], taker.node))

    def _best(self, tasks: Iterable[Task], taker: Taker) -> ScheduledTask | None:
        """Return the first task that the taker may take.

        Of several tasks of one frame that it can compute from strips, this is the one with the most givers of its own:
        their strips need no transfer.
        """
        best: ScheduledTask | None = None
        for task in tasks:
            if best is not None and task.frame != best.task.frame:
                break  # strips are compared within one frame only: frames are not overtaken for them
            scheduled = self._schedule(task, taker)
            if scheduled is not None and (
                best is None or (scheduled.reusing and self._has_more_givers(scheduled, best, taker.node))
            ):
                best = scheduled
            if best is not None and not best.reusing:
                break
        return best

    def _has_more_givers(self, scheduled: ScheduledTask, other: ScheduledTask, node: str) -> bool:
        return self._reuse.own_givers(scheduled.task, node) > self._reuse.own_givers(other.task, node)

    def _schedule(self, task: Task, taker: Taker) -> ScheduledTask | None:
        """Return a waiting task in the form for this taker; None while it is blocked, or if the taker failed it."""
        if taker.node in self._unfit.get(task, ()):
            return None
        mode = self._reuse.mode(task, taker.node, reuses=taker.reuses)
        if mode is ReuseMode.WHOLE:
            return ScheduledTask(task, wanted=self._wanted(task, taker.node))
        return ScheduledTask(task, reusing=True) if mode is ReuseMode.FROM_STRIPS else None

    def _wanted(self, task: Task, node: str) -> tuple[int, ...]:
        """Return the tiles for which the gateway should keep a task's strips; none for own tasks while alone."""
        return () if self.alone and node == self.node else self._reuse.readers(task)

    def _begins_soon(self, taker: Taker, now: float) -> bool:
        """Return whether a busy node will be free for one of the waiting tasks before others have taken them all.

        The others are the owner and recent thieves. It gets a task that only it can take, from its own strips.
        """
        pace = self.pace.of_all
        if pace is None:
            return True
        open_to_all = [self._schedule(task, ANYONE) is not None for task in self._waiting]
        if any(
            not is_open and self._schedule(task, taker)
            for task, is_open in zip(self._waiting, open_to_all, strict=True)
        ):
            return True
        others = self._recent_nodes(now) - {taker.node}
        margin_s = SOONER_FACTOR * pace * max(costs.macs for costs in self._order.whole.values())
        free = max(now, self._leases.free_at(taker.node)) - margin_s
        # As many other nodes as there are open tasks, each free sooner, leave none for this one.
        return sum(1 for other in others if max(now, self._leases.free_at(other)) < free) < sum(open_to_all)

    def _slow_nodes(self, now: float) -> frozenset[str]:
        """Return the nodes that would end a task after all others have ended the rest; none in frames with reuse.

        There it depends on the strips.
        """
        if any(task.frame in self._reuse for task in self._waiting):
            return frozenset()
        return frozenset(self._ends.slow_nodes(self._waiting, self._recent_nodes(now), now, self.node))

    def _recent_nodes(self, now: float) -> set[str]:
        """Return the nodes that compute tasks: this one, and those that came for some a short time ago."""
        recent = now - self.current_lease_s
        return {self.node, *(helper for helper, taken in self._helpers.items() if taken > recent)}
