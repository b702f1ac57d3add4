from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.status.mean_count import MeanCount


def test_a_mean_is_weighted_by_time_and_begins_anew_when_it_is_taken():
    count = MeanCount(10.0)
    count.change(4, 11.0)
    count.change(0, 11.5)
    assert count.take_mean(12.0) == pytest.approx(1.0)
    count.change(2, 13.0)
    assert count.take_mean(14.0) == pytest.approx(1.0)
    assert count.take_mean(15.0) == 2.0


def test_a_mean_of_no_time_is_the_number_now():
    count = MeanCount(10.0)
    count.change(3, 10.0)
    assert count.take_mean(10.0) == 3.0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0.01, 10)), min_size=1))
def test_a_mean_is_never_outside_of_the_numbers(changes):
    count, now = MeanCount(0.0), 0.0
    for number, lasts_s in changes:
        count.change(number, now)
        now += lasts_s
    numbers = [number for number, _ in changes]
    assert min(numbers) - 1e-6 <= count.take_mean(now) <= max(numbers) + 1e-6
