from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tasks.holding import FIRST_DELAY_S, FIRST_DELAY_SHARE, MAX_HOLD_S, MAX_SKIPPED, MIN_GAIN_SHARE, Holding

OWN_S = 1.0
FASTER = [0.2]


def skipped(holding):
    """The frames that are computed at once before the next one is held."""
    count = 0
    while not holding.hold_s(OWN_S, FASTER):
        count += 1
    return count


def test_a_frame_is_held_for_a_clearly_faster_helper():
    assert Holding().hold_s(0.15, [0.14, 0.05]) == pytest.approx(3 * FIRST_DELAY_S)


def test_a_slow_owner_which_is_slow_in_handing_over_holds_frames_longer():
    assert Holding().hold_s(OWN_S, FASTER) == pytest.approx(3 * FIRST_DELAY_SHARE * OWN_S)


@pytest.mark.parametrize(
    ("own_s", "helpers_s"),
    [(None, FASTER), (OWN_S, []), (OWN_S, [1.0]), (OWN_S, [5.0]), (OWN_S, [1 - MIN_GAIN_SHARE / 2]), (0.03, [0.01])],
    ids=["speed not known", "no helper", "as fast", "slower", "within the noise", "less than the way to it"],
)
def test_a_frame_is_computed_at_once_where_nothing_is_gained(own_s, helpers_s):
    assert Holding().hold_s(own_s, helpers_s) == 0.0


def test_a_helper_that_takes_frames_later_is_waited_for_longer():
    holding = Holding()
    holding.on_taken(0.03)
    assert holding.hold_s(OWN_S, FASTER) == pytest.approx(0.09)
    holding.on_taken(0.001)
    assert holding.hold_s(OWN_S, FASTER) == pytest.approx(0.09)


def test_frames_that_nobody_took_make_waiting_rare_and_one_that_was_taken_makes_it_usual_again():
    holding = Holding()
    misses = []
    for _ in range(9):
        misses.append(skipped(holding))
        holding.on_missed()
    assert misses == [0, 1, 2, 4, 8, 16, 32, MAX_SKIPPED, MAX_SKIPPED]
    skipped(holding)
    holding.on_taken(0.01)
    holding.on_missed()
    assert skipped(holding) == 1


seconds = st.floats(0, 1e6)
events = st.lists(st.none() | seconds, max_size=40)
"""Delays of frames that were taken; None for those that nobody took."""


@given(events, st.none() | seconds, st.lists(seconds, max_size=5))
def test_no_frame_is_held_longer_than_the_limit_or_than_what_is_gained(past, own_s, helpers_s):
    holding = Holding()
    for delay_s in past:
        if delay_s is None:
            holding.on_missed()
        else:
            holding.on_taken(delay_s)
    held_s = holding.hold_s(own_s, helpers_s)
    assert 0 <= held_s <= MAX_HOLD_S
    assert held_s <= max(0.0, (own_s or 0.0) - min(helpers_s, default=1e7))
