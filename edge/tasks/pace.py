"""How fast nodes compute tiles, pure: learnt from results."""

from __future__ import annotations

from collections import deque
from statistics import median

PACE_TILES = 64
"""How many results the longest tile, and the pace of all, are taken from: several frames' worth."""

PACE_TILES_OF_NODE = 8
"""The same for the pace of one node."""


class NodePace:
    """Seconds that workers need for a multiply-accumulate operation, as of late."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=PACE_TILES)
        self._all: deque[float] = deque(maxlen=PACE_TILES)
        self._by_worker: dict[str, deque[float]] = {}

    def add_result(self, worker: str, compute_s: float, macs: int) -> None:
        """`worker` has computed a tile; one of unknown `macs`, 0, only counts for its length."""
        self._seconds.append(compute_s)
        if macs:
            self._all.append(compute_s / macs)
            self._by_worker.setdefault(worker, deque(maxlen=PACE_TILES_OF_NODE)).append(compute_s / macs)

    def forget_node(self, worker: str) -> None:
        """It is gone."""
        self._by_worker.pop(worker, None)

    @property
    def longest_s(self) -> float:
        """The longest recent tile; 0 before the first."""
        return max(self._seconds, default=0.0)

    @property
    def of_all(self) -> float | None:
        """The median; None before the first result."""
        return median(self._all) if self._all else None

    def of_node(self, worker: str) -> float | None:
        """Of one worker; that of all while it has computed nothing."""
        own = self._by_worker.get(worker)
        return median(own) if own else self.of_all
