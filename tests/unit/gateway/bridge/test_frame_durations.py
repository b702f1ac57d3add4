from __future__ import annotations

import pytest

from gateway.bridge.frame_durations import (
    FRAME_TIME_PERIOD_S,
    MAX_TIMED_FRAMES,
    MIN_TIMED_FRAMES,
    TIMED_FRAMES_TTL_S,
    FrameDurations,
)
from shared.payloads.bridge import FrameTime


def frame_time(total=100.0, **parts):
    zero = dict.fromkeys(FrameTime.model_fields, 0.0)
    return FrameTime(**{**zero, "total_ms": total, **parts})


@pytest.fixture
def durations():
    return FrameDurations()


def add(durations, *times, now):
    """So many frames of each of these times that they are reported."""
    for time in times:
        for _ in range(MIN_TIMED_FRAMES):
            durations.add(time, now)


def test_of_too_few_frames_nothing_is_reported(durations):
    assert durations.report(0.0) is None
    for _ in range(MIN_TIMED_FRAMES - 1):
        durations.add(frame_time(), 0.0)
    assert durations.report(0.0) is None
    durations.add(frame_time(), 0.0)
    assert durations.report(0.0) == frame_time()


def test_each_part_is_a_median(durations):
    add(
        durations,
        *(frame_time(total, waiting_ms=waiting) for total, waiting in ((100, 9), (110, 1), (500, 5))),
        now=0.0,
    )
    report = durations.report(1.0)
    assert (report.total_ms, report.waiting_ms, report.computing_ms) == (110, 5, 0)


def test_only_the_newest_frames_count(durations):
    for _ in range(MAX_TIMED_FRAMES):
        durations.add(frame_time(900), 0.0)
    for _ in range(MAX_TIMED_FRAMES):
        durations.add(frame_time(100), 1.0)
    assert durations.report(2.0).total_ms == 100


def test_a_small_change_is_not_reported_and_a_large_one_only_after_a_pause(durations):
    add(durations, frame_time(100, waiting_ms=50), now=0.0)
    before = durations.report(0.0)
    for _ in range(20):
        durations.add(frame_time(110, waiting_ms=60), 1.0)
    assert durations.report(FRAME_TIME_PERIOD_S) is before
    for _ in range(64):
        durations.add(frame_time(210, waiting_ms=150), 11.0)
    assert durations.report(FRAME_TIME_PERIOD_S).waiting_ms == 150
    for _ in range(64):
        durations.add(frame_time(100, waiting_ms=50), 12.0)
    assert durations.report(FRAME_TIME_PERIOD_S + 5).waiting_ms == 150
    assert durations.report(2 * FRAME_TIME_PERIOD_S).waiting_ms == 50


def test_a_change_from_one_part_to_another_is_reported_though_the_whole_is_the_same(durations):
    add(durations, frame_time(100, waiting_ms=80, computing_ms=20), now=0.0)
    durations.report(0.0)
    for _ in range(20):
        durations.add(frame_time(100, waiting_ms=20, computing_ms=80), 1.0)
    assert durations.report(FRAME_TIME_PERIOD_S).computing_ms == 80


def test_frames_of_long_ago_do_not_count(durations):
    add(durations, frame_time(), now=0.0)
    assert durations.report(TIMED_FRAMES_TTL_S) is not None
    assert durations.report(TIMED_FRAMES_TTL_S + 1) is None
    add(durations, frame_time(200), now=TIMED_FRAMES_TTL_S + 2)
    assert durations.report(TIMED_FRAMES_TTL_S + 2).total_ms == 200
