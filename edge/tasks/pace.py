"""The pace of nodes, pure: seconds for an operation, measured from results."""

from __future__ import annotations

from collections import deque
from statistics import median

PACE_TILES = 64
"""The longest tile and the pace of all nodes are taken from this many results: those of several frames."""

PACE_TILES_OF_NODE = 5
"""The pace of one node is taken from this many results."""


class NodePace:
    """Seconds that workers recently needed for a multiply-accumulate operation."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=PACE_TILES)
        self._all: deque[float] = deque(maxlen=PACE_TILES)
        self._by_worker: dict[str, deque[float]] = {}
        self._of_all: float | None = None
        self._medians: dict[str, float] = {}

    def add_result(self, worker: str, compute_s: float, macs: int) -> None:
        """Note that `worker` has computed a tile; one of unknown cost (0 `macs`) only counts for the longest tile."""
        self._seconds.append(compute_s)
        if macs:
            self._all.append(compute_s / macs)
            own = self._by_worker.setdefault(worker, deque(maxlen=PACE_TILES_OF_NODE))
            own.append(compute_s / macs)
            self._of_all, self._medians[worker] = median(self._all), median(own)  # they are asked for more often

    def forget_node(self, worker: str) -> None:
        """Forget the pace of a lost node."""
        self._by_worker.pop(worker, None)
        self._medians.pop(worker, None)

    @property
    def longest_s(self) -> float:
        """Return the duration of the longest recent tile; 0 before the first result."""
        return max(self._seconds, default=0.0)

    @property
    def of_all(self) -> float | None:
        """Return the median of all nodes; None before the first result."""
        return self._of_all

    def of_node(self, worker: str) -> float | None:
        """Return the median of one worker; that of all nodes before its first result."""
        return self.of_own(worker) or self.of_all

    def of_own(self, worker: str) -> float | None:
        """Return the median of one worker; None before its first result."""
        return self._medians.get(worker)
