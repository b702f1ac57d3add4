"""Matching idle edges with waiting tasks, pure: announcements and requests in, grants out.

Source: paper, section III-B (the gateway's list of edges with tasks, served round robin). Past the paper: a request
that finds no work is parked until there is some, so nobody polls.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Match:
    """`thief` may take one task from `victim`."""

    thief: str
    victim: str


@dataclass(slots=True)
class Coordinator:
    """Knows how many tasks wait at each owner, as far as it was told, and who asks for work.

    Owners take turns: the one that was granted from longest ago is the next victim.

    The count is an estimate: owners work on their queue too. A thief that finds nothing says so with its next
    request, and the owner is not granted again until it announces.
    """

    _waiting: dict[str, int] = field(default_factory=dict)
    _parked: dict[str, None] = field(default_factory=dict)

    def announce(self, owner: str, waiting: int) -> list[Match]:
        """`owner` has so many tasks waiting now; while it has its own, it asks for none."""
        self._waiting[owner] = waiting
        if waiting:
            self._parked.pop(owner, None)
        return self._match()

    def request(self, thief: str, missed: str | None = None) -> list[Match]:
        """`thief` has nothing to do. A second request of the same thief replaces its first."""
        if missed is not None and missed in self._waiting:
            self._waiting[missed] = 0
        self._parked[thief] = None
        return self._match()

    def node_lost(self, node: str) -> None:
        """Neither its tasks nor its request are there any more."""
        self._waiting.pop(node, None)
        self._parked.pop(node, None)

    @property
    def parked(self) -> tuple[str, ...]:
        """Who waits for work, longest first."""
        return tuple(self._parked)

    def _match(self) -> list[Match]:
        matches = []
        for thief in list(self._parked):
            victim = next((owner for owner, waiting in self._waiting.items() if waiting and owner != thief), None)
            if victim is not None:
                del self._parked[thief]
                self._waiting[victim] = self._waiting.pop(victim) - 1  # its next turn is after all others'
                matches.append(Match(thief, victim))
        return matches
