"""Decides how long an owner leaves a whole frame to a faster helper before it computes the frame itself. Pure.

A helper that is idle takes a waiting frame within some milliseconds. If it is faster than the owner, and the transfer
is short, the frame ends sooner there. Waiting in vain costs time, so it is limited to what may be gained, and tried
less often after it was in vain.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_DELAY_S = 0.02
"""Assumed time until a helper takes a waiting frame, before the first one has."""

FIRST_DELAY_SHARE = 0.1
"""The same, as a part of the owner's own time: a slow owner also takes longer to hand a frame over."""

MAX_HOLD_S = 0.5
"""Longer waits are not worth trying: a helper that takes so long is busy."""

MIN_GAIN_SHARE = 0.1
"""The part of the owner's own time that must be gained: less is within the noise of measurements."""

MAX_SKIPPED = 64
"""The most frames that are not held after frames that nobody took."""

_DELAYS = 16
"""Recent delays; the longest of them is expected."""


class Holding:
    """Remembers how soon helpers took frames that were held for them."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        self._skip = 0
        self._next_skip = 1

    def hold_s(self, own_s: float | None, helpers_s: Iterable[float]) -> float:
        """Return how long to hold the next frame, in seconds; 0 to compute it at once.

        `own_s`: what this node needs for a frame, None before the first one; `helpers_s`: what each idle helper needs,
        its transfer included.
        """
        fastest = min(helpers_s, default=None)
        if own_s is None or fastest is None:
            return 0.0
        gain = own_s - fastest
        first_s = max(FIRST_DELAY_S, FIRST_DELAY_SHARE * own_s)
        expected = 1.5 * max(self._delays, default=first_s)
        if gain < max(MIN_GAIN_SHARE * own_s, expected):
            return 0.0
        if self._skip:
            self._skip -= 1
            return 0.0
        return min(gain, 2 * expected, MAX_HOLD_S)

    def on_taken(self, delay_s: float) -> None:
        """Note that a helper took a held frame after this time."""
        self._delays.append(delay_s)
        self._next_skip = 1

    def on_missed(self) -> None:
        """Note that nobody took a held frame in time."""
        self._skip = self._next_skip
        self._next_skip = min(MAX_SKIPPED, 2 * self._next_skip)
