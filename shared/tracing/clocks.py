"""Aligns the clocks of two devices by round trips: a request, and an answer that has the other clock. Pure.

Whatever the clocks and the way say, the true offset is within half of the round trip of what is computed here, because
the answer was made between the request and its arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class RoundTrip(NamedTuple):
    """One request: when it was sent and answered by the own clock, and the other clock in the answer. In seconds."""

    sent: float
    received: float
    other: float


class ClockOffset(NamedTuple):
    """The other clock is ahead of the own one by `offset_s`, exact to half of `round_trip_s`."""

    offset_s: float
    round_trip_s: float

    def to_own(self, other: float) -> float:
        """Return the own clock's time when the other showed `other`."""
        return other - self.offset_s


def align_clocks(trips: Iterable[RoundTrip]) -> ClockOffset:
    """Return the offset by the shortest round trip, which says most. Raises ValueError without one."""
    shortest = min(trips, key=lambda trip: trip.received - trip.sent)
    middle = (shortest.sent + shortest.received) / 2
    return ClockOffset(shortest.other - middle, shortest.received - shortest.sent)
