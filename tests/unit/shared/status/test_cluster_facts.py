from __future__ import annotations

import pytest

from shared.mqtt import topics
from shared.status.cluster_facts import MAX_REPORTED_CAMERAS, ClusterFacts
from tests.unit.shared.status.clusters import ATTIC, DOOR, GARDEN, GATEWAY, HEALTH, INFO, facts_of


def test_what_is_retained_is_there_when_all_of_it_was_heard():
    facts = facts_of(attic=ATTIC)
    assert (facts.state, facts.info, facts.health) == (GATEWAY, INFO, HEALTH)
    assert facts.nodes is not None
    assert facts.nodes.nodes == {"attic": ATTIC}
    assert facts.cameras == {"front_door": DOOR, "garden": GARDEN}
    assert facts.complete
    assert not facts.unreadable


def test_nothing_is_known_before():
    facts = ClusterFacts()
    assert (facts.state, facts.info, facts.nodes, facts.health, facts.cameras) == (None, None, None, None, {})
    assert not facts.complete


@pytest.mark.parametrize("missing", ["bridge", "info", "health"])
def test_a_topic_that_is_missing_is_waited_for(missing):
    assert not facts_of(**{missing: None}).complete


def test_topics_begin_with_the_prefix():
    facts = ClusterFacts("home/cameras")
    facts.on_message("home/cameras/bridge/state", GATEWAY.model_dump_json().encode())
    facts.on_message("home/cameras/cameras/front_door/stats", DOOR.model_dump_json().encode())
    assert facts.state == GATEWAY
    assert facts.cameras == {"front_door": DOOR}


def test_a_topic_that_is_cleared_is_not_known_any_more():
    facts = facts_of()
    facts.on_message(topics.CAMERA_STATS.full_path("garden"), b"")
    facts.on_message(topics.BRIDGE_HEALTH.full_path(), b"")
    assert set(facts.cameras) == {"front_door"}
    assert facts.health is None


def test_what_cannot_be_read_is_named_until_it_can():
    facts = facts_of()
    facts.on_message(topics.BRIDGE_INFO.full_path(), b'{"version": 1}')
    facts.on_message(topics.CAMERA_STATS.full_path("garden"), b"nonsense")
    assert facts.unreadable == {"deepthings/bridge/info", "deepthings/cameras/garden/stats"}
    assert facts.info is None
    facts.on_message(topics.BRIDGE_INFO.full_path(), INFO.model_dump_json().encode())
    assert facts.unreadable == {"deepthings/cameras/garden/stats"}


def test_fields_of_a_later_release_are_passed_over():
    facts = ClusterFacts()
    facts.on_message(topics.BRIDGE_STATE.full_path(), b'{"state": "online", "protocol": 9, "mood": "good"}')
    assert facts.state is not None
    assert not facts.unreadable


def test_names_without_end_are_not_remembered():
    facts = ClusterFacts()
    for number in range(MAX_REPORTED_CAMERAS + 10):
        stats = DOOR.model_copy(update={"camera": f"c{number}"})
        facts.on_message(topics.CAMERA_STATS.full_path(stats.camera), stats.model_dump_json().encode())
        facts.on_message(topics.CAMERA_STATS.full_path(f"x{number}"), b"nonsense")
    assert len(facts.cameras) == MAX_REPORTED_CAMERAS
    assert len(facts.unreadable) <= MAX_REPORTED_CAMERAS
