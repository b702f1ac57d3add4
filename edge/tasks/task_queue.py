"""The queue of an edge's own tasks, pure: which wait, in which order they are taken, and which are leased.

Its own worker takes from the front, thieves from the back (paper, section III-B). In a frame with reuse, a task whose
neighbours' strips are there is computed from them; until then it is blocked, unless a node is idle and would be done
sooner with the whole halo than by waiting (paper, section III-C).
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from edge.tasks.leases import Leases
from edge.tasks.pace import NodePace
from edge.tasks.reuse_schedule import ReuseMode, ReuseSchedule
from edge.tasks.task import ANYONE, AvailableTasks, ScheduledTask, Taker, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.tasks.tile_order import TileOrder

LEASE_FACTOR = 4.0
"""A lease lasts this many times the longest recent tile, for the tile may wait at the thief behind another."""

MAX_HELPERS = 64
"""Nodes whose last visit is remembered: more than a frame has tiles."""

SOONER_FACTOR = 0.25
"""A node counts as free sooner than another from this part of a tile's time on; less is within the prediction error."""


class TaskQueue:
    """Tasks of the frames that this edge owns.

    `lease_s` is the shortest lease. Leases grow with the tiles' times, up to `longest_s`, so that a frame still has
    time left when a node that was frozen reports hours for a tile. While the node is `alone`, as other nodes hardly
    take tasks, it need not send strips of its own tiles to the gateway.
    """

    def __init__(
        self, node: str, order: TileOrder, lease_s: float, *, longest_s: float = math.inf, alone: bool = False
    ) -> None:
        self.node = node
        self.alone = alone
        self.pace = NodePace()
        self._order = order
        self._lease_s, self._longest_s = lease_s, longest_s
        self._waiting: deque[Task] = deque()
        self._leases = Leases(self.pace)
        self._reuse = ReuseSchedule(order, self._leases, self.pace)
        self._helpers: dict[str, float] = {}
        self._unfit: dict[Task, set[str]] = {}

    @property
    def empty(self) -> bool:
        """Return whether no task waits, for anyone or for strips."""
        return not self._waiting

    @property
    def current_lease_s(self) -> float:
        """Return the length of a lease: longer while tiles take longer."""
        return max(self._lease_s, min(self._longest_s, LEASE_FACTOR * self.pace.longest_s))

    def available_tasks(self, now: float) -> AvailableTasks:
        """Return what may be taken now, and by whom."""
        waiting, blocked, near, unfit = 0, [], Counter[str](), Counter[str]()
        for task in self._waiting:
            if self._turn(task, ANYONE) is not None:
                waiting += 1
                unfit.update(self._unfit.get(task, ()))
            else:
                blocked.append(task)
                makers = self._reuse.makers_of_givers(task) - {self.node}
                near.update(node for node in makers if self._turn(task, Taker(node, reuses=True)))
        overdue = 0 if waiting or self._reuse.worth_waiting(blocked, now) else len(blocked)
        return AvailableTasks(waiting, overdue, dict(sorted(near.items())), dict(sorted(unfit.items())))

    def add_frame(self, frame: str, *, reuse: bool = False) -> None:
        """Queue a frame's tasks in the order of its tiles, behind those of earlier frames."""
        if reuse:
            self._reuse.add_frame(frame)
        self._waiting.extend(Task(frame, tile) for tile in self._order.order)

    def take_task(self, now: float, *, reuses: bool = False) -> ScheduledTask | None:
        """Take the next task for the edge's own idle worker; it stays leased to it until `sent` or `put_back`."""
        return self._lease(self._next(self._waiting, Taker(self.node, reuses=reuses), now), self.node, now, math.inf)

    def upcoming_task(self) -> Task | None:
        """Return the task that the edge's own worker would take next, if it would compute it from strips."""
        turn = self._best(self._waiting, Taker(self.node, reuses=True))
        return turn.task if turn is not None and turn.reusing else None

    def lend_task(self, taker: Taker, now: float) -> ScheduledTask | None:
        """Lease the last task that the thief may have to it.

        A thief that is not idle gets none while others will be free sooner for all waiting tasks: the last tasks of a
        frame go to the node that begins them first.
        """
        if not taker.idle and not self._begins_soon(taker, now):
            return None
        turn = self._next(reversed(self._waiting), taker, now)
        self._helpers.pop(taker.node, None)  # so that the dictionary's order is that of the last visits
        self._helpers[taker.node] = now
        if len(self._helpers) > MAX_HELPERS:
            del self._helpers[next(iter(self._helpers))]
        return self._lease(turn, taker.node, now, now + self.current_lease_s)

    def run_whole(self, task: Task) -> ScheduledTask | None:
        """Run a task that was taken or lent with its whole halo, as its strips cannot be had; None when it is done."""
        holder = self._leases.holder(task)
        if holder is None:
            return None
        self._leases.set_cost(task, self._order.whole[task.tile].macs)
        self._reuse.run_whole(task)
        return ScheduledTask(task, wanted=self._wanted(task, holder))

    def on_result_sent(self, task: Task, now: float) -> None:
        """Give our own result, which is on its way to the gateway, as long to arrive as a thief's."""
        if self._leases.holder(task) == self.node:
            self._leases.extend(task, now + self.current_lease_s)

    def put_back(self, task: Task) -> bool:
        """Queue a task again, first in line, that we or a thief could not run; return False when it is done."""
        leased = self._leases.end_lease(task)
        if leased:
            self._waiting.appendleft(task)
        return leased

    def task_failed(self, task: Task, node: str) -> bool:
        """Queue a task again, first in line, for all nodes but one that cannot compute it; False when it is done.

        It runs with its whole halo then: a strip may have been what was wrong.
        """
        if task not in self._leases and task not in self._waiting:
            return False
        self._unfit.setdefault(task, set()).add(node)
        self._reuse.run_whole(task)
        if self._leases.holder(task) == node:
            self.put_back(task)
        return True

    def task_done(
        self, task: Task, worker: str, compute_s: float, now: float, macs: int = 0, strips: Iterable[int] = ()
    ) -> None:
        """Note that the gateway has a tile, computed by `worker`, and its strips for these readers."""
        self.pace.add_result(worker, compute_s, macs)
        self._leases.end_lease(task)
        self._unfit.pop(task, None)
        self._leases.on_result(worker, now)
        if task in self._waiting:  # its lease had ended, and its result came all the same
            self._waiting.remove(task)
        self._reuse.on_result(task, worker, strips)

    def requeue_expired(self, now: float) -> list[Task]:
        """Queue the tasks whose leases have ended again, first in line, and return them."""
        return self._take_back(self._leases.expired(now))

    def requeue_node(self, node: str) -> list[Task]:
        """Queue what a lost node held again, first in line, and return it."""
        self.pace.forget_node(node)
        self._helpers.pop(node, None)
        return self._take_back(self._leases.held_by(node))

    def drop_frame(self, frame: str) -> None:
        """Remove the tasks of a frame that is finished or given up. One that runs here runs to its end."""
        self._waiting = deque(task for task in self._waiting if task.frame != frame)
        self._unfit = {task: nodes for task, nodes in self._unfit.items() if task.frame != frame}
        self._leases.drop_frame(frame)
        self._reuse.drop_frame(frame)

    def _take_back(self, tasks: list[Task]) -> list[Task]:
        for task in tasks:
            self.put_back(task)
        return tasks

    def _lease(self, turn: ScheduledTask | None, node: str, now: float, until: float) -> ScheduledTask | None:
        """Lease the task of a turn, which no longer waits."""
        if turn is not None:
            costs = self._order.reusing if turn.reusing else self._order.whole
            self._waiting.remove(turn.task)
            self._leases.grant_lease(turn.task, node, now, until, costs[turn.task.tile].macs)
        return turn

    def _next(self, tasks: Iterable[Task], taker: Taker, now: float) -> ScheduledTask | None:
        """Return what the taker should compute next; a blocked task with its whole halo when waiting takes longer."""
        tasks = [task for task in tasks if taker.node not in self._unfit.get(task, ())]
        best = self._best(tasks, taker)
        if best is not None or not taker.idle or not tasks or self._reuse.worth_waiting(tasks, now, taker.node):
            return best
        self._reuse.run_whole(tasks[0])
        return ScheduledTask(tasks[0], wanted=self._wanted(tasks[0], taker.node))

    def _best(self, tasks: Iterable[Task], taker: Taker) -> ScheduledTask | None:
        """Return the first task that the taker may have.

        Of several in one frame that it computes from strips, the one of whose givers it has computed most: those strips
        need not travel.
        """
        best: ScheduledTask | None = None
        for task in tasks:
            if best is not None and task.frame != best.task.frame:
                break
            turn = self._turn(task, taker)
            if turn is not None and (best is None or (turn.reusing and self._has_more(turn, best, taker.node))):
                best = turn
            if best is not None and not best.reusing:
                break
        return best

    def _has_more(self, turn: ScheduledTask, other: ScheduledTask, node: str) -> bool:
        return self._reuse.own_givers(turn.task, node) > self._reuse.own_givers(other.task, node)

    def _turn(self, task: Task, taker: Taker) -> ScheduledTask | None:
        """Return how the taker would compute a waiting task; None while it is blocked, or not for this taker."""
        if taker.node in self._unfit.get(task, ()):
            return None
        mode = self._reuse.mode(task, taker.node, reuses=taker.reuses)
        if mode is ReuseMode.WHOLE:
            return ScheduledTask(task, wanted=self._wanted(task, taker.node))
        return ScheduledTask(task, reusing=True) if mode is ReuseMode.FROM_STRIPS else None

    def _wanted(self, task: Task, node: str) -> tuple[int, ...]:
        """Return the tiles for which the gateway should keep a task's strips; of our own tasks none while alone."""
        return () if self.alone and node == self.node else self._reuse.readers(task)

    def _begins_soon(self, taker: Taker, now: float) -> bool:
        """Return whether a busy node will be free for one of the waiting tasks before others have taken them all.

        The others are the owner, and the nodes that have taken tasks recently. What only this node can take, it may.
        """
        pace = self.pace.of_all
        if pace is None:
            return True
        open_to_all = [self._turn(task, ANYONE) is not None for task in self._waiting]
        if any(not known and self._turn(task, taker) for task, known in zip(self._waiting, open_to_all, strict=True)):
            return True
        recent = now - self.current_lease_s
        others = {self.node, *(helper for helper, taken in self._helpers.items() if taken > recent)} - {taker.node}
        margin_s = SOONER_FACTOR * pace * max(costs.macs for costs in self._order.whole.values())
        free = max(now, self._leases.free_at(taker.node)) - margin_s
        return sum(1 for other in others if max(now, self._leases.free_at(other)) < free) < sum(open_to_all)
