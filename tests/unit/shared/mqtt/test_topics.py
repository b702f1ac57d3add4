from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mqtt import topics
from shared.mqtt.topic_kinds import PlainTopic, Topic, Writer
from shared.payloads.base import Message
from shared.settings.slugs import RESERVED_SLUGS

TOPICS: dict[str, Topic[Any] | PlainTopic] = {
    name: value for name, value in vars(topics).items() if isinstance(value, Topic | PlainTopic)
}

FREE = ("camera", "zone", "label")
"""Names that people, or a model, choose: no reserved word may be one."""

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}", fullmatch=True)
prefixes = st.lists(names, min_size=1, max_size=3).map("/".join)


def holes(topic):
    """The names that a topic has room for."""
    return [level.strip("{}") for level in topic.path.split("/") if level.startswith("{")]


@pytest.mark.parametrize(
    ("topic", "said", "full"),
    [
        (topics.DETECTIONS, ("door",), "deepthings/detections/door/frame"),
        (topics.OBJECTS, ("door", "person"), "deepthings/detections/door/person"),
        (topics.ZONE_OBJECTS, ("door", "porch", "all"), "deepthings/detections/door/zones/porch/all"),
        (topics.SNAPSHOT, ("door",), "deepthings/detections/door/snapshot"),
        (topics.LABEL_SNAPSHOT, ("door", "person"), "deepthings/detections/door/person/snapshot"),
        (topics.CAMERA_STATS, ("door",), "deepthings/cameras/door/stats"),
        (topics.CAMERA_SETTING, ("door", "fps"), "deepthings/cameras/door/fps/state"),
        (topics.CAMERA_SET, ("door", "fps"), "deepthings/cameras/door/fps/set"),
        (topics.REQUEST, ("snapshot",), "deepthings/bridge/request/snapshot"),
        (topics.NODE_STATE, ("pi-1",), "deepthings/cluster/nodes/pi-1"),
        (topics.BRIDGE_STATE, (), "deepthings/bridge/state"),
        (topics.PLAN, (), "deepthings/cluster/plan"),
    ],
)
def test_names_take_their_places_in_the_topic(topic, said, full):
    assert topic.full_path(*said) == full
    assert topic.names_in(full) == said


@given(st.sampled_from(sorted(TOPICS)), st.lists(names, min_size=3, max_size=3), prefixes)
def test_the_names_in_a_topic_are_those_that_made_it_below_any_prefix(which, said, prefix):
    topic = TOPICS[which]
    given_ = tuple(said[: len(holes(topic))])
    full = topic.full_path(*given_, prefix=prefix)
    assert full.startswith(f"{prefix}/")
    assert topic.names_in(full, prefix) == given_


def test_a_filter_is_for_every_name():
    assert topics.DETECTIONS.full_path() == topics.DETECTIONS.full_path("+") == "deepthings/detections/+/frame"
    assert topics.ZONE_OBJECTS.full_path() == "deepthings/detections/+/zones/+/+"
    assert topics.GRANTS.full_path("+") == "deepthings/cluster/grants/+"


def test_a_name_that_is_missing_is_any():
    assert topics.ZONE_OBJECTS.full_path("door") == "deepthings/detections/door/zones/+/+"
    assert topics.ZONE_OBJECTS.full_path("door", "+", "person") == "deepthings/detections/door/zones/+/person"
    assert topics.CAMERA_SET.full_path("door", prefix="a/b") == "a/b/cameras/door/+/set"


def test_a_filter_of_a_topic_without_a_name_is_the_topic():
    assert topics.PLAN.full_path("+") == topics.PLAN.full_path() == "deepthings/cluster/plan"


@pytest.mark.parametrize(
    "topic", [Topic("{camera}/{label}", Message, root="other"), PlainTopic("{a}/{b}", "", root="other")]
)
def test_a_topic_of_another_program_has_its_own_root_whatever_the_prefix(topic):
    assert topic.full_path("door", "person") == topic.full_path("door", "person", prefix="a/b") == "other/door/person"
    assert topic.names_in("other/door/person") == topic.names_in("other/door/person", "a/b") == ("door", "person")


def test_a_root_may_have_several_levels():
    topic = PlainTopic("{kind}/config", "JSON", root="home/assistant")
    assert topic.full_path("sensor") == "home/assistant/sensor/config"
    assert topic.names_in("home/assistant/sensor/config", "a/b/c") == ("sensor",)


def test_a_topic_of_other_levels_has_no_names():
    with pytest.raises(ValueError, match=r"zip\(\) argument"):
        topics.DETECTIONS.names_in("deepthings/detections/door/frame/more")


