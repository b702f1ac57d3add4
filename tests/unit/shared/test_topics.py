from __future__ import annotations

import pytest

from shared import topics
from shared.message import Message
from shared.topics import Topic

TOPICS = {name: value for name, value in vars(topics).items() if isinstance(value, Topic)}


@pytest.mark.parametrize(
    ("topic", "name", "full"),
    [
        (topics.DETECTIONS, "door", "deepthings/detections/door/frame"),
        (topics.CAMERA_STATS, "door", "deepthings/cameras/door/stats"),
        (topics.NODE_STATE, "pi-1", "deepthings/cluster/nodes/pi-1"),
        (topics.BRIDGE_STATE, "", "deepthings/bridge/state"),
        (topics.PLAN, "", "deepthings/cluster/plan"),
    ],
)
def test_a_name_takes_its_place_in_the_topic(topic, name, full):
    assert topic.at(name) == full
    assert topic.name_in(full) == name


def test_a_filter_is_for_every_name():
    assert topics.DETECTIONS.at("+") == "deepthings/detections/+/frame"
    assert topics.GRANTS.at("+") == "deepthings/cluster/grants/+"


def test_a_filter_of_a_topic_without_a_name_is_the_topic():
    assert topics.PLAN.at("+") == topics.PLAN.at() == "deepthings/cluster/plan"


def test_no_two_topics_are_the_same():
    assert len(TOPICS) == 13
    assert len({topic.at("+") for topic in TOPICS.values()}) == len(TOPICS)


def test_no_name_makes_one_topic_look_like_another():
    levels = [topic.at("+").split("/") for topic in TOPICS.values()]
    for number, one in enumerate(levels):
        for other in levels[number + 1 :]:
            alike = len(one) == len(other) and all(
                "+" in pair or pair[0] == pair[1] for pair in zip(one, other, strict=False)
            )
            assert not alike, (one, other)


def test_all_topics_lie_below_the_prefix_and_are_public_or_of_the_cluster():
    second = {topic.at("+").split("/")[1] for topic in TOPICS.values()}
    assert {topic.at("+").split("/")[0] for topic in TOPICS.values()} == {"deepthings"}
    assert second == {"detections", "cameras", "bridge", "cluster"}


def test_what_stays_true_is_retained_and_nothing_else():
    assert {name for name, topic in TOPICS.items() if topic.retain} == {
        "CAMERA_STATS", "BRIDGE_STATE", "BRIDGE_NODES", "NODE_STATE", "PLAN",
    }  # fmt: skip


def test_what_speaks_of_tasks_expires():
    assert {name for name, topic in TOPICS.items() if topic.expiry_s} == {"TASKS", "STEAL", "GRANTS", "RESULTS"}


def test_of_what_edges_and_gateway_say_only_what_is_repeated_when_it_is_lost_is_not_acknowledged():
    cluster = {name: topic for name, topic in TOPICS.items() if topic.path.startswith("cluster/")}
    assert {name for name, topic in cluster.items() if topic.qos == 0} == {"TASKS", "STEAL", "GRANTS", "RESULTS"}


def test_nothing_that_is_retained_expires():
    assert not [name for name, topic in TOPICS.items() if topic.retain and topic.expiry_s]


def test_every_topic_has_a_payload_and_a_quality_of_service():
    for topic in TOPICS.values():
        assert issubclass(topic.message, Message)
        assert topic.qos in {0, 1}
