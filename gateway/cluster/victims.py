"""Policies that choose the owner from which the next thief takes a task, pure.

Source: paper, section III-B (the gateway serves owners round robin).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An owner with tasks of a plan for this thief, and their number."""

    owner: str
    tasks: int
    epoch: int = 0


VictimPolicy = Callable[[Sequence[Candidate]], Candidate]
"""Chooses one of at least one candidate. They are sorted: the owner whose last grant is the oldest comes first."""


def round_robin(candidates: Sequence[Candidate]) -> Candidate:
    """Return the first owner: owners take turns, so that thieves serve all cameras equally."""
    return candidates[0]


def longest_queue(candidates: Sequence[Candidate]) -> Candidate:
    """Return the owner with the most tasks; owners with equal numbers take turns."""
    return max(candidates, key=lambda candidate: candidate.tasks)


VICTIM_POLICIES: dict[str, VictimPolicy] = {"round-robin": round_robin, "longest-queue": longest_queue}
