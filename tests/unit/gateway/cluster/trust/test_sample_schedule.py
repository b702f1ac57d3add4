from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.trust.sample_schedule import FIRST_CHECK_S, SampleSchedule


def checks(schedule, cost_s, seconds, *, suspected=False):
    """Return the times of the checks of so many seconds, one frame comes each second."""
    begun, now = [], 0.0
    while now < seconds:
        if schedule.is_due(now, suspected=suspected):
            begun.append(now)
            schedule.on_checked(now, now + cost_s)
            now += cost_s
        now += 1.0
    return begun


@given(st.floats(0.001, 0.2), st.floats(0.1, 100), st.integers(0, 2**32))
def test_checks_take_their_share_of_the_time_at_most(share, cost_s, seed):
    seconds = 2000 * cost_s / share
    begun = checks(SampleSchedule(share, 0.0, random.Random(seed).uniform), cost_s, min(seconds, 50_000))
    assert len(begun) * cost_s <= share * min(seconds, 50_000) * 1.3 + 20 * cost_s


def test_the_time_of_a_check_follows_from_nothing_that_a_node_sees():
    times = {tuple(checks(SampleSchedule(0.01, 0.0), 1.0, 2000)) for _ in range(20)}
    assert len(times) == 20
    pauses = [after - before for one in times for before, after in pairwise(one)]
    assert min(pauses) < 40
    assert max(pauses) > 160


def test_without_a_share_there_are_no_checks():
    schedule = SampleSchedule(0.0, 0.0)
    assert not any(schedule.is_due(now, suspected=True) for now in (0.0, 1e3, 1e9))


@pytest.mark.parametrize("highest", [True, False])
def test_the_first_check_comes_within_two_minutes_by_default(highest):
    schedule = SampleSchedule(0.01, 0.0, lambda low, high: high if highest else low)
    assert schedule.is_due(2 * FIRST_CHECK_S / 0.01)
    assert schedule.is_due(0.0) != highest


def test_frames_of_a_node_on_probation_are_checked_ten_times_as_often():
    def counted(*, suspected):
        return len(checks(SampleSchedule(0.01, 0.0, random.Random(1).uniform), 1.0, 20_000, suspected=suspected))

    assert counted(suspected=True) > 5 * counted(suspected=False)
