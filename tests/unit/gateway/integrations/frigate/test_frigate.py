"""Frigate's topics and payloads, in the shapes of its documentation."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.integrations.frigate.events
from gateway.integrations.frigate.counts import FrigateCounts
from gateway.integrations.frigate.events import FrigateEvents
from gateway.integrations.frigate.messages import (
    FrigateMessage,
    availability_message,
    detect_state_message,
    detect_topic,
    parse_detect_command,
    snapshot_message,
)
from shared.payloads.observations import EventType, LabelState, ObjectEvent

DOCUMENTED = {
    "id": "1607123955.475377-mxklsc",
    "camera": "front_door",
    "frame_time": 1607123962.082975,
    "snapshot_time": 1607123962.082975,
    "snapshot": None,
    "label": "person",
    "sub_label": None,
    "top_score": 0.958984375,
    "false_positive": False,
    "start_time": 1607123955.475377,
    "end_time": None,
    "score": 0.87890625,
    "box": [432, 496, 544, 854],
    "area": 40096,
    "ratio": 0.312849,
    "region": [432, 496, 544, 854],
    "current_zones": ["yard", "driveway"],
    "entered_zones": ["yard", "driveway"],
    "thumbnail": None,
    "has_snapshot": False,
    "has_clip": False,
    "active": True,
    "stationary": False,
    "motionless_count": 0,
    "position_changes": 0,
    "attributes": {},
    "current_attributes": [],
}
"""The example of Frigate's documentation, but for what is not known here: the region, snapshots, positions, faces."""


def event_of(kind, **changes):
    described = {
        "type": kind, "id": DOCUMENTED["id"], "camera": "front_door", "label": "person", "score": 0.87890625,
        "top_score": 0.958984375, "box": (431.6, 496.2, 544.4, 853.8), "box_rel": (0.3, 0.5, 0.4, 0.9),
        "zones": ("yard", "driveway"), "entered_zones": ("yard", "driveway"), "start_time": 1607123955.475377,
    }  # fmt: skip
    return ObjectEvent.model_validate({**described, **changes})


def seen(count, active=None):
    return LabelState(count=count, active=count if active is None else active)


def told(messages):
    assert all(message.retain for message in messages)
    return {message.topic: message.payload.decode() for message in messages}


def test_an_event_is_published_as_documented():
    message = FrigateEvents("frigate").event_message(event_of(EventType.NEW), 1607123962.082975)
    assert (message.topic, message.retain) == ("frigate/events", False)
    assert json.loads(message.payload) == {"type": "new", "before": DOCUMENTED, "after": DOCUMENTED}


def test_an_event_contains_its_predecessor_until_the_end():
    events = FrigateEvents("frigate")
    said = [
        json.loads(events.event_message(event, at).payload)
        for at, event in enumerate(
            (
                event_of(EventType.NEW, zones=()),
                event_of(EventType.UPDATE, stationary=True),
                event_of(EventType.END, end_time=1607123970.0),
                event_of(EventType.NEW),
            )
        )
    ]
    assert [each["type"] for each in said] == ["new", "update", "end", "new"]
    for earlier, later in itertools.pairwise(said[:3]):
        assert later["before"] == earlier["after"]
    assert said[0]["after"]["current_zones"] == []
    assert (said[1]["after"]["stationary"], said[1]["after"]["active"]) == (True, False)
    assert said[2]["after"]["end_time"] == 1607123970.0
    assert said[3]["before"] == said[3]["after"]  # nothing is kept of what has ended


def test_of_very_many_objects_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(gateway.integrations.frigate.events, "MAX_REMEMBERED_EVENTS", 2)
    events = FrigateEvents("frigate")
    for name in ("a", "b", "c"):
        events.event_message(event_of(EventType.NEW, id=name, zones=()), 1.0)
    befores = {
        name: json.loads(events.event_message(event_of(EventType.END, id=name), 2.0).payload)["before"]
        for name in "abc"
    }
    assert {name: before["frame_time"] for name, before in befores.items()} == {"a": 2.0, "b": 1.0, "c": 1.0}


