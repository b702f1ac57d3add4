from __future__ import annotations

import threading

import pytest

from camera_sources.camera_settings import CameraSettings
from camera_sources.kinds.inbox import PictureInbox
from camera_sources.kinds.mqtt_camera import MqttCamera
from shared.errors import ConfigurationError, SourceError


def test_the_newest_picture_wins_and_is_taken_once():
    inbox = PictureInbox()
    inbox.put_picture(1.0, b"older")
    inbox.put_picture(2.0, b"newer")
    assert inbox.take_picture(0) == (2.0, b"newer")
    assert inbox.take_picture(0) is None


def test_a_picture_that_came_before_the_end_is_taken_first():
    inbox = PictureInbox()
    inbox.put_picture(1.0, b"last")
    inbox.fail(SourceError("the broker closed the connection"))
    assert inbox.take_picture(0) == (1.0, b"last")
    with pytest.raises(SourceError, match="the broker closed"):
        inbox.take_picture(60)


def test_the_first_reason_is_kept():
    inbox = PictureInbox()
    inbox.fail(SourceError("wrong password"))
    inbox.fail(SourceError("the broker closed the connection"))
    with pytest.raises(SourceError, match="wrong password"):
        inbox.take_picture(0)


def test_who_waits_is_woken():
    inbox, found = PictureInbox(), []
    waiting = threading.Thread(target=lambda: found.append(inbox.take_picture(60)))
    waiting.start()
    inbox.put_picture(1.0, b"picture")
    waiting.join()
    assert found == [(1.0, b"picture")]


@pytest.mark.parametrize("url", ["mqtt://host", "mqtt://host/", "mqtt://host/cameras/+", "mqtt://host/cameras/#"])
def test_what_names_no_single_topic_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"write mqtt://host/topic"):
        MqttCamera(CameraSettings(source=url))
