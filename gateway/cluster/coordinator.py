"""Matches idle edges with waiting tasks, pure: announcements and requests in, grants out.

Source: paper, section III-B (the gateway's list of edges with tasks). Beyond the paper: a request that finds no work is
parked until there is some, so that no edge polls; and a task may be limited to nodes that are fast enough for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.cluster.victims import Candidate, VictimPolicy, round_robin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QueueKey = tuple[str, int]
"""An owner, and the epoch of a plan: an owner has a queue for each plan."""


@dataclass(frozen=True, slots=True)
class Match:
    """`thief` may take one task of a plan from `victim`."""

    thief: str
    victim: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class _Request:
    """A parked request. `idle`: the node has nothing to do now (not only soon); `epochs`: the plans it is ready for."""

    idle: bool
    epochs: tuple[int, ...]


@dataclass(slots=True)
class _Queue:
    """The last announcement of one owner for one plan, less the tasks granted since. Fields as in `on_announcement`."""

    waiting: int = 0
    overdue: int = 0
    near: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, int] = field(default_factory=dict)
    within_s: float = math.inf

    def count_for(self, thief: str) -> int:
        """Return the number of tasks that a thief may take; `overdue` tasks do not count."""
        return max(0, self.waiting - self.unfit.get(thief, 0)) + self.near.get(thief, 0)

    def take_task(self, thief: str) -> None:
        """Count one task less, of the first kind that has some: waiting, near to the thief, overdue."""
        if self.waiting:
            self.waiting -= 1
        elif self.near.get(thief):
            self.near[thief] -= 1
        else:
            self.overdue = max(0, self.overdue - 1)


@dataclass(slots=True)
class Coordinator:
    """Matches parked requests with announced tasks.

    The counts are estimates, because owners also work on their own queues. A thief that found nothing at an owner names
    it as `missed` in its next request; then no tasks of this owner are granted until it announces again. Overdue tasks
    are for idle thieves only.

    `seconds_of(node, epoch, owner)` returns the seconds that a node needs for a whole frame of a plan; with an owner,
    the transfer from it is included; 0 if the time is not known. Of several idle nodes, the fastest gets a whole frame.
    `frames_of(owner)` returns the recent frames of each camera of an owner, see Candidate.
    """

    policy: VictimPolicy = round_robin
    seconds_of: Callable[[str, int, str | None], float] = lambda *_: 0.0
    frames_of: Callable[[str], float] = lambda _: 0.0
    _queues: dict[QueueKey, _Queue] = field(default_factory=dict)
    _parked: dict[str, _Request] = field(default_factory=dict)

    def on_announcement(
        self,
        owner: str,
        waiting: int,
        overdue: int = 0,
        near: Mapping[str, int] | None = None,
        unfit: Mapping[str, int] | None = None,
        *,
        epoch: int = 0,
        within_s: float = math.inf,
    ) -> list[Match]:
        """Replace an owner's counts for a plan; return the grants that are possible now.

        `waiting`: number of tasks for any node; `overdue`: further tasks for idle nodes; `near`: further tasks for
        single nodes, by node; `unfit`: by node, how many of the waiting tasks it cannot compute; `within_s`: all tasks
        are only for nodes that need less time for one. An owner that has tasks for itself needs no others, so its own
        request is withdrawn.
        """
        queue = self._queues.setdefault((owner, epoch), _Queue())
        queue.waiting, queue.overdue, queue.near, queue.unfit = waiting, overdue, dict(near or {}), dict(unfit or {})
        queue.within_s = within_s
        if queue.count_for(owner):
            self._parked.pop(owner, None)
        return self._match()

    def on_request(
        self, thief: str, missed: str | None = None, *, idle: bool = True, epochs: tuple[int, ...] = (0,)
    ) -> list[Match]:
        """Park a request; return the grants that are possible now. A node's new request replaces its last one.

        `missed` is the owner at which the node has just found nothing. `idle`: the node has nothing to do now, not only
        soon. `epochs`: the plans that it is ready for.
        """
        for key in [key for key in self._queues if key[0] == missed]:
            self._queues[key] = _Queue()  # the counts are outdated; with them, the same grant would follow at once
        self._parked[thief] = _Request(idle, epochs)
        return self._match()

    def forget_node(self, node: str) -> None:
        """Remove a node's tasks and its request."""
        for key in [key for key in self._queues if key[0] == node]:
            del self._queues[key]
        self._parked.pop(node, None)

    def forget_plan(self, epoch: int) -> None:
        """Remove the tasks of a plan that is not followed any more."""
        for key in [key for key in self._queues if key[1] == epoch]:
            del self._queues[key]

    def withdraw_request(self, thief: str) -> None:
        """Remove the request of a node that may not get work any more."""
        self._parked.pop(thief, None)

    def idle_nodes(self, epoch: int) -> tuple[str, ...]:
        """Return the nodes that have nothing to do and are ready for a plan."""
        return tuple(node for node, request in self._parked.items() if request.idle and epoch in request.epochs)

    def _match(self) -> list[Match]:
        """Serve parked requests, oldest first, as far as there are tasks for them."""
        matches = []
        for thief, request in self._by_speed():
            others = [(key, queue) for key, queue in self._queues.items() if self._may_serve(thief, request, key)]
            candidates = [self._candidate(key, count) for key, queue in others if (count := queue.count_for(thief))]
            if not candidates and request.idle:  # overdue tasks come last: the node must compute their whole halos
                candidates = [self._candidate(key, queue.overdue) for key, queue in others if queue.overdue]
            if not candidates:
                continue
            chosen = self.policy(candidates)
            key = chosen.owner, chosen.epoch
            del self._parked[thief]
            # The owner goes to the end of the dictionary. Policies see owners in its order, so round robin is fair.
            # The dictionary may be changed here, because `others` is a list.
            queue = self._queues[key] = self._queues.pop(key)
            queue.take_task(thief)
            matches.append(Match(thief, *key))
        return matches

    def _candidate(self, key: QueueKey, tasks: int) -> Candidate:
        owner, epoch = key
        return Candidate(owner, tasks, epoch, self.frames_of(owner))

    def _by_speed(self) -> list[tuple[str, _Request]]:
        """Return the parked requests, those of faster nodes first; oldest first among equals."""
        # The maximum over the plans is the time for a whole frame, because that for plans of tiles is 0.
        return sorted(
            self._parked.items(),
            key=lambda item: max(self.seconds_of(item[0], epoch, None) for epoch in item[1].epochs),
        )

    def _may_serve(self, thief: str, request: _Request, key: QueueKey) -> bool:
        owner, epoch = key
        if owner == thief or epoch not in request.epochs:
            return False
        return self.seconds_of(thief, epoch, owner) < self._queues[key].within_s
