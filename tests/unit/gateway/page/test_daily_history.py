import pytest

from gateway.page.daily_history import KEPT_MINUTES, LATENCY_BOUNDS_S, MAX_MINUTE_LATENCIES, DailyHistory
from shared.payloads.frames import Outcome

NOON = 1_700_000_040.0 - 1_700_000_040.0 % 60


def test_a_minute_appears_when_it_has_ended():
    history = DailyHistory()
    for number in range(100):
        history.on_published("door", 50.0 + number, NOON + number / 2)
    history.on_dropped(Outcome.DEADLINE, NOON + 59)
    assert history.minutes(NOON + 59) == []
    (minute,) = history.minutes(NOON + 60)
    assert (minute.at, minute.published, minute.lost, minute.median_ms, minute.slow_ms) == (NOON, 100, 1, 100.0, 145.0)


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.REPLANNED, Outcome.STOPPED])
def test_a_frame_that_a_newer_one_replaced_is_not_lost(outcome):
    history = DailyHistory()
    history.on_dropped(outcome, NOON)
    assert history.minutes(NOON + 60)[0].lost == 0


def test_a_minute_without_frames_has_no_latency_and_is_no_gap():
    history = DailyHistory()
    history.on_published("door", 50.0, NOON)
    minutes = history.minutes(NOON + 180)
    assert [minute.at for minute in minutes] == [NOON, NOON + 60, NOON + 120]
    assert [minute.median_ms for minute in minutes] == [50.0, None, None]


def test_a_day_is_kept_and_no_more():
    history = DailyHistory()
    history.on_published("door", 50.0, NOON)
    minutes = history.minutes(NOON + 60 * (KEPT_MINUTES + 500))
    assert len(minutes) == KEPT_MINUTES
    assert all(minute.published == 0 for minute in minutes)


def test_a_clock_that_is_set_back_continues_the_minute():
    history = DailyHistory()
    history.on_published("door", 50.0, NOON)
    history.on_published("door", 50.0, NOON - 3600)
    assert history.minutes(NOON + 60)[0].published == 2


def test_memory_has_a_bound_within_a_minute():
    history = DailyHistory()
    for _ in range(MAX_MINUTE_LATENCIES + 10):
        history.on_published("door", 1.0, NOON)
    assert len(history._latencies) == MAX_MINUTE_LATENCIES
    assert history.minutes(NOON + 60)[0].published == MAX_MINUTE_LATENCIES + 10


def test_each_latency_is_in_the_first_bound_that_holds_it():
    history = DailyHistory()
    for latency in (25.0, 25.1, 10_000.0, 10_001.0):
        history.on_published("door", latency, NOON)
    counts = history.latencies()["door"]
    assert counts.counts == [1, 1, *[0] * (len(LATENCY_BOUNDS_S) - 3), 1, 1]
    assert counts.total == pytest.approx(20.0511)
