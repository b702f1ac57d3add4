"""Choosing the owner that the next thief takes from, pure: policies of one interface.

Source: paper, section III-B (the gateway serves owners round robin).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An owner with tasks for this thief, and how many."""

    owner: str
    tasks: int


VictimPolicy = Callable[[Sequence[Candidate]], Candidate]
"""Chooses among candidates, at least one, of which the one that was granted from longest ago comes first."""


def round_robin(candidates: Sequence[Candidate]) -> Candidate:
    """Owners take turns, so that thieves serve all cameras alike."""
    return candidates[0]


def longest_queue(candidates: Sequence[Candidate]) -> Candidate:
    """The owner with the most tasks; those with as many take turns."""
    return max(candidates, key=lambda candidate: candidate.tasks)


VICTIM_POLICIES: dict[str, VictimPolicy] = {"round-robin": round_robin, "longest-queue": longest_queue}
