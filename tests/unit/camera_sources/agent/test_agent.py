from __future__ import annotations

import time

import numpy as np
import pytest

from camera_sources.agent.agent import MAX_PICTURE_AGE_S, AgentConfig, CameraAgent
from camera_sources.agent.mailbox import Shot
from camera_sources.agent.selection import PictureSelection
from camera_sources.agent.source_reader import SourceReader
from camera_sources.camera_settings import CameraSettings
from camera_sources.open_source import open_source
from shared.network.addresses import Address
from shared.payloads.frames import Outcome


def agent_with(age_s, *, live):
    """An agent whose mailbox holds a picture of that age."""
    reader = SourceReader(lambda: open_source("test://64x48"), PictureSelection(CameraSettings(source="test://64x48")))
    reader.live = live
    reader.mailbox.put_shot(Shot(0, time.time() - age_s, np.zeros((2, 2, 3), np.uint8)))
    return CameraAgent(AgentConfig("front", Address("127.0.0.1", 9)), reader)


def test_a_picture_of_a_camera_that_waited_too_long_is_given_up_and_counted():
    agent = agent_with(MAX_PICTURE_AGE_S + 60, live=True)
    assert agent._take_fresh_shot() is None
    assert agent.counts.dropped == {Outcome.NO_EDGE: 1}


@pytest.mark.parametrize(("age_s", "live"), [(0, True), (MAX_PICTURE_AGE_S + 60, False)])
def test_a_fresh_picture_and_one_of_a_recording_are_sent(age_s, live):
    agent = agent_with(age_s, live=live)
    assert agent._take_fresh_shot().number == 0
    assert agent.counts.dropped == {}
    assert agent._take_fresh_shot() is None
