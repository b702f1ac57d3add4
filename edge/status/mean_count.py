"""Means of a number over time, pure. Time is monotonic seconds, given by the caller."""

from __future__ import annotations


class MeanCount:
    """A number that changes at known times, and its mean since it was last taken."""

    def __init__(self, now: float) -> None:
        self._count = 0
        self._area = 0.0
        self._since = self._changed_at = now

    def change(self, count: int, now: float) -> None:
        """Note the number from now on."""
        self._area += self._count * (now - self._changed_at)
        self._count, self._changed_at = count, now

    def take_mean(self, now: float) -> float:
        """Return the mean since the last call, and begin anew."""
        self.change(self._count, now)
        mean = self._area / (now - self._since) if now > self._since else float(self._count)
        self._area, self._since = 0.0, now
        return mean
