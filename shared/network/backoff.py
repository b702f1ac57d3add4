"""Growing pauses between attempts."""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff. Half of a pause is random, so that not all edges return to a restarted gateway at once."""

    def __init__(self, first_s: float = 0.2, longest_s: float = 15.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0

    def next_s(self) -> float:
        """Count one more failure and return the seconds to wait after it."""
        limit = min(self._longest_s, self._first_s * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return limit * (0.5 + random.random() / 2)  # noqa: S311  (nothing secret)

    def reset(self) -> None:
        """Start again with the first pause; call after a success."""
        self._failures = 0
