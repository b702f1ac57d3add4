"""The measured speeds of nodes, pure: results in, speeds and shares of the work out."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SPEED_RESULTS = 48
"""The speed of a node is the median of at most this many of its latest results."""

SPEED_MEMORY_S = 30.0
"""Older results do not count, because a hot device may become slower within a minute. MIN_SPEED_RESULTS always
count."""

MIN_SPEED_RESULTS = 8
"""With fewer results the speed is unknown, unless the node has measured it, because the first tiles are slow."""

MIN_SHARE_CHANGE = 0.3
"""Decrease of a node's speed, relative to the others, that justifies another plan; and the increase that reverses it. A
device that is too hot loses 40 %; changes of less than 15 % are noise of the measurement."""


@dataclass(slots=True)
class NodeSpeeds:
    """The speeds of nodes in multiply-accumulate operations per second, for one lane."""

    _recent: dict[str, deque[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=MAX_SPEED_RESULTS))
    )
    _trials: dict[str, float] = field(default_factory=dict)

    def add_result(self, node: str, macs: int, compute_ms: float, now: float) -> None:
        """Note that a node has computed a tile; 0 `macs`: the cost is unknown, it is ignored.

        `now`: monotonic seconds.
        """
        if macs and compute_ms > 0:
            recent = self._recent[node]
            recent.append((now, macs * 1e3 / compute_ms))
            while len(recent) > MIN_SPEED_RESULTS and recent[0][0] < now - SPEED_MEMORY_S:
                recent.popleft()

    def add_trial(self, node: str, macs_per_s: float) -> None:
        """Note the speed that a node has measured while it was idle (0: none). It replaces all earlier results."""
        if macs_per_s and macs_per_s != self._trials.get(node):
            self._trials[node] = macs_per_s
            self._recent.pop(node, None)

    def forget_node(self, node: str) -> None:
        """Forget a node that is gone: when it comes back, it measures itself again."""
        self._recent.pop(node, None)
        self._trials.pop(node, None)

    def speed_of(self, node: str) -> float | None:
        """Return a node's operations per second; None while they are unknown.

        With fewer than MIN_SPEED_RESULTS, the node's trial counts as one more result, so that a single slow result
        changes little.
        """
        speeds = [speed for _, speed in self._recent.get(node, ())]
        if len(speeds) < MIN_SPEED_RESULTS:
            tried = self._trials.get(node)
            if tried is None:
                return None
            speeds.append(tried)
        return median(speeds)

    def trial_of(self, node: str) -> float | None:
        """Return the operations per second that a node measured while it was idle; None if it did not."""
        return self._trials.get(node)

    def work_shares(self, nodes: Sequence[str]) -> tuple[float, ...]:
        """Return each node's share of the work; the sum is 1."""
        speeds = self._known_or_usual(nodes)
        return tuple(speed / sum(speeds) for speed in speeds)

    def device_speeds(self, nodes: Sequence[str], lanes_of: Callable[[str], int]) -> tuple[float, ...]:
        """Return the speed of each node with all of its lanes; for unknown nodes, with the mean speed of the others."""
        return tuple(speed * lanes_of(node) for node, speed in zip(nodes, self._known_or_usual(nodes), strict=True))

    def _known_or_usual(self, nodes: Sequence[str]) -> list[float]:
        known = [speed for node in nodes if (speed := self.speed_of(node)) is not None]
        usual = fmean(known) if known else 1.0
        return [self.speed_of(node) or usual for node in nodes]


def shares_differ(after: Sequence[float], before: Sequence[float]) -> bool:
    """Return whether any node's speed has changed by more than MIN_SHARE_CHANGE, relative to the sum of the others.

    The change is not measured by the node's share itself: when one of two equal nodes loses 40 % of its speed, its
    share falls only by 25 %.
    """
    if len(after) != len(before):
        return True
    ratios = [new * (1 - old) / (old * (1 - new)) for new, old in zip(after, before, strict=True) if max(new, old) < 1]
    return any(not 1 - MIN_SHARE_CHANGE <= ratio <= 1 / (1 - MIN_SHARE_CHANGE) for ratio in ratios)
