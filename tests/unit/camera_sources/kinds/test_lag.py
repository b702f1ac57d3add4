from __future__ import annotations

import pytest

from camera_sources.kinds.lag import StreamLag


def lateness(times, lag=None):
    """Of every picture, from (when it was read, its time in the stream)."""
    lag = lag or StreamLag()
    return [lag.lateness_s(now, position) for now, position in times]


def test_a_stream_that_is_read_as_it_comes_is_not_late_however_irregular():
    times = [(100 + n / 15 + (0.05 if n % 7 == 0 else 0), n / 15) for n in range(500)]
    assert max(lateness(times)) == pytest.approx(0.05, abs=0.01)


def test_a_device_that_reads_at_half_the_speed_is_ever_later():
    late = lateness([(100 + n / 7.5, n / 15) for n in range(150)])
    assert late[-1] == pytest.approx(149 / 15, abs=0.1)


def test_who_has_caught_up_is_not_late():
    times = [(100 + n / 15, n / 15) for n in range(30)] + [(105 + n / 100, 2 + n / 15) for n in range(60)]
    late = lateness(times)
    assert max(late) == pytest.approx(3, abs=0.1)
    assert late[-1] == pytest.approx(0, abs=0.5)


def test_a_clock_that_goes_a_little_wrong_makes_nothing_late():
    late = lateness([(n / 10, n / 10 * (1 - 1e-4)) for n in range(36000 * 3)])
    assert max(late) < 0.1


@pytest.mark.parametrize("jump_s", [-3600.0, -5.0, 5.0, 3600.0])
def test_a_camera_that_sets_its_clock_makes_nothing_late(jump_s):
    times = [(100 + n / 15, n / 15 + (jump_s if n >= 50 else 0)) for n in range(100)]
    assert max(lateness(times)) < 0.1


def test_a_stream_without_a_time_is_never_late():
    assert max(lateness([(100 + n / 15, 0.0) for n in range(500)])) < 0.1
