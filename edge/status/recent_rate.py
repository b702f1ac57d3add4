"""Computes recent rates: tiles a second of a device, frames a second of a camera. Pure."""

from __future__ import annotations

from collections import deque

NODE_RATE_WINDOW_S = 10.0
"""Time that counts as recent: long enough for several frames on slow devices."""

MAX_SAMPLES = 100
"""Samples within that time; if there are more, the time is shorter."""


class RecentRate:
    """Rate of a counter over the last NODE_RATE_WINDOW_S. The caller gives the time, in monotonic seconds."""

    def __init__(self) -> None:
        self._counted: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    def rate_at(self, now: float, count: int) -> float:
        """Add a sample, the total `count` at `now`, and return the rate (1/s)."""
        self._counted.append((now, count))
        while len(self._counted) > 2 and now - self._counted[1][0] >= NODE_RATE_WINDOW_S:
            self._counted.popleft()
        begun, before = self._counted[0]
        return round(max(0, count - before) / (now - begun), 1) if now > begun else 0.0
