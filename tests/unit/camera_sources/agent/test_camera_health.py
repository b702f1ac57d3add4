from __future__ import annotations

import pytest

from camera_sources.agent.camera_health import CONNECTING, CameraHealth
from shared.payloads.cluster import MAX_REASON_LENGTH, State


def test_a_camera_that_has_given_nothing_yet_is_offline_because_it_connects():
    condition = CameraHealth(30).condition(0.0)
    assert (condition.state, condition.reason) == (State.OFFLINE, CONNECTING)


def test_a_picture_makes_it_online_with_its_size():
    health = CameraHealth(30)
    health.on_picture(1.0, (48, 64))
    health.on_picture(1.1, None)
    condition = health.condition(1.2)
    assert (condition.state, condition.reason, condition.width, condition.height) == (State.ONLINE, "", 64, 48)


def test_the_rate_is_that_of_late():
    health = CameraHealth(30)
    for number in range(100):
        health.on_picture(number / 10, None)
    assert health.condition(9.9).fps == pytest.approx(10, rel=0.05)


def test_the_rate_falls_while_nothing_comes():
    health = CameraHealth(30)
    for number in range(51):
        health.on_picture(number / 10, None)
    assert health.condition(15.0).fps < 5


def test_a_pause_says_nothing_about_the_rate():
    health = CameraHealth(2)
    for number in range(11):
        health.on_picture(number / 10, None)
    for number in range(11):
        health.on_picture(60 + number / 10, None)
    assert health.condition(61.0).fps == pytest.approx(10, rel=0.05)


def test_without_pictures_it_is_offline_after_its_stale_time_and_not_before():
    health = CameraHealth(3)
    health.on_picture(1.0, (48, 64))
    assert health.condition(3.9).state is State.ONLINE
    condition = health.condition(4.1)
    assert (condition.state, condition.reason) == (State.OFFLINE, "no picture for 3 s")
    assert (condition.fps, condition.width, condition.height) == (0, 0, 0)


def test_a_short_failure_is_no_absence():
    health = CameraHealth(3)
    health.on_picture(1.0, (48, 64))
    health.on_failure("the stream ended")
    assert health.condition(2.0).state is State.ONLINE
    health.on_picture(3.0, (48, 64))
    assert health.condition(5.9).state is State.ONLINE


def test_a_camera_that_fails_again_without_a_picture_between_is_offline_at_once():
    health = CameraHealth(30)
    health.on_picture(1.0, (48, 64))
    health.on_failure("the stream ended")
    health.on_failure("not reachable: connection refused")
    condition = health.condition(2.0)
    assert (condition.state, condition.reason) == (State.OFFLINE, "not reachable: connection refused")
    health.on_picture(3.0, (48, 64))
    health.on_failure("the stream ended")
    assert health.condition(3.1).state is State.ONLINE


def test_what_is_wrong_with_a_camera_that_is_online_is_told_until_it_is_over():
    health = CameraHealth(30)
    health.on_picture(1.0, (48, 64))
    health.set_remark("frozen", "the same picture")
    health.set_remark("late", "4 s behind")
    assert health.condition(1.1).reason == "the same picture; 4 s behind"
    assert health.condition(1.1).state is State.ONLINE
    health.set_remark("frozen", "")
    health.set_remark("late", "")
    assert health.condition(1.1).reason == ""


def test_a_broken_picture_is_the_reason_if_none_follows():
    health = CameraHealth(3)
    health.on_broken_picture("the data is not a picture")
    assert health.condition(0.0).reason == "the data is not a picture"
    health.on_picture(1.0, (48, 64))
    assert health.condition(4.1).reason == "no picture for 3 s"


def test_pictures_that_nobody_decoded_do_not_speak_for_one_that_could_not_be():
    health = CameraHealth(3)
    health.on_broken_picture("the data is not a picture")
    health.on_picture(1.0, None)
    condition = health.condition(1.1)
    assert (condition.state, condition.reason) == (State.OFFLINE, "the data is not a picture")
    health.on_picture(2.0, (48, 64))
    health.on_picture(2.1, None)
    assert health.condition(4.9).state is State.ONLINE
    health.on_broken_picture("the data is not a picture")
    for number in range(40):
        health.on_picture(5 + number / 10, None)
    condition = health.condition(9.0)
    assert (condition.state, condition.reason) == (State.OFFLINE, "the data is not a picture")


def test_the_reason_is_that_of_the_last_failure():
    health = CameraHealth(3)
    health.on_picture(1.0, (48, 64))
    health.on_failure("the stream ended")
    health.on_failure("wrong password")
    assert health.condition(4.1).reason == "wrong password"
    health.on_picture(5.0, (48, 64))
    assert health.condition(8.1).reason == "no picture for 3 s"


def test_a_reason_fits_its_message():
    health = CameraHealth(3)
    health.on_failure("x" * 1000)
    assert len(health.condition(0.0).reason) == MAX_REASON_LENGTH


def test_a_recording_that_waits_for_its_reader_is_not_stale_until_it_fails():
    health = CameraHealth(3)
    health.on_opened(live=False)
    health.on_picture(1.0, (48, 64))
    assert health.condition(1000.0).state is State.ONLINE
    health.on_failure("the disk is gone")
    condition = health.condition(1000.0)
    assert (condition.state, condition.reason) == (State.OFFLINE, "the disk is gone")
