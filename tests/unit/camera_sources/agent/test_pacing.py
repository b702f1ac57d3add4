from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.agent.pacing import FramePacing


def wanted(fps, times):
    pace = FramePacing(fps)
    return [time for time in times if pace.wants(time)]


def test_without_a_limit_all_are_wanted():
    assert len(wanted(None, [0.0] * 9)) == 9


@pytest.mark.parametrize(("camera", "limit"), [(25, 10), (30, 7), (15, 15), (30, 1), (10, 20), (24, 23)])
def test_the_rate_is_kept_on_the_average(camera, limit):
    found = wanted(limit, [number / camera for number in range(20 * camera)])
    assert len(found) == pytest.approx(20 * min(camera, limit), abs=1 + 0.01 * 20 * limit)


def test_a_camera_that_is_a_little_early_is_not_halved():
    times = [number * 0.1 + (0.004 if number % 2 else -0.004) for number in range(100)]
    assert len(wanted(10, times)) == 100


def test_after_a_pause_there_is_no_burst():
    found = wanted(10, [0.0, *(5 + number / 100 for number in range(100))])
    assert len(found) <= 1 + 11


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=200), st.floats(0.5, 50))
def test_no_more_than_the_limit_ever(gaps, fps):
    times = [sum(gaps[: place + 1]) for place in range(len(gaps))]
    found = wanted(fps, times)
    assert found[0] == times[0]
    assert len(found) <= (times[-1] - times[0]) * fps + 2
