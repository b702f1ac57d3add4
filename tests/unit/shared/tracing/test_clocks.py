from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tracing.clocks import RoundTrip, align_clocks

offsets = st.floats(-1e5, 1e5)
delays = st.floats(0, 0.5)
ways = st.lists(st.tuples(delays, delays), min_size=1, max_size=12)


def trips(offset, ways):
    """Requests at 10, 11 ... by our clock, with these seconds there and back."""
    return [
        RoundTrip(10.0 + number, 10.0 + number + there + back, 10.0 + number + there + offset)
        for number, (there, back) in enumerate(ways)
    ]


@given(offsets, ways)
def test_the_offset_is_never_wrong_by_more_than_half_of_the_shortest_round_trip(offset, ways):
    found = align_clocks(trips(offset, ways))
    assert found.round_trip_s == pytest.approx(min(there + back for there, back in ways), abs=1e-8)
    assert abs(found.offset_s - offset) <= found.round_trip_s / 2 + 1e-8


@given(offsets, ways, st.floats(0, 1e-3))
def test_one_undisturbed_round_trip_is_enough(offset, ways, half):
    found = align_clocks(trips(offset, [*ways, (half, half)]))
    if found.round_trip_s == pytest.approx(2 * half, abs=1e-9) and all(there + back > 2.1e-3 for there, back in ways):
        assert found.offset_s == pytest.approx(offset, abs=1e-8)


@given(offsets, st.floats(0, 1e6))
def test_a_time_of_the_other_clock_is_that_of_ours_again(offset, at):
    clock = align_clocks(trips(offset, [(0.001, 0.001)]))
    assert clock.to_own(at + offset) == pytest.approx(at, abs=1e-6)


def test_without_a_round_trip_nothing_is_known():
    with pytest.raises(ValueError, match="empty"):
        align_clocks([])
