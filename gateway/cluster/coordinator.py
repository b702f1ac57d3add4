"""Matches idle edges with waiting tasks, pure: announcements and requests in, grants out.

Source: paper, section III-B (the gateway's list of edges with tasks). Beyond the paper: a request that finds no work is
parked until there is some, so that no edge polls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.cluster.victims import Candidate, VictimPolicy, round_robin

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Match:
    """`thief` may take one task from `victim`."""

    thief: str
    victim: str


@dataclass(slots=True)
class _Queue:
    """The last announcement of one owner, less the tasks granted since."""

    waiting: int = 0
    overdue: int = 0
    near: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, int] = field(default_factory=dict)

    def count_for(self, thief: str) -> int:
        """Return how many tasks a thief may take now, whether it is idle or not."""
        return max(0, self.waiting - self.unfit.get(thief, 0)) + self.near.get(thief, 0)

    def take_task(self, thief: str) -> None:
        """Count one task less: of those that the thief may take, the most general kind first."""
        if self.waiting:
            self.waiting -= 1
        elif self.near.get(thief):
            self.near[thief] -= 1
        else:
            self.overdue = max(0, self.overdue - 1)


@dataclass(slots=True)
class Coordinator:
    """Matches parked requests with announced tasks.

    The counts are estimates, because owners also work on their own queues. A thief that finds nothing names the owner
    as `missed` in its next request; no tasks of this owner are granted then until it announces again. Overdue tasks
    are for idle thieves only.
    """

    policy: VictimPolicy = round_robin
    _queues: dict[str, _Queue] = field(default_factory=dict)
    _parked: dict[str, bool] = field(default_factory=dict)

    def on_announcement(
        self,
        owner: str,
        waiting: int,
        overdue: int = 0,
        near: Mapping[str, int] | None = None,
        unfit: Mapping[str, int] | None = None,
    ) -> list[Match]:
        """Replace an owner's counts; return the grants that are possible now.

        `waiting`: tasks for any node; `overdue`: further ones for idle nodes; `near`: further ones for single nodes;
        `unfit`: by node, how many of the waiting ones it cannot compute. An owner with tasks for itself needs no
        others, so its own request is withdrawn.
        """
        queue = self._queues.setdefault(owner, _Queue())
        queue.waiting, queue.overdue, queue.near, queue.unfit = waiting, overdue, dict(near or {}), dict(unfit or {})
        if queue.count_for(owner):
            self._parked.pop(owner, None)
        return self._match()

    def on_request(self, thief: str, missed: str | None = None, *, idle: bool = True) -> list[Match]:
        """Park a request; return the grants that are possible now. A node's second request replaces its first.

        `missed` is the owner where the node last found nothing. `idle`: the node has nothing to do, not just soon.
        """
        if missed is not None and missed in self._queues:
            self._queues[missed] = _Queue()  # its counts are outdated: otherwise the same grant would follow at once
        self._parked[thief] = idle
        return self._match()

    def forget_node(self, node: str) -> None:
        """Remove a node's tasks and its request."""
        self._queues.pop(node, None)
        self._parked.pop(node, None)

    def withdraw_request(self, thief: str) -> None:
        """Remove the request of a node that may not get work any more."""
        self._parked.pop(thief, None)

    def _match(self) -> list[Match]:
        """Serve parked requests, oldest first, as far as there are tasks for them."""
        matches = []
        for thief, idle in list(self._parked.items()):
            others = [(owner, queue) for owner, queue in self._queues.items() if owner != thief]
            candidates = [Candidate(owner, queue.count_for(thief)) for owner, queue in others if queue.count_for(thief)]
            if not candidates and idle:  # overdue tasks are costly: the node must recompute whole halos
                candidates = [Candidate(owner, queue.overdue) for owner, queue in others if queue.overdue]
            if not candidates:
                continue
            victim = self.policy(candidates).owner
            del self._parked[thief]
            # Moved to the end of the dictionary, whose order is the one in which policies see the owners: this makes
            # round robin fair. The dictionary may change here, because `others` is a list.
            queue = self._queues[victim] = self._queues.pop(victim)
            queue.take_task(thief)
            matches.append(Match(thief, victim))
        return matches