def test_no_two_topics_are_the_same():
    assert len(TOPICS) >= 28
    assert len({topic.full_path() for topic in TOPICS.values()}) == len(TOPICS)


def test_no_name_that_is_allowed_makes_one_topic_look_like_another():
    """They differ in a level, or one of them has a reserved word where the other has a name that cannot be it."""
    for one, other in combinations(TOPICS.values(), 2):
        levels = one.path.split("/"), other.path.split("/")
        if len(levels[0]) != len(levels[1]):
            continue
        pairs = [pair for first, second in zip(*levels, strict=True) for pair in ((first, second), (second, first))]
        differ = any(a != b and "{" not in a + b for a, b in pairs)
        kept_apart = any(a.strip("{}") in FREE and b in RESERVED_SLUGS for a, b in pairs if "{" in a)
        assert differ or kept_apart, (one.path, other.path)


def test_every_word_beside_a_name_that_people_choose_is_reserved():
    """Else a later topic could look like one of a camera that somebody has today."""
    beside = set()
    for topic in TOPICS.values():
        *_, last = levels = topic.path.split("/")
        if levels[0] in {"detections", "cameras"} and not last.startswith("{"):
            beside |= {level for level in levels[2:] if not level.startswith("{")}
    assert beside
    assert beside <= RESERVED_SLUGS
    assert "all" in RESERVED_SLUGS


def test_all_topics_lie_below_the_prefix_and_are_public_or_of_the_cluster():
    ours = [topic for topic in TOPICS.values() if topic.root is None]
    assert {topic.full_path().split("/")[0] for topic in ours} == {"deepthings"}
    assert {topic.full_path().split("/")[1] for topic in ours} == {"detections", "cameras", "bridge", "cluster"}


def test_what_stays_true_is_retained_and_nothing_else():
    assert {name for name, topic in TOPICS.items() if topic.retain} == {
        "OBJECTS", "ZONE_OBJECTS", "SNAPSHOT", "LABEL_SNAPSHOT", "CAMERA_AVAILABILITY", "CAMERA_STATS",
        "CAMERA_SETTING", "ZONE_SWITCH", "PROFILE",
        "BRIDGE_STATE", "BRIDGE_INFO", "BRIDGE_NODES", "BRIDGE_HEALTH", "NODE_STATE", "PLAN",
        "PREFERRED_PLAN", "HELPERS", "CAMERAS", "STANDINGS", "NODE_CLAIM", "GATEWAY_CLAIM", "MEMBERS",
    }  # fmt: skip


def test_what_is_asked_for_or_set_is_never_retained():
    """A request that is carried out again at every start would be a surprise."""
    written = {name: topic for name, topic in TOPICS.items() if topic.writer is Writer.ANYBODY}
    assert set(written) == {"REQUEST", "CAMERA_SET", "ZONE_SET", "PROFILE_SET"}
    for topic in written.values():
        assert (topic.retain, topic.qos) == (False, 1)


def test_what_speaks_of_tasks_and_of_newcomers_expires():
    expiring = {name for name, topic in TOPICS.items() if topic.expiry_s}
    assert expiring == {"TASKS", "STEAL", "GRANTS", "RESULTS", "NODE_CLAIM", "GATEWAY_CLAIM"}


def test_of_what_edges_and_gateway_say_only_what_is_repeated_when_it_is_lost_is_not_acknowledged():
    cluster = {name: topic for name, topic in TOPICS.items() if topic.path.startswith("cluster/")}
    assert {name for name, topic in cluster.items() if topic.qos == 0} == {
        "TASKS", "STEAL", "GRANTS", "RESULTS", "HELPERS",
    }  # fmt: skip


def test_of_what_is_public_only_what_comes_with_every_frame_is_not_acknowledged():
    public = {name: topic for name, topic in TOPICS.items() if not topic.path.startswith("cluster/")}
    assert {name for name, topic in public.items() if topic.qos == 0} == {"DETECTIONS"}


def test_nothing_that_is_retained_expires_but_claims():
    retained = {name for name, topic in TOPICS.items() if topic.retain and topic.expiry_s}
    assert retained == {"NODE_CLAIM", "GATEWAY_CLAIM"}


def test_every_topic_has_a_payload_a_description_and_a_quality_of_service():
    for name, topic in TOPICS.items():
        assert topic.qos in {0, 1}
        assert topic.description.endswith(".") or name in {"CAMERA_SETTING", "CAMERA_SET"}, name  # each setting has its
        if isinstance(topic, Topic):
            assert issubclass(topic.message, Message)
        else:
            assert topic.content
