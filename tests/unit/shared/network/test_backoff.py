from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.network.backoff import Backoff


@given(st.floats(0.01, 1), st.floats(1, 60), st.integers(1, 40))
def test_waits_double_up_to_the_longest_and_are_shortened_by_half_at_most(first, longest, failures):
    backoff = Backoff(first, longest)
    for failure in range(failures):
        limit = min(longest, first * 2.0**failure)
        assert limit / 2 <= backoff.next_s() <= limit


def test_after_very_many_failures_waits_stay_at_the_longest():
    backoff = Backoff(0.1, 5.0)
    waits = [backoff.next_s() for _ in range(5000)]
    assert max(waits) <= 5.0
    assert min(waits[10:]) >= 2.5


def test_a_success_begins_again():
    backoff = Backoff(0.1, 100.0)
    for _ in range(8):
        backoff.next_s()
    assert backoff.next_s() > 1
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_two_that_failed_together_do_not_return_together():
    one, other = Backoff(), Backoff()
    assert [one.next_s() for _ in range(8)] != [other.next_s() for _ in range(8)]
