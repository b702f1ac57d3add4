"""What Home Assistant is told of devices and entities."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.home_assistant.discovery import MAX_ANNOUNCED_NODES, DiscoveryCache, discovery
from gateway.integrations.home_assistant.encoding import MAX_COMPONENTS_PER_MESSAGE
from shared.mqtt import topics
from shared.mqtt.message_size import MAX_MESSAGE_BYTES
from shared.payloads.cluster import Nodes
from shared.settings.slugs import RESERVED_SLUGS, slug
from tests.unit.gateway.integrations.home_assistant.homes import AREA, home_of, nodes_of

LEVELS_OF_HOME_ASSISTANT = r"[a-zA-Z0-9_-]+"


def told(configuration, *nodes, **more):
    messages = discovery(configuration, nodes_of(*nodes), "1.0", **more)
    return {topic: json.loads(payload) for topic, payload in messages.items()}


def components(configuration, *nodes, **more):
    """All components by device and key, however they were told."""
    return {
        (message["dev"]["name"], key): component
        for message in told(configuration, *nodes, **more).values()
        for key, component in message["cmps"].items()
    }


def per_entity(configuration):
    return configuration.model_copy(
        update={"home_assistant": configuration.home_assistant.model_copy(update={"per_entity": True})}
    )


def test_devices_come_in_the_order_in_which_they_are_reached():
    messages = told(home_of(), "pi-2", "pi-1")
    assert list(messages) == [
        "homeassistant/device/deepthings_gateway/config",
        "homeassistant/device/deepthings_node_pi-1/config",
        "homeassistant/device/deepthings_node_pi-2/config",
        "homeassistant/device/deepthings_camera_front_door/config",
        "homeassistant/device/deepthings_camera_garage/config",
    ]
    gateway, *others = messages.values()
    assert gateway["dev"]["identifiers"] == ["deepthings_gateway"]
    assert gateway["dev"]["sw_version"] == "1.0"
    assert {message["dev"]["via_device"] for message in others} == {"deepthings_gateway"}
    assert [message["dev"]["name"] for message in messages.values()] == [
        "DeepThings", "DeepThings pi-1", "DeepThings pi-2", "Front door", "Big garage",
    ]  # fmt: skip
    assert {message["availability_mode"] for message in messages.values()} == {"all"}


@pytest.mark.parametrize("shaped", [home_of, lambda: per_entity(home_of())], ids=["per device", "per entity"])
def test_it_is_told_which_release_tells_and_which_one_runs_on_each_device(shaped):
    messages = told(shaped(), "pi-1").values()
    assert {(message.get("o") or message["origin"])["sw_version"] for message in messages} == {"1.0"}
    devices = [message.get("dev") or message["device"] for message in messages]
    assert {device["name"]: device.get("sw_version") for device in devices} == {
        "DeepThings": "1.0", "DeepThings pi-1": "0.9", "Front door": None, "Big garage": None,
    }  # fmt: skip


def test_entities_read_well_and_are_known_by_their_camera():
    found = components(home_of(), "pi-1")
    names = {key: (found[key].get("name"), found[key].get("default_entity_id")) for key in found}
    assert names["Front door", "person_occupancy"] == ("Person occupancy", "binary_sensor.front_door_person_occupancy")
    assert names["Front door", "front_yard_ZONE_person_count"] == (
        "Front yard person count", "sensor.front_door_front_yard_person_count",
    )  # fmt: skip
    assert names["Big garage", "traffic_light_snapshot"] == (
        "Traffic light snapshot", "image.garage_traffic_light_snapshot",
    )  # fmt: skip
    assert names["Big garage", "all_occupancy"] == ("Occupancy", "binary_sensor.garage_all_occupancy")
    assert names["Big garage", "roof_ZONE_all_count"] == ("Roof object count", "sensor.garage_roof_all_count")
    assert names["DeepThings pi-1", "load"] == ("Load", "sensor.deepthings_pi_1_load")
    assert names["DeepThings", "connectivity"] == ("Connectivity", "binary_sensor.deepthings_connectivity")


def test_a_camera_has_what_it_can_see_and_no_more():
    found = {key: each for (device, key), each in components(home_of()).items() if device == "Big garage"}
    triggers = {
        (each["subtype"], each["type"]): each["payload"] for each in found.values() if each["p"] == "device_automation"
    }
    assert triggers == {
        ("person", "appeared"): "person_appeared",
        ("person", "left"): "person_left",
        ("person", "in gate"): "person_in_gate",
        ("person", "left gate"): "person_left_gate",
        ("person", "loitering in gate"): "person_loitering_in_gate",
        ("person", "in roof"): "person_in_roof",
        ("person", "left roof"): "person_left_roof",
        ("traffic light", "appeared"): "traffic_light_appeared",
        ("traffic light", "left"): "traffic_light_left",
        ("traffic light", "in roof"): "traffic_light_in_roof",
        ("traffic light", "left roof"): "traffic_light_left_roof",
    }
    found = {key: each["p"] for key, each in found.items()}
    assert {key for key in found if "gate_ZONE" in key} == {
        "gate_ZONE_person_occupancy", "gate_ZONE_person_count", "gate_ZONE_enabled",
    }  # fmt: skip
    assert {key for key, platform in found.items() if platform == "image"} == {
        "snapshot", "person_snapshot", "traffic_light_snapshot",
    }  # fmt: skip


def test_topics_are_those_of_the_table():
    found = components(home_of())
    light = found["Big garage", "roof_ZONE_traffic_light_occupancy"]
    assert light["state_topic"] == topics.ZONE_OBJECTS.full_path("garage", "roof", slug("traffic light"))
    assert (
        found["Big garage", "traffic_light_snapshot"]["image_topic"]
        == "deepthings/detections/garage/traffic_light/snapshot"
    )
    switch = found["Front door", "detect"]
    assert switch["state_topic"] == "deepthings/cameras/front_door/detect/state"
    assert switch["command_topic"] == "deepthings/cameras/front_door/detect/set"
    trigger = found["Front door", "person_TRIGGER_in_front_yard"]
    assert (trigger["topic"], trigger["payload"]) == (
        "deepthings/detections/front_door/trigger",
        "person_in_front_yard",
    )
    assert (trigger["type"], trigger["subtype"]) == ("in front_yard", "person")
    restart = found["Front door", "restart"]
    assert restart["command_topic"] == "deepthings/bridge/request/restart_camera"
    assert json.loads(restart["payload_press"]) == {"camera": "front_door"}


def test_everything_depends_on_the_gateway_and_what_is_seen_on_the_camera_too():
    messages = told(home_of(), "pi-1")
    for message in messages.values():
        for key, component in message["cmps"].items():
            places = [each["topic"] for each in component.get("availability", message["availability"])]
            if component["p"] == "device_automation":
                continue
            expected = {
                "Gateway": [] if key == "connectivity" else ["deepthings/bridge/state"],
                "Edge": ["deepthings/bridge/state", "deepthings/bridge/nodes"][
                    : 1 if key in {"state", "problem"} else 2
                ],
                "Camera": ["deepthings/bridge/state", f"deepthings/cameras/{camera_of(message)}/availability"],
            }[message["dev"]["model"]]
            if key in {"connectivity", "enabled", "detect", "threshold", "fps", "restart"} or key.endswith(
                "_ZONE_enabled"
            ):
                expected = expected[:1]  # of a camera that is switched off, too
            assert places == expected, key


def camera_of(message):
    return message["dev"]["identifiers"][0].removeprefix("deepthings_camera_")


def test_no_source_is_told():
    assert "geheim" not in str(discovery(home_of(), nodes_of(), "1.0"))


def test_without_snapshots_there_are_no_pictures():
    silent = {"source": "test://", "snapshots": {"enabled": False}}
    found = components(home_of(cameras={"front": silent}))
    assert not {key for (_, key), each in found.items() if each["p"] in {"image", "camera"} or "snapshot" in key}


def test_labels_that_were_chosen_take_the_place_of_those_of_the_configuration():
    found = components(home_of(), labels={"front_door": ("cat",)})
    assert ("Front door", "cat_occupancy") in found
    assert ("Front door", "person_occupancy") not in found
    assert ("Big garage", "person_occupancy") in found


def test_nothing_is_told_where_nothing_is_wanted():
    assert told(home_of(home_assistant={"enabled": False}), "pi-1") == {}


def test_a_second_gateway_is_another_device():
    first, second = home_of(), home_of(mqtt={"topic_prefix": "barn/things"})
    assert not told(first, "pi-1").keys() & told(second, "pi-1").keys()
    ids = [
        {each["unique_id"] for each in components(home, "pi-1").values() if "unique_id" in each}
        for home in (first, second)
    ]
    assert not ids[0] & ids[1]
    assert ("DeepThings barn/things", "problem") in components(second)
    assert "deepthings/" not in str(list(told(second, "pi-1").values()))


def test_entity_by_entity_the_same_is_told():
    configuration = home_of(home_assistant={"discovery_prefix": "ha"})
    messages = told(per_entity(configuration), "pi-1")
    by_device = {
        (message["dev"]["identifiers"][0], component["p"], key): {
            "availability": message["availability"],
            "availability_mode": "all",
            **{name: each for name, each in component.items() if name != "p"},
            "device": message["dev"],
            "origin": message["o"],
        }
        for message in told(configuration, "pi-1").values()
        for key, component in message["cmps"].items()
    }
    assert messages == {
        f"ha/{platform}/{device}/{key}/config": component for (device, platform, key), component in by_device.items()
    }
    assert len(messages) == len(by_device)


@pytest.mark.parametrize("way", [home_of, lambda **more: per_entity(home_of(**more))])
def test_topics_are_such_as_home_assistant_reads(way):
    for topic in discovery(way(), nodes_of("pi-1"), "1.0"):
        assert re.fullmatch(
            rf"homeassistant/{LEVELS_OF_HOME_ASSISTANT}(/{LEVELS_OF_HOME_ASSISTANT}){{1,2}}/config", topic
        )


names = st.from_regex(r"[ab][ab_-]{0,4}", fullmatch=True).filter(lambda name: name not in RESERVED_SLUGS)


@given(
    st.lists(names, min_size=1, max_size=3, unique=True),
    st.lists(names, max_size=4, unique=True),
    st.lists(names, min_size=1, max_size=4, unique=True),
)
def test_no_two_things_have_one_id(cameras, zones, labels):
    zones = {zone: {"coordinates": AREA} for zone in zones}
    camera = {"source": "test://", "zones": zones, "objects": {"track": tuple(labels)}}
    configuration = home_of(cameras=dict.fromkeys(cameras, camera))
    messages = told(configuration, *cameras)
    ids = [
        each["unique_id"] for message in messages.values() for each in message["cmps"].values() if "unique_id" in each
    ]
    assert len(ids) == len(set(ids))
    assert len({message["dev"]["identifiers"][0] for message in messages.values()}) == 1 + 2 * len(cameras)
    for message in messages.values():
        if message["dev"]["model"] == "Camera":
            own = 9 + 1 + 1 + len(labels)  # controls and pictures, motion, the last event, a snapshot of each label
            own += len(zones)  # a switch for each
            places = (1 + len(zones)) * (len(labels) + (len(labels) > 1))
            triggers = len(labels) * (2 + 2 * len(zones))
            assert len(message["cmps"]) == own + 2 * places + triggers


def test_many_labels_and_zones_are_told_in_messages_that_the_broker_takes():
    camera = {
        "source": "test://", "objects": {"track": tuple(f"label {number}" for number in range(80))},
        "zones": {f"zone_with_a_long_name_{number}": {"coordinates": AREA} for number in range(20)},
    }  # fmt: skip
    messages = discovery(home_of(cameras={"front": camera}), nodes_of(), "1.0")
    assert max(len(payload.encode()) for payload in messages.values()) < MAX_MESSAGE_BYTES
    parts = [json.loads(payload) for topic, payload in messages.items() if "camera" in topic]
    assert len(parts) == -(-sum(len(part["cmps"]) for part in parts) // MAX_COMPONENTS_PER_MESSAGE) > 1
    assert len({part["dev"]["identifiers"][0] for part in parts}) == 1


def test_invented_nodes_do_not_fill_home_assistant():
    messages = told(home_of(), *(f"node-{number}" for number in range(MAX_ANNOUNCED_NODES + 5)))
    assert len(messages) == 1 + MAX_ANNOUNCED_NODES + 2


def test_every_component_says_the_quality_of_service():
    assert {each["qos"] for each in components(home_of(), "pi-1").values()} == {1}


def test_messages_are_kept_until_something_that_they_depend_on_changes():
    cache, home = DiscoveryCache(), home_of()
    first = cache.messages(home, nodes_of("pi-1"), "1.0", {"garage": ("car",)}, [])
    busy = nodes_of("pi-1")
    busy.nodes["pi-1"] = busy.nodes["pi-1"].model_copy(update={"load": 0.9})
    assert first == discovery(home, nodes_of("pi-1"), "1.0", {"garage": ("car",)})
    assert cache.messages(home, busy, "1.0", {"garage": ["car"]}, []) is first


@pytest.mark.parametrize(
    "change",
    [
        {"configuration": home_of(mqtt={"topic_prefix": "attic"})},
        {"nodes": nodes_of("pi-1", "pi-2")},
        {"nodes": Nodes(nodes={"pi-1": nodes_of("pi-1").nodes["pi-1"].model_copy(update={"version": "2"})})},
        {"version": "1.1"},
        {"labels": {"garage": ("person",)}},
        {"by_hand": ["shed"]},
    ],
    ids=["configuration", "nodes", "version of a node", "version", "labels", "by hand"],
)
def test_each_change_makes_the_messages_anew(change):
    known = {
        "configuration": home_of(), "nodes": nodes_of("pi-1"), "version": "1.0", "labels": {"garage": ("car",)},
        "by_hand": [],
    }  # fmt: skip
    cache = DiscoveryCache()
    before = cache.messages(**known)
    after = cache.messages(**{**known, **change})
    assert after != before
    assert after == discovery(**{**known, **change})
    assert cache.messages(**known) == before
