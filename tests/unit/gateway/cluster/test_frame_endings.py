from __future__ import annotations

import pytest

from gateway.cluster.confirmations import Confirmations
from gateway.cluster.frame_endings import FrameEndings
from shared.mqtt import topics
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameCounts, FrameInfo, Outcome


class Bus:
    """Remembers what is posted, and lets an edge tell its stats."""

    def __init__(self):
        self.outcomes, self.stats = [], []

    def on(self, topic, handler):
        assert topic is topics.CAMERA_STATS
        self.hear = handler

    def publish_soon(self, topic, message, name):
        if topic is topics.OUTCOMES:
            self.outcomes.append((name, message.frame, message.outcome))
        else:
            assert (topic, name) == (topics.CAMERA_STATS, message.camera)
            self.stats.append(message)


def frame(number):
    return FrameInfo(frame=f"front-1-{number}", camera="front", number=number, captured_at=0.0, height=4, width=4)


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def ended():
    return []


@pytest.fixture
def endings(bus, ended):
    return FrameEndings(bus, Confirmations(bus), lambda camera, outcome: ended.append((camera, outcome)))


def test_a_frame_ends_once_and_its_outcome_is_published_once(endings, bus, ended):
    assert not endings.has_ended("front-1-0")
    assert endings.decide_outcome(frame(0), "pi", Outcome.PUBLISHED)
    assert not endings.decide_outcome(frame(0), "pi", Outcome.DEADLINE)
    assert endings.has_ended("front-1-0")
    assert bus.outcomes == [("pi", "front-1-0", Outcome.PUBLISHED)]
    assert ended == [("front", Outcome.PUBLISHED)]


def test_an_owner_receives_the_decided_outcome_else_the_one_that_it_proposes(endings, bus):
    endings.decide_outcome(frame(0), "pi", Outcome.PUBLISHED)
    bus.outcomes.clear()
    endings.publish_outcome("front-1-0", "pi", Outcome.NO_ANSWER)
    endings.publish_outcome("front-1-1", "pi", Outcome.REPLANNED)
    endings.publish_outcome("front-1-1", "pi", Outcome.NO_ANSWER)
    assert bus.outcomes == [
        ("pi", "front-1-0", Outcome.PUBLISHED),
        ("pi", "front-1-1", Outcome.REPLANNED),
        ("pi", "front-1-1", Outcome.REPLANNED),
    ]
    assert not endings.decide_outcome(frame(1), "pi", Outcome.PUBLISHED)


def test_the_accounts_of_a_lost_edge_are_published_also_as_its_last_frames_end(endings, bus):
    bus.hear("front", CameraStats(camera="front", node="pi", counts=FrameCounts(captured=3), state=State.ONLINE))
    endings.on_node_lost("pi")
    endings.decide_outcome(frame(2), "pi", Outcome.PUBLISHED)
    assert [(stats.counts.published, stats.counts.under_way) for stats in bus.stats] == [(0, 0), (1, 0)]
    assert {stats.state for stats in bus.stats} == {State.OFFLINE}
