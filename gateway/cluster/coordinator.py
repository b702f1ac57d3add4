"""Matching idle edges with waiting tasks, pure: announcements and requests in, grants out.

Source: paper, section III-B (the gateway's list of edges with tasks). Past the paper: a request that finds no work is
parked until there is some, so nobody polls.
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
    waiting: int = 0
    overdue: int = 0
    near: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, int] = field(default_factory=dict)

    def count_for(self, thief: str) -> int:
        return max(0, self.waiting - self.unfit.get(thief, 0)) + self.near.get(thief, 0)

    def take_task(self, thief: str) -> None:
        if self.waiting:
            self.waiting -= 1
        elif self.near.get(thief):
            self.near[thief] -= 1
        else:
            self.overdue = max(0, self.overdue - 1)


@dataclass(slots=True)
class Coordinator:
    """Knows how many tasks wait at each owner, as far as it was told, and who asks for work.

    The counts are estimates: owners work on their queue too. A thief that finds nothing says so with its next request,
    and the owner is not granted again until it announces. Overdue tasks are for idle thieves only.
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
        """`owner` has so many tasks waiting now, so many more for idle nodes only, or for those that are `near`.

        So many of the waiting ones are not for the nodes in `unfit`. While some wait for itself, it asks for none.
        """
        queue = self._queues.setdefault(owner, _Queue())
        queue.waiting, queue.overdue, queue.near, queue.unfit = waiting, overdue, dict(near or {}), dict(unfit or {})
        if queue.count_for(owner):
            self._parked.pop(owner, None)
        return self._match()

    def on_request(self, thief: str, missed: str | None = None, *, idle: bool = True) -> list[Match]:
        """`thief` wants a task, as it is or soon will be `idle`. Its second request replaces its first."""
        if missed is not None and missed in self._queues:
            self._queues[missed] = _Queue()
        self._parked[thief] = idle
        return self._match()

    def forget_node(self, node: str) -> None:
        """Neither its tasks nor its request are there any more."""
        self._queues.pop(node, None)
        self._parked.pop(node, None)

    def withdraw_request(self, thief: str) -> None:
        """Forget the request of a node that may not have work any more."""
        self._parked.pop(thief, None)

    @property
    def parked(self) -> tuple[str, ...]:
        """Who waits for work, longest first."""
        return tuple(self._parked)

    def _match(self) -> list[Match]:
        matches = []
        for thief, idle in list(self._parked.items()):
            others = [(owner, queue) for owner, queue in self._queues.items() if owner != thief]
            candidates = [Candidate(owner, queue.count_for(thief)) for owner, queue in others if queue.count_for(thief)]
            if not candidates and idle:
                candidates = [Candidate(owner, queue.overdue) for owner, queue in others if queue.overdue]
            if not candidates:
                continue
            victim = self.policy(candidates).owner
            del self._parked[thief]
            queue = self._queues[victim] = self._queues.pop(victim)  # its next turn is after all others'
            queue.take_task(thief)
            matches.append(Match(thief, victim))
        return matches
