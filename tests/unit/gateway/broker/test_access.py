from __future__ import annotations

import pytest

from gateway.broker.access import (
    Access,
    PublicTopics,
    Rule,
    allows,
    any_edge_rules,
    edge_rules,
    edge_rules_file,
    gateway_rules_file,
    user_rules,
    user_rules_file,
)
from gateway.broker.access_check import CHECK_NAME, STRANGER_NAME, topics_to_check
from shared.mqtt import topics
from shared.mqtt.topic_kinds import EdgeReads, Plane, Writer
from shared.mqtt.topics import TOPIC_TABLE

PUBLIC = PublicTopics("deepthings", "homeassistant", "frigate")
ATTIC = edge_rules("attic")
USER = user_rules(PUBLIC)


def test_an_edge_writes_what_it_publishes_under_its_own_name_only():
    for topic in (topics.NODE_STATE, topics.NODE_STATS, topics.TASKS, topics.STEAL, topics.NODE_CLAIM):
        assert allows(ATTIC, Access.WRITE, topic.full_path("attic"))
        assert not allows(ATTIC, Access.WRITE, topic.full_path("porch"))


def test_an_edge_with_a_login_publishes_nothing_under_the_name_of_a_camera():
    stats = topics.CAMERA_STATS.full_path("door")
    assert not allows(ATTIC, Access.WRITE, stats)
    assert allows(ATTIC, Access.READ, stats)
    assert allows(any_edge_rules(), Access.WRITE, stats)  # as edges of earlier releases do


def test_an_edge_can_retain_at_a_handful_of_topics_and_no_more():
    """Each message may have a megabyte, and stays in the broker's memory."""
    written = [rule.topic for rule in ATTIC if rule.access is not Access.READ]
    assert len(written) < 10
    assert not any("+" in topic or "#" in topic for topic in written)


def test_an_edge_reads_what_is_for_it_and_not_what_is_for_others():
    for topic in (topics.GRANTS, topics.RESULTS, topics.OUTCOMES, topics.STANDINGS, topics.CAMERAS):
        assert allows(ATTIC, Access.READ, topic.full_path("attic"))
        assert not allows(ATTIC, Access.READ, topic.full_path("porch"))
        assert not allows(ATTIC, Access.WRITE, topic.full_path("attic"))


def test_no_edge_writes_what_only_the_gateway_says():
    for rules in (ATTIC, any_edge_rules()):
        for topic in TOPIC_TABLE:
            if topic.writer is Writer.GATEWAY:
                assert not allows(rules, Access.WRITE, topic.full_path("attic", "attic", "attic"))


def test_an_edge_sees_no_pictures_and_no_settings_and_switches_nothing():
    for topic in (topics.SNAPSHOT, topics.LABEL_SNAPSHOT, topics.CAMERA_SETTING, topics.EVENTS, topics.DETECTIONS):
        assert not allows(ATTIC, Access.READ, topic.full_path("door", "person"))
    for topic in (topics.CAMERA_SET, topics.REQUEST):
        assert not allows(ATTIC, Access.WRITE, topic.full_path("door", "detect"))


def test_every_topic_that_an_edge_subscribes_is_marked_as_readable():
    for topic in TOPIC_TABLE:
        if topic.edge_reads is EdgeReads.OWN:
            assert "{node}" in topic.path
        if topic.edge_reads is not EdgeReads.NOTHING:
            assert topic.plane is not Plane.PUBLIC  # else it is not at the broker of the edges


def test_people_read_what_is_public_and_nothing_of_the_cluster():
    for topic in TOPIC_TABLE:
        public = (
            topic.plane is not Plane.CLUSTER
            and topic.writer is not Writer.ANYBODY
            and topic is not topics.GATEWAY_CLAIM
        )
        assert allows(USER, Access.READ, topic.full_path("a", "b", "c")) is public


def test_people_set_cameras_and_request_and_write_nothing_else():
    for topic in TOPIC_TABLE:
        assert allows(USER, Access.WRITE, topic.full_path("a", "b", "c")) is (topic.writer is Writer.ANYBODY)


def test_home_assistant_and_frigates_users_find_their_topics():
    assert allows(USER, Access.READ, "homeassistant/device/deepthings_gateway/config")
    assert allows(USER, Access.WRITE, "homeassistant/status")
    assert not allows(USER, Access.WRITE, "homeassistant/device/deepthings_gateway/config")
    assert allows(USER, Access.READ, "frigate/events")
    assert allows(USER, Access.WRITE, "frigate/door/detect/set")
    assert not allows(USER, Access.WRITE, "frigate/events")
    bare = user_rules(PublicTopics())
    assert not allows(bare, Access.READ, "homeassistant/status")
    assert not allows(bare, Access.READ, "frigate/events")


def test_rules_keep_to_the_prefix_of_the_gateway():
    assert all(rule.topic.startswith("barn/things/") for rule in edge_rules("attic", "barn/things"))
    assert all(rule.topic.startswith("barn/things/") for rule in user_rules(PublicTopics("barn/things")))


def test_only_the_gateway_has_more_than_topics_of_the_table():
    assert "#" not in "".join(rule.topic for rule in (*ATTIC, *any_edge_rules()))
    assert gateway_rules_file(()).split() == ["user", "gateway", "topic", "readwrite", "#"]


def test_the_file_has_a_section_for_each_edge_and_no_patterns():
    text = edge_rules_file(["porch", "attic"], "deepthings")
    assert "pattern" not in text
    first, second = text.split("user edge.")[1:]
    assert first.startswith("attic\n")
    assert "porch" not in first
    assert "attic" not in second
    assert text.split("user edge.")[0].strip() == ""  # nothing for those without a login


def test_who_has_no_login_has_no_rule_unless_it_is_given():
    assert user_rules_file({"anna": True}, PUBLIC, ()).split("user")[0].strip() == ""
    assert user_rules_file({}, PUBLIC, [Rule(Access.READ, "a")]).startswith("topic read a\n")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("a/b", "a/b", True), ("a/b", "a/c", False), ("a/+", "a/b", True), ("a/+", "a/b/c", False), ("+", "a", True),
        ("a/#", "a/b/c", True), ("a/#", "a", True), ("#", "a/b", True), ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False), ("$SYS/#", "$SYS/a", True), ("a/+/c", "a/b/c", True), ("a/#", "b/c", False),
        ("a/b/#", "a", False),
    ],
)  # fmt: skip
def test_filters_match_as_in_mqtt(topic_filter, topic, matches):
    assert allows([Rule(Access.READ, topic_filter)], Access.READ, topic) is matches


def test_a_check_asks_for_everything_that_is_allowed_and_for_the_same_of_others():
    paths = topics_to_check(edge_rules(CHECK_NAME))
    assert {path for path in paths if STRANGER_NAME in path}
    for rule in edge_rules(CHECK_NAME):
        assert any(allows([rule], rule.access, path) for path in paths)
    for topic in TOPIC_TABLE:
        assert topic.full_path(*[STRANGER_NAME] * topic.path.count("{")) in paths
