from __future__ import annotations

from gateway.observation.tracking.intervals import Intervals


def intervals(*times):
    measured = Intervals()
    for at in times:
        measured.frame(at)
    return measured


def test_nothing_is_known_before_the_second_frame():
    assert intervals().usual_s == intervals(5.0).usual_s == 0.0


def test_dropped_frames_do_not_make_a_camera_slow():
    assert intervals(0, 2, 4, 10, 12, 20).usual_s == 2


def test_a_camera_that_has_become_slow_is_known_after_some_frames():
    assert intervals(0, 0.5, 1, 11, 21, 31, 41, 51).usual_s == 10


def test_a_camera_that_has_become_fast_is_known_at_once():
    assert intervals(0, 30, 60, 60.5).usual_s == 0.5
