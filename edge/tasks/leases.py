"""Leases, pure: which node computes which task, until when, and when its result is due.

Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.tasks.pace import NodePace
    from edge.tasks.task import Task

LATE_FACTOR = 3.0
"""A result that takes this many times as long as predicted may never come: its strips are not waited for any more."""


@dataclass(slots=True)
class _Lease:
    """`since`: when its holder began, as far as is known; `macs`: what the task costs in the form that it runs in."""

    holder: str
    since: float
    until: float
    macs: int


class Leases:
    """Tasks that are being computed. A holder computes its tasks one after the other, in the order of their leases."""

    def __init__(self, pace: NodePace) -> None:
        self._pace = pace
        self._leases: dict[Task, _Lease] = {}

    def __contains__(self, task: Task) -> bool:
        return task in self._leases

    def grant_lease(self, task: Task, holder: str, now: float, until: float, macs: int) -> None:
        """Lease a task to a node."""
        self._leases[task] = _Lease(holder, now, until, macs)

    def end_lease(self, task: Task) -> bool:
        """Return whether there was a lease to end."""
        return self._leases.pop(task, None) is not None

    def holder(self, task: Task) -> str | None:
        """Return the node that computes a task."""
        lease = self._leases.get(task)
        return None if lease is None else lease.holder

    def holders(self, frame: str) -> dict[int, str]:
        """Return the holders of a frame's tiles."""
        return {task.tile: lease.holder for task, lease in self._leases.items() if task.frame == frame}

    def set_cost(self, task: Task, macs: int) -> None:
        """Note what a task costs now that it runs in another form."""
        self._leases[task].macs = macs

    def extend(self, task: Task, until: float) -> None:
        """Move the end of a lease."""
        self._leases[task].until = until

    def on_result(self, worker: str, now: float) -> None:
        """Note that a worker is done with a task, and so begins its next one no earlier than now."""
        following = next((lease for lease in self._leases.values() if lease.holder == worker), None)
        if following is not None:
            following.since = max(following.since, now)

    def expired(self, now: float) -> list[Task]:
        """Return the tasks whose lease has ended."""
        return [task for task, lease in self._leases.items() if lease.until <= now]

    def held_by(self, node: str) -> list[Task]:
        """Return the tasks that a node computes."""
        return [task for task, lease in self._leases.items() if lease.holder == node]

    def drop_frame(self, frame: str) -> None:
        """Remove the leases of a frame."""
        self._leases = {task: lease for task, lease in self._leases.items() if task.frame != frame}

    def due_in_s(self, task: Task, now: float) -> float:
        """Return when the result of a task is due; infinite when it is late, or nobody has begun it."""
        lease = self._leases.get(task)
        if lease is None:
            return math.inf
        late_s = (LATE_FACTOR - 1) * lease.macs * (self._pace.of_node(lease.holder) or 0.0)
        due = self.free_at(lease.holder, task)
        return math.inf if now > due + late_s else max(0.0, due - now)

    def free_at(self, holder: str, last: Task | None = None) -> float:
        """Return when a holder should be done with its tasks, or with those up to `last`; 0 if it has none."""
        due, pace = 0.0, self._pace.of_node(holder) or 0.0
        for task, lease in self._leases.items():
            if lease.holder == holder:
                due = max(due, lease.since) + lease.macs * pace
            if task == last:
                break
        return due
