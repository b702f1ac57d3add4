from __future__ import annotations

import threading

import pytest

from camera_sources.camera_settings import CameraSettings
from camera_sources.kinds.inbox import Inbox
from camera_sources.kinds.mqtt_camera import MqttCamera
from shared.errors import ConfigurationError, SourceError


def test_the_newest_picture_wins_and_is_taken_once():
    inbox = Inbox()
    inbox.put(1.0, b"older")
    inbox.put(2.0, b"newer")
    assert inbox.take(0) == (2.0, b"newer")
    assert inbox.take(0) is None


def test_a_picture_that_came_before_the_end_is_taken_first():
    inbox = Inbox()
    inbox.put(1.0, b"last")
    inbox.end(SourceError("the broker closed the connection"))
    assert inbox.take(0) == (1.0, b"last")
    with pytest.raises(SourceError, match="the broker closed"):
        inbox.take(60)


def test_the_first_reason_is_kept():
    inbox = Inbox()
    inbox.end(SourceError("wrong password"))
    inbox.end(SourceError("the broker closed the connection"))
    with pytest.raises(SourceError, match="wrong password"):
        inbox.take(0)


def test_who_waits_is_woken():
    inbox, found = Inbox(), []
    waiting = threading.Thread(target=lambda: found.append(inbox.take(60)))
    waiting.start()
    inbox.put(1.0, b"picture")
    waiting.join()
    assert found == [(1.0, b"picture")]


@pytest.mark.parametrize("url", ["mqtt://host", "mqtt://host/", "mqtt://host/cameras/+", "mqtt://host/cameras/#"])
def test_what_names_no_single_topic_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"write mqtt://host/topic"):
        MqttCamera(CameraSettings(source=url))
