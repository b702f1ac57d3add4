"""Help of now: tiles of the last seconds by owner and worker. Pure: the caller gives the time."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOW_WINDOW_S = 5.0
"""Help that is older is not shown as help of now."""

MAX_FLOW_FRAMES = 1024
"""Frames within the window, a hundred a second and more."""


class HelpFlows:
    """Counts the tiles of recent frames by owner and worker. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, str, Counter[str]]] = deque(maxlen=MAX_FLOW_FRAMES)

    def add(self, owner: str, workers: Mapping[int, str], now: float) -> None:
        """Add a frame: by tile, the node that computed it."""
        self._frames.append((now, owner, Counter(workers.values())))

    def current(self, now: float) -> list[tuple[str, str, float]]:
        """Return (owner, worker, tiles a second) of the window, in the order of names."""
        while self._frames and now - self._frames[0][0] > FLOW_WINDOW_S:
            self._frames.popleft()
        tiles: Counter[tuple[str, str]] = Counter()
        for _, owner, workers in self._frames:
            for worker, count in workers.items():
                tiles[owner, worker] += count
        return [(owner, worker, round(count / FLOW_WINDOW_S, 2)) for (owner, worker), count in sorted(tiles.items())]
