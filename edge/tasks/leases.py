"""Leases, pure: the node that computes a task, the end of its time, and when its result is due.

A task that is late may have a second holder besides; the first result counts.

Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.tasks.pace import NodePace
    from edge.tasks.task import Task

LATE_FACTOR = 3.0
"""A result that takes this many times as long as predicted may never come: nobody waits for its strips any more."""


@dataclass(slots=True)
class _Lease:
    """`since`: when its holder began, as far as is known; `macs`: cost of the task in the form that is computed."""

    holder: str
    since: float
    until: float
    macs: int


class Leases:
    """The leased tasks. A holder begins its tasks in the order of their leases, each when one of its lanes is free.

    `lanes_of` returns how many tasks a node computes at the same time.
    """

    def __init__(self, pace: NodePace, lanes_of: Callable[[str], int]) -> None:
        self._pace = pace
        self._lanes_of = lanes_of
        self._leases: dict[Task, _Lease] = {}
        self._copies: dict[Task, str] = {}

    def __contains__(self, task: Task) -> bool:
        return task in self._leases

    def grant_lease(self, task: Task, holder: str, now: float, until: float, macs: int) -> None:
        """Lease a task to a node."""
        self._leases[task] = _Lease(holder, now, until, macs)

    def end_lease(self, task: Task) -> bool:
        """End a task's lease, and a second holder's; return whether there was a lease."""
        self._copies.pop(task, None)
        return self._leases.pop(task, None) is not None

    def holder(self, task: Task) -> str | None:
        """Return the node that computes a task."""
        lease = self._leases.get(task)
        return None if lease is None else lease.holder

    def holders(self, frame: str) -> dict[int, str]:
        """Return the holders of a frame's tiles."""
        return {task.tile: lease.holder for task, lease in self._leases.items() if task.frame == frame}

    def add_copy(self, task: Task, node: str) -> None:
        """Note that a node computes a leased task a second time."""
        self._copies[task] = node

    def end_copy(self, task: Task, node: str) -> bool:
        """Note that a node does not compute a task a second time any more; return whether it did."""
        if self._copies.get(task) != node:
            return False
        del self._copies[task]
        return True

    def end_copies_of(self, node: str) -> None:
        """Note that a node is lost, which computed tasks a second time."""
        self._copies = {task: holder for task, holder in self._copies.items() if holder != node}

    def held_once(self) -> dict[Task, str]:
        """Return the tasks without a second holder, with their holders."""
        return {task: lease.holder for task, lease in self._leases.items() if task not in self._copies}

    def set_cost(self, task: Task, macs: int) -> None:
        """Set the cost of a leased task that runs in another form now."""
        self._leases[task].macs = macs

    def extend(self, task: Task, until: float) -> None:
        """Move the end of a lease."""
        self._leases[task].until = until

    def on_result(self, worker: str, now: float) -> None:
        """Note that a worker has finished a task: it begins its next one no earlier than now."""
        held, lanes = self.held_by(worker), self._lanes_of(worker)
        if len(held) >= lanes:  # its other lanes have begun the ones before
            following = self._leases[held[lanes - 1]]
            following.since = max(following.since, now)

    def expired(self, now: float) -> list[Task]:
        """Return the tasks whose lease has ended."""
        return [task for task, lease in self._leases.items() if lease.until <= now]

    def held_by(self, node: str) -> list[Task]:
        """Return the tasks that a node computes."""
        return [task for task, lease in self._leases.items() if lease.holder == node]

    def has_other_holder(self, node: str) -> bool:
        """Return whether any other node than this one computes a task."""
        return any(lease.holder != node for lease in self._leases.values())

    def drop_frame(self, frame: str) -> None:
        """Remove the leases of a frame."""
        self._leases = {task: lease for task, lease in self._leases.items() if task.frame != frame}
        self._copies = {task: node for task, node in self._copies.items() if task.frame != frame}

    def due_in_s(self, task: Task, now: float, late_factor: float = LATE_FACTOR) -> float:
        """Return the seconds until the result of a task is due; infinite when it is very late, or not leased.

        It is very late when it takes `late_factor` times as long as predicted.
        """
        lease = self._leases.get(task)
        if lease is None:
            return math.inf
        late_s = (late_factor - 1) * lease.macs * (self._pace.of_node(lease.holder) or 0.0)
        ends, _ = self._predict(lease.holder)  # behind the holder's earlier tasks
        return math.inf if now > ends[task] + late_s else max(0.0, ends[task] - now)

    def free_at(self, holder: str) -> float:
        """Return when a holder should be able to begin another task; 0 if it can already."""
        return self.lanes_free_at(holder)[0]

    def lanes_free_at(self, holder: str) -> list[float]:
        """Return when each lane of a holder should have finished its tasks, as a heap; 0 if it has none."""
        return self._predict(holder)[1]

    def _predict(self, holder: str) -> tuple[dict[Task, float], list[float]]:
        """Return when a holder's tasks should end, and `lanes_free_at`."""
        ends, lanes = {}, [0.0] * self._lanes_of(holder)
        pace = self._pace.of_node(holder) or 0.0
        for task, lease in self._leases.items():
            if lease.holder == holder:
                ends[task] = max(lanes[0], lease.since) + lease.macs * pace
                heapreplace(lanes, ends[task])
        return ends, lanes
