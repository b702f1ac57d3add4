"""Policies that choose the owner from which the next thief takes a task, pure.

Source of `round_robin`: paper, section III-B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An owner with tasks for this thief.

    `tasks`: their number; `epoch`: their plan; `frames`: the recent frames of each of its cameras, see FairShares.
    """

    owner: str
    tasks: int
    epoch: int = 0
    frames: float = 0.0


VictimPolicy = Callable[[Sequence[Candidate]], Candidate]
"""Chooses one of at least one candidate. They are sorted: the owner whose last grant is the oldest comes first."""


def fewest_frames(candidates: Sequence[Candidate]) -> Candidate:
    """Return the owner whose cameras got the fewest frames lately, so that all cameras get equally many."""
    return min(candidates, key=lambda candidate: candidate.frames)


def round_robin(candidates: Sequence[Candidate]) -> Candidate:
    """Return the first owner: owners take turns."""
    return candidates[0]


def longest_queue(candidates: Sequence[Candidate]) -> Candidate:
    """Return the owner with the most tasks; owners with equal numbers take turns."""
    return max(candidates, key=lambda candidate: candidate.tasks)


VICTIM_POLICIES: dict[str, VictimPolicy] = {
    "fewest-frames": fewest_frames,
    "round-robin": round_robin,
    "longest-queue": longest_queue,
}
