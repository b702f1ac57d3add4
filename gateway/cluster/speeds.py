"""How fast nodes compute, pure: results in, and out the shares that a biased partition gives them."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SPEED_RESULTS = 48
"""Results that a node's speed is taken from."""

MIN_SPEED_RESULTS = 8
"""With fewer, a node is taken to be like the others: the first tiles of a process are slow."""

MIN_SHARE_CHANGE = 0.3
"""Shares that differ by less are left as they are; measurements do."""


@dataclass(slots=True)
class NodeSpeeds:
    """Multiply-accumulate operations per second, by node."""

    _recent: dict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=MAX_SPEED_RESULTS))
    )

    def add_result(self, node: str, macs: int, compute_ms: float) -> None:
        """A node has computed something."""
        if macs and compute_ms > 0:
            self._recent[node].append(macs * 1e3 / compute_ms)

    def speed_of(self, node: str) -> float | None:
        """Operations per second; None while too little was seen."""
        recent = self._recent.get(node, ())
        return median(recent) if len(recent) >= MIN_SPEED_RESULTS else None

    def work_shares(self, nodes: Sequence[str]) -> tuple[float, ...]:
        """What part of the work each node should have; together 1."""
        known = [speed for node in nodes if (speed := self.speed_of(node)) is not None]
        usual = fmean(known) if known else 1.0
        speeds = [self.speed_of(node) or usual for node in nodes]
        return tuple(speed / sum(speeds) for speed in speeds)


def shares_differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether some share has changed noticeably."""
    return len(one) != len(other) or any(abs(a - b) > MIN_SHARE_CHANGE * b for a, b in zip(one, other, strict=True))
