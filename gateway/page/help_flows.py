"""Counts which devices have helped which in the last seconds: tiles by owner and worker.

Pure: the caller gives times.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOW_WINDOW_S = 5.0
"""The time over which tiles are counted; older help is not shown."""

MAX_FLOW_FRAMES = 1024
"""Frames within the window that are counted: some two hundred a second."""


class HelpFlows:
    """Counts the tiles of recent frames by owner and worker. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, str, Counter[str]]] = deque(maxlen=MAX_FLOW_FRAMES)

    def add(self, owner: str, workers: Mapping[int, str], now: float) -> None:
        """Add a frame of an owner; `workers` are the nodes that computed its tiles, by tile."""
        self._frames.append((now, owner, Counter(workers.values())))

    def current(self, now: float) -> list[tuple[str, str, float]]:
        """Return (owner, worker, tiles per second) within the window, sorted by names."""
        while self._frames and now - self._frames[0][0] > FLOW_WINDOW_S:
            self._frames.popleft()
        tiles: Counter[tuple[str, str]] = Counter()
        for _, owner, workers in self._frames:
            for worker, count in workers.items():
                tiles[owner, worker] += count
        return [(owner, worker, round(count / FLOW_WINDOW_S, 2)) for (owner, worker), count in sorted(tiles.items())]