def test_a_box_without_height_is_no_error():
    message = FrigateEvents("frigate").event_message(event_of(EventType.NEW, box=(10, 20, 30, 20)), 1.0)
    assert json.loads(message.payload)["after"]["ratio"] == 0.0


def test_counts_are_published_when_they_change():
    counts = FrigateCounts("frigate")
    assert told(
        counts.update_camera("front_door", {"person": seen(2, 1)}, seen(2, 1), {"yard": {"person": seen(1)}})
    ) == {
        "frigate/front_door/person": "2",
        "frigate/front_door/person/active": "1",
        "frigate/front_door/all": "2",
        "frigate/front_door/all/active": "1",
        "frigate/yard/person": "1",
        "frigate/yard/person/active": "1",
    }
    assert counts.update_camera("front_door", {"person": seen(2, 1)}, seen(2, 1), {"yard": {"person": seen(1)}}) == []
    assert told(
        counts.update_camera("front_door", {"person": seen(2, 2)}, seen(2, 2), {"yard": {"person": seen(0)}})
    ) == {
        "frigate/front_door/person/active": "2",
        "frigate/front_door/all/active": "2",
        "frigate/yard/person": "0",
        "frigate/yard/person/active": "0",
    }
    assert len(counts.all_counts()) == 6


def test_a_zone_of_several_cameras_is_one():
    counts = FrigateCounts("frigate")
    counts.update_camera("front", {}, seen(0), {"yard": {"person": seen(1)}})
    assert (
        told(counts.update_camera("side", {}, seen(0), {"yard": {"person": seen(2, 0)}}))["frigate/yard/person"] == "3"
    )
    assert told(counts.forget_camera("front")) == {
        "frigate/front/all": "",
        "frigate/front/all/active": "",
        "frigate/yard/person": "2",
        "frigate/yard/person/active": "0",
    }


def test_a_zone_with_a_cameras_name_does_not_take_its_topics():
    counts = FrigateCounts("frigate")
    counts.update_camera("yard", {"person": seen(1)}, seen(1), {})
    counts.update_camera("front", {"person": seen(4)}, seen(4), {"yard": {"person": seen(3)}})
    assert told(counts.all_counts())["frigate/yard/person"] == "1"


@given(
    st.lists(
        st.tuples(st.sampled_from(["front", "side"]), st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12
    )
)
def test_all_changes_together_equal_what_is_published_after_a_reconnect(steps):
    counts, known = FrigateCounts("frigate"), {}
    for camera, persons, in_yard, removed in steps:
        zones = {"yard": {"person": seen(in_yard)}}
        changes = (
            counts.forget_camera(camera)
            if removed
            else counts.update_camera(camera, {"person": seen(persons)}, seen(persons), zones)
        )
        known.update(told(changes))
    assert {topic: count for topic, count in known.items() if count} == told(counts.all_counts())


def test_plain_topics():
    assert availability_message("frigate", online=True) == FrigateMessage("frigate/available", b"online", retain=True)
    assert availability_message("frigate", online=False).payload == b"offline"
    assert detect_state_message("frigate", "front", on=False) == FrigateMessage(
        "frigate/front/detect/state", b"OFF", retain=True
    )
    assert snapshot_message("home/frigate", "front", "traffic light", b"jpeg") == FrigateMessage(
        "home/frigate/front/traffic light/snapshot", b"jpeg", retain=True
    )
    assert snapshot_message("frigate", "front", "a/b#", b"").topic == "frigate/front/a_b_/snapshot"


@pytest.mark.parametrize(("payload", "state"), [(b"ON", True), (b" off ", False), (b"maybe", None), (b"", None)])
def test_detection_is_switched(payload, state):
    assert parse_detect_command(payload) is state


def test_where_detection_is_switched():
    topic = detect_topic("frigate")
    assert (topic.root, topic.path) == ("frigate", "{camera}/detect/set")
