"""Aligns the clocks of two devices by round trips: a request, and an answer with the time of the other clock. Pure.

The error of the computed offset is at most half of the round trip, because the answer was made between the moment when
the request was sent and the moment when the answer arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class RoundTrip(NamedTuple):
    """The seconds of one request: `sent` and `received` (the answer) by the own clock, `other` by the other clock."""

    sent: float
    received: float
    other: float


class ClockOffset(NamedTuple):
    """The time by which the other clock is ahead of the own one; its error is at most half of `round_trip_s`."""

    offset_s: float
    round_trip_s: float

    def to_own(self, other: float) -> float:
        """Return the own clock's time when the other showed `other`."""
        return other - self.offset_s


def align_clocks(trips: Iterable[RoundTrip]) -> ClockOffset:
    """Return the offset by the shortest round trip, which is the most exact. Raises ValueError without a round trip."""
    shortest = min(trips, key=lambda trip: trip.received - trip.sent)
    middle = (shortest.sent + shortest.received) / 2
    return ClockOffset(shortest.other - middle, shortest.received - shortest.sent)
