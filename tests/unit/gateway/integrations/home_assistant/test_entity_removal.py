"""How what is no more disappears, against a model of how Home Assistant takes messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.home_assistant.discovery import discovery
from gateway.integrations.home_assistant.entity_removal import (
    announced_during_change,
    remember_removed,
    removal_messages,
)
from tests.unit.gateway.integrations.home_assistant.homes import home_of, nodes_of


class Listener:
    """Home Assistant, as far as it matters here: leaving something out removes nothing."""

    def __init__(self):
        self.known = {}

    def hear(self, topic, payload):
        if not payload:
            self.known = {key: each for key, each in self.known.items() if key[0] != topic}
            return
        said = json.loads(payload)
        for key, component in said.get("cmps", {"": said}).items():
            if component.keys() == {"p"}:
                self.known.pop((topic, key), None)
            else:
                self.known[topic, key] = component

    def hear_all(self, before, now):
        for topic, payload in [*removal_messages(before, now), *now.items()]:
            self.hear(topic, payload)


def device(*keys):
    return json.dumps({"dev": {"name": "it"}, "cmps": {key: {"p": "sensor", "name": key} for key in keys}})


def test_a_component_is_named_once_more_and_then_left_out():
    before, now = {"a": device("x", "y"), "b": device("z")}, {"a": device("y"), "b": device("z")}
    ((topic, payload),) = removal_messages(before, now)
    assert topic == "a"
    assert json.loads(payload)["cmps"] == {"y": {"p": "sensor", "name": "y"}, "x": {"p": "sensor"}}


def test_a_device_is_emptied_the_last_first():
    assert removal_messages({"gateway": device("x"), "camera": device("y")}, {}) == [("camera", ""), ("gateway", "")]


def test_what_stays_or_comes_is_no_parting():
    assert removal_messages({"a": device("x")}, {"a": device("x", "y"), "b": device("z")}) == []


def test_one_entity_each_is_emptied():
    assert removal_messages({"sensor/a/x/config": json.dumps({"name": "x"})}, {}) == [("sensor/a/x/config", "")]


def test_a_file_that_holds_nonsense_does_no_harm():
    now = {"a": device("x")}
    for nonsense in ("", "[]", "{", '{"cmps": []}', '{"cmps": {"y": 1}}'):
        assert removal_messages({"a": nonsense}, now) == []


topics = st.sampled_from(["a", "b", "c"])
homes = st.dictionaries(
    topics, st.lists(st.sampled_from("uvwxyz"), unique=True, max_size=4).map(lambda keys: device(*keys))
)


@given(st.lists(homes, min_size=2, max_size=5))
def test_what_is_known_in_the_end_is_what_there_is(steps):
    listener, fresh = Listener(), Listener()
    for before, now in zip([{}, *steps], steps, strict=False):
        listener.hear_all(before, now)
    fresh.hear_all({}, steps[-1])
    assert listener.known == fresh.known


@given(homes, homes, st.integers(0, 10), homes)
def test_who_is_interrupted_knows_enough_to_go_on(first, second, heard, third):
    listener, fresh = Listener(), Listener()
    listener.hear_all({}, first)
    for topic, payload in [*removal_messages(first, second), *second.items()][:heard]:
        listener.hear(topic, payload)
    listener.hear_all(announced_during_change(first, second), third)
    fresh.hear_all({}, third)
    assert listener.known == fresh.known


def test_a_zone_that_is_removed_takes_its_entities_along():
    listener = Listener()
    before = discovery(home_of(), nodes_of("pi-1"), "1.0")
    cameras = {name: {"source": "test://"} for name in ("front_door",)}
    now = discovery(home_of(cameras=cameras), nodes_of("pi-1"), "1.0")
    listener.hear_all({}, before)
    assert [key for _, key in listener.known if "ZONE" in key]
    listener.hear_all(before, now)
    assert not [key for _, key in listener.known if "ZONE" in key]
    assert {topic for topic, _ in listener.known} == set(now)


@pytest.mark.parametrize("damaged", ["", "{", "[]", "null", '"x"', '{"cmps": []}', '{"cmps": {"a": 1}}'])
def test_what_was_damaged_where_it_was_kept_is_no_obstacle(damaged):
    whole = json.dumps({"dev": {"ids": "d"}, "cmps": {"count": {"p": "sensor"}}})
    for before, earlier in ((damaged, whole), (whole, damaged), (damaged, damaged)):
        for now in ({}, {"t": whole}):
            assert set(remember_removed({"t": earlier}, {"t": before}, now)) <= {"t"}
            assert {topic for topic, _ in removal_messages({"t": before}, now)} <= {"t"}
            assert set(announced_during_change({"t": before}, now)) == {"t"}
    (kept,) = remember_removed({"t": whole}, {"t": damaged}, {}).values()
    assert json.loads(kept)["cmps"]["count"] == {"p": "sensor"}
