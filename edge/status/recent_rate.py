"""How much is done a second, of late: tiles of a device, frames of a camera. Pure."""

from __future__ import annotations

from collections import deque

RATE_WINDOW_S = 10.0
"""What "of late" is: several frames' worth, on slow devices too."""

MAX_SAMPLES = 100
"""Counts within that time; where more of them come, the time is shorter."""


class RecentRate:
    """A count by second, of late. Time is monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._counted: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    def rate_at(self, now: float, count: int) -> float:
        """Return the rate when so much has been counted in all."""
        self._counted.append((now, count))
        while len(self._counted) > 2 and now - self._counted[1][0] >= RATE_WINDOW_S:
            self._counted.popleft()
        begun, before = self._counted[0]
        return round(max(0, count - before) / (now - begun), 1) if now > begun else 0.0
