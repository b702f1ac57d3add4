"""The measured speeds of nodes, pure: results in, shares of the work for a biased partition out."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SPEED_RESULTS = 48
"""The latest results, whose median is a node's speed."""

MIN_SPEED_RESULTS = 8
"""With fewer results a node counts as fast as the others, because the first tiles of a process are slow."""

MIN_SHARE_CHANGE = 0.3
"""Relative change of a share that justifies another plan; less is within the noise of measurements."""


@dataclass(slots=True)
class NodeSpeeds:
    """Multiply-accumulate operations per second, by node."""

    _recent: dict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=MAX_SPEED_RESULTS))
    )

    def add_result(self, node: str, macs: int, compute_ms: float) -> None:
        """Note that a node has computed a tile; one of unknown cost (0 `macs`) is ignored."""
        if macs and compute_ms > 0:
            self._recent[node].append(macs * 1e3 / compute_ms)

    def speed_of(self, node: str) -> float | None:
        """Return operations per second; None before MIN_SPEED_RESULTS results."""
        recent = self._recent.get(node, ())
        return median(recent) if len(recent) >= MIN_SPEED_RESULTS else None

    def work_shares(self, nodes: Sequence[str]) -> tuple[float, ...]:
        """Return each node's share of the work; the sum is 1."""
        known = [speed for node in nodes if (speed := self.speed_of(node)) is not None]
        usual = fmean(known) if known else 1.0
        speeds = [self.speed_of(node) or usual for node in nodes]
        return tuple(speed / sum(speeds) for speed in speeds)


def shares_differ(after: Sequence[float], before: Sequence[float]) -> bool:
    """Return whether a share has changed by more than MIN_SHARE_CHANGE."""
    return len(after) != len(before) or any(
        abs(new - old) > MIN_SHARE_CHANGE * old for new, old in zip(after, before, strict=True)
    )
