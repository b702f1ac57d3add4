"""A real Home Assistant that knows nothing but the broker: what it shows, does, and forgets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from pathlib import Path

import pytest
import pytest_asyncio

from shared.mqtt import topics
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import Nodes, State
from shared.payloads.observations import EventType, ObjectEvent, Trigger
from tests.harness import broker_at
from tests.home_assistant import running_home_assistant
from tests.home_assistant_versions import installed, matrix
from tests.ports import free_port
from tests.spoken_gateway import BOX, BOX_REL, JPEG, NODES, complaints, home_of, online, speaking, supported

pytestmark = [
    pytest.mark.timeout(1500),  # it is installed on first use; after that each test takes some seconds
    pytest.mark.asyncio(loop_scope="module"),
]

EXAMPLES = Path(__file__).parents[2] / "docs/examples/home/automations.yaml"
DOOR = "binary_sensor.front_door_person_occupancy"


@pytest.fixture(scope="module", params=matrix())
def python(request):
    return installed(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(python, tmp_path_factory):
    """A broker, and a Home Assistant set up with it: it starts slowly, so tests share it that do not stop it."""
    broker = Address(LOOPBACK, free_port())
    async with broker_at(broker), running_home_assistant(python, tmp_path_factory.mktemp("home") / "home") as home:
        await home.set_up_mqtt(broker)
        yield broker, home


@pytest_asyncio.fixture(loop_scope="module")
async def bare(shared):
    """The same, where nothing was published yet."""
    broker, home = shared
    yield broker, home
    await home.forget(broker)


@pytest_asyncio.fixture(loop_scope="module")
async def house(bare, tmp_path):
    """A Home Assistant, and a gateway that speaks to it."""
    broker, home = bare
    async with speaking(broker, tmp_path / "state", supported(home, home_of())) as spoken:
        yield home, spoken


async def test_all_devices_and_entities_appear_with_their_states(house):
    home, _ = house
    states = await home.until_states(
        binary_sensor__deepthings_connectivity="on",
        binary_sensor__deepthings_problem="on",
        sensor__deepthings_frames_per_second="4.5",
        sensor__deepthings_dropped_frames="2",
        sensor__deepthings_version="1.0",
        sensor__deepthings_pi_1_state="online",
        binary_sensor__deepthings_pi_1_problem="off",
        sensor__deepthings_pi_1_tiles_computed="10",
        sensor__deepthings_pi_1_tiles_stolen="3",
        sensor__deepthings_pi_1_tiles_per_second="2.5",
        sensor__deepthings_pi_1_load="25.0",
        sensor__deepthings_pi_1_temperature="51.5",
        sensor__deepthings_pi_2_state="offline",
        binary_sensor__deepthings_pi_2_problem="on",
        sensor__deepthings_pi_2_load="unavailable",
        binary_sensor__front_door_connectivity="on",
        binary_sensor__front_door_person_occupancy="off",
        sensor__front_door_person_count="0",
        binary_sensor__front_door_front_yard_person_occupancy="off",
        switch__front_door_enabled="on",
        switch__front_door_detect="on",
        switch__front_door_front_yard_enabled="on",
        binary_sensor__front_door_motion="off",
        number__front_door_threshold="0.7",
        number__front_door_fps="5",
        button__front_door_restart="unknown",
        event__front_door_event="unknown",
        image__front_door_person_snapshot="unknown",
        binary_sensor__garage_car_occupancy="off",
        binary_sensor__garage_all_occupancy="off",
    )
    assert states["binary_sensor.deepthings_problem"]["attributes"]["problems"] == ["camera garage: it is dark"]
    assert states["binary_sensor.deepthings_pi_2_problem"]["attributes"]["reason"] == "it speaks another protocol"
    assert states[DOOR]["attributes"]["friendly_name"] == "Front door Person occupancy"
    assert states["binary_sensor.garage_car_occupancy"]["attributes"]["friendly_name"] == "Big garage Car occupancy"
    devices, entities = await home.ask({"type": "config/device_registry/list"}, {"type": "config/entity_registry/list"})
    ours = {device["id"]: device for device in devices if device["manufacturer"] == "DeepThings"}
    assert {device["name"] for device in ours.values()} == {
        "DeepThings", "DeepThings pi-1", "DeepThings pi-2", "Front door", "Big garage",
    }  # fmt: skip
    reached_by = {
        device["name"]: ours[device["via_device_id"]]["name"] for device in ours.values() if device["via_device_id"]
    }
    assert reached_by == dict.fromkeys(("DeepThings pi-1", "DeepThings pi-2", "Front door", "Big garage"), "DeepThings")
    assert all(entity["device_id"] in ours for entity in entities if entity["platform"] == "mqtt")
    assert not complaints(home)


async def test_what_is_seen_turns_up_at_once(house):
    home, spoken = house
    await home.until_states(**{DOOR.replace(".", "__"): "off"})
    await spoken.count(topics.OBJECTS.full_path("front_door", "person"), "person", "person")
    await spoken.count(topics.ZONE_OBJECTS.full_path("front_door", "front_yard", "person"), "person")
    states = await home.until_states(
        binary_sensor__front_door_person_occupancy="on",
        binary_sensor__front_door_front_yard_person_occupancy="on",
        sensor__front_door_person_count="2",
        sensor__front_door_front_yard_person_count="1",
        binary_sensor__garage_person_occupancy="off",
    )
    assert states["sensor.front_door_person_count"]["attributes"]["active"] == 2
    event = ObjectEvent(
        type=EventType.NEW, id="1.2-abc", camera="front_door", label="person", score=0.8, top_score=0.9, box=BOX,
        box_rel=BOX_REL, zones=("front_yard",), start_time=time.time(),
    )  # fmt: skip
    await spoken.say(topics.EVENTS.full_path("front_door"), event)

    async def happened():
        event = (await home.states())["event.front_door_event"]
        return event["attributes"].get("event_type") == "new" and event["attributes"]

    attributes = await home.until("the event", happened)
    assert (attributes["label"], attributes["id"], attributes["zones"]) == ("person", "1.2-abc", ["front_yard"])
    await spoken.state(topics.SNAPSHOT.full_path("front_door"), JPEG)
    await spoken.state(topics.LABEL_SNAPSHOT.full_path("front_door", "person"), JPEG + b"person")

    async def pictured():
        with contextlib.suppress(AssertionError):
            return await home.get("image_proxy/image.front_door_person_snapshot")

    assert await home.until("the picture", pictured) == JPEG + b"person"
    assert await home.get("image_proxy/image.front_door_snapshot") == JPEG
    assert await home.get("camera_proxy/camera.front_door_live_view") == JPEG
    await spoken.count(topics.OBJECTS.full_path("front_door", "person"))
    await spoken.state(topics.ZONE_OBJECTS.full_path("front_door", "front_yard", "person"), b"")
    await home.until_states(
        binary_sensor__front_door_person_occupancy="off", binary_sensor__front_door_front_yard_person_occupancy="off"
    )
    assert not complaints(home)


async def test_controls_say_what_the_gateway_hears(house):
    home, spoken = house
    await home.until_states(switch__front_door_detect="on", number__front_door_threshold="0.7")
    wanted = {
        "switch.turn_off": ({"entity_id": "switch.front_door_detect"}, "cameras/front_door/detect/set", "OFF"),
        "switch.turn_on": ({"entity_id": "switch.garage_enabled"}, "cameras/garage/enabled/set", "ON"),
        "number.set_value": (
            {"entity_id": "number.front_door_threshold", "value": 0.55}, "cameras/front_door/threshold/set", "0.55",
        ),
    }  # fmt: skip
    pressed = {
        "button.front_door_restart": ("restart_camera", {"camera": "front_door"}),
        "button.front_door_snapshot_now": ("snapshot", {"camera": "front_door"}),
        "button.deepthings_pi_1_drain": ("drain_node", {"node": "pi-1"}),
        "button.deepthings_pi_1_resume": ("resume_node", {"node": "pi-1"}),
        "button.deepthings_reload": ("reload", {}),
    }
    for service, (data, topic, payload) in wanted.items():
        await home.call(service, **data)
        assert await asyncio.wait_for(spoken.commands.get(), 10) == (f"deepthings/{topic}", payload)
    for button, (command, payload) in pressed.items():
        await home.call("button.press", entity_id=button)
        topic, said = await asyncio.wait_for(spoken.commands.get(), 10)
        assert (topic, json.loads(said)) == (f"deepthings/bridge/request/{command}", payload)
    await home.until_states(switch__front_door_detect="on")  # it is as the gateway says, not as it was asked
    await spoken.state(topics.CAMERA_SETTING.full_path("front_door", "detect"), "OFF")
    await home.until_states(switch__front_door_detect="off")


async def test_zones_masks_and_the_profile_are_switched_and_motion_is_seen(bare, tmp_path):
    broker, home = bare
    configuration = supported(
        home, home_of(objects={"mask": "0,0,1,0,1,0.1"}, profiles={"home": {}, "away": {"friendly_name": "Gone"}})
    )
    async with speaking(broker, tmp_path / "state", configuration) as spoken:
        states = await home.until_states(
            switch__front_door_front_yard_enabled="on",
            switch__front_door_mask_objects_1="on",
            select__deepthings_profile="home",
            binary_sensor__front_door_motion="off",
        )
        assert states["select.deepthings_profile"]["attributes"]["options"] == ["home", "away"]
        assert states["binary_sensor.front_door_motion"]["attributes"]["device_class"] == "motion"
        (entities,) = await home.ask({"type": "config/entity_registry/list"})
        categories = {entity["entity_id"]: entity["entity_category"] for entity in entities}
        switches = ("switch.front_door_front_yard_enabled", "switch.front_door_mask_objects_1")
        assert {categories[switch] for switch in switches} == {"config"}
        for switch, topic in zip(switches, ("zones/front_yard", "mask_objects_1"), strict=True):
            await home.call("switch.turn_off", entity_id=switch)
            said = await asyncio.wait_for(spoken.commands.get(), 10)
            assert said == (f"deepthings/cameras/front_door/{topic}/set", "OFF")
            await spoken.state(f"deepthings/cameras/front_door/{topic}/state", "OFF")
        await home.call("select.select_option", entity_id="select.deepthings_profile", option="away")
        assert await asyncio.wait_for(spoken.commands.get(), 10) == ("deepthings/bridge/profile/set", "away")
        await spoken.state(topics.PROFILE.full_path(), "away")
        for motion, seen in {"ON": "on", "unknown": "unknown", "OFF": "off"}.items():
            await spoken.state(topics.CAMERA_SETTING.full_path("front_door", "motion"), motion)
            await home.until_states(
                switch__front_door_front_yard_enabled="off",
                switch__front_door_mask_objects_1="off",
                select__deepthings_profile="away",
                binary_sensor__front_door_motion=seen,
            )
        assert not complaints(home)


async def test_device_triggers_start_automations(house):
    home, spoken = house
    await home.until_states(binary_sensor__front_door_person_occupancy="off")
    (devices,) = await home.ask({"type": "config/device_registry/list"})
    door = next(device["id"] for device in devices if device["name"] == "Front door")
    (offered,) = await home.ask({"type": "device_automation/trigger/list", "device_id": door})
    by_mqtt = {(trigger["type"], trigger["subtype"]): trigger for trigger in offered if trigger["domain"] == "mqtt"}
    assert by_mqtt.keys() == {
        (kind, "person") for kind in ("appeared", "left", "in front_yard", "left front_yard")
    }  # fmt: skip
    for kind, name in {"in front_yard": "in_yard", "left": "left"}.items():
        payload = name + " {{ trigger.payload_json.id }}"
        action = {"service": "mqtt.publish", "data": {"topic": "deepthings/cameras/heard/by/set", "payload": payload}}
        await home.automate(name, by_mqtt[kind, "person"], action)

    async def pull(word, number):
        trigger = Trigger(name=word, camera="front_door", label="person", id=number, at=time.time())
        await spoken.say(topics.TRIGGERS.full_path("front_door"), trigger)

    async def listens():  # it subscribes some time after an automation is there
        await pull("person_left", "try")
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(spoken.commands.get(), 1)

    await home.until("the first trigger", listens)
    for word, number in {"person_appeared": "1", "person_in_front_yard": "2", "person_left": "3"}.items():
        await pull(word, number)
    heard = []
    while "left 3" not in heard:
        heard.append((await asyncio.wait_for(spoken.commands.get(), 10))[1])
    assert [payload for payload in heard if payload != "left try"] == ["in_yard 2", "left 3"]


async def test_the_example_automations_work_as_they_are(bare, tmp_path):
    broker, home = bare
    await home.load_automations(EXAMPLES)
    door = {"source": "test://", "zones": {"porch": {"coordinates": ((0, 0), (1, 0), (1, 1))}}}
    configuration = supported(home, home_of(cameras={"front_door": door}))
    async with speaking(broker, tmp_path / "state", configuration) as spoken:
        states = await home.until_states(binary_sensor__front_door_person_occupancy="off")
        ours = {entity for entity in states if not entity.startswith("automation.")}
        domains = "binary_sensor|sensor|switch|image|camera|event"
        named = set(re.findall(rf"\b((?:{domains})\.[a-z0-9_]*[a-z0-9])(?![a-z0-9_])", EXAMPLES.read_text()))
        assert named
        assert named <= ours
        automations = {each: states[each] for each in states if each.startswith("automation.")}
        assert len(automations) == EXAMPLES.read_text().count("\n- id: ")
        assert {each["state"] for each in automations.values()} == {"on"}

        async def triggered():
            trigger = Trigger(name="person_appeared", camera="front_door", label="person", id="1", at=time.time())
            await spoken.say(topics.TRIGGERS.full_path("front_door"), trigger)
            told = await home.states()
            return told["automation.someone_is_at_the_front_door"]["attributes"]["last_triggered"]

        triggers = {"person_appeared", "person_in_porch"}
        assert set(re.findall(r"payload: (\w+)", EXAMPLES.read_text())) == triggers

        await home.until("the notification", triggered)
        await home.call("automation.trigger", entity_id="automation.detect_while_nobody_is_at_home")
        topic, payload = await asyncio.wait_for(spoken.commands.get(), 10)
        assert (topic, payload) == ("deepthings/cameras/front_door/detect/set", "ON")
    assert not [line for line in complaints(home) if "automation" in line]


async def test_what_is_away_is_shown_as_away(house):
    home, spoken = house
    await home.until_states(binary_sensor__front_door_person_occupancy="off", sensor__deepthings_pi_1_load="25.0")
    await spoken.state(topics.CAMERA_AVAILABILITY.full_path("front_door"), "offline")
    await home.until_states(
        binary_sensor__front_door_person_occupancy="unavailable",
        binary_sensor__front_door_connectivity="off",
        switch__front_door_enabled="on",
        binary_sensor__garage_person_occupancy="off",
    )
    gone = {"pi-1": NODES.nodes["pi-1"].model_copy(update={"state": State.OFFLINE})}
    await spoken.state(topics.BRIDGE_NODES.full_path(), Nodes(nodes={**NODES.nodes, **gone}).model_dump_json())
    await home.until_states(
        sensor__deepthings_pi_1_load="unavailable",
        sensor__deepthings_pi_1_state="offline",
        binary_sensor__deepthings_pi_1_problem="on",
    )
    await spoken.state(
        topics.BRIDGE_NODES.full_path(), Nodes(nodes={}).model_dump_json()
    )  # as a gateway says that just started
    await home.until_states(sensor__deepthings_pi_2_state="offline", binary_sensor__deepthings_pi_2_problem="on")
    await spoken.state(topics.BRIDGE_STATE.full_path(), online(State.OFFLINE))
    await home.until_states(
        binary_sensor__deepthings_connectivity="off",
        sensor__deepthings_pi_1_state="unavailable",
        switch__front_door_enabled="unavailable",
        binary_sensor__garage_person_occupancy="unavailable",
    )
    assert not complaints(home)


@pytest.mark.slow
async def test_what_is_removed_disappears(house):
    home, spoken = house
    await home.until_states(binary_sensor__garage_car_occupancy="off", binary_sensor__front_door_person_occupancy="off")
    cameras = dict(spoken.configuration.cameras)
    cameras["front_door"] = cameras["front_door"].model_copy(update={"zones": {}})
    cameras["garage"] = cameras["garage"].model_copy(update={"objects": None})
    spoken.configuration = spoken.configuration.model_copy(update={"cameras": cameras})
    spoken.announcer.request_update()
    await home.until_states(
        binary_sensor__garage_car_occupancy=None,
        sensor__garage_car_count=None,
        image__garage_car_snapshot=None,
        binary_sensor__garage_all_occupancy=None,
        binary_sensor__front_door_front_yard_person_occupancy=None,
        binary_sensor__garage_person_occupancy="off",
    )
    spoken.configuration = spoken.configuration.model_copy(update={"cameras": {"front_door": cameras["front_door"]}})
    spoken.announcer.request_update()
    await home.until_states(
        binary_sensor__garage_person_occupancy=None,
        switch__garage_enabled=None,
        binary_sensor__front_door_person_occupancy="off",
    )
    devices, entities = await home.ask({"type": "config/device_registry/list"}, {"type": "config/entity_registry/list"})
    assert not [device["name"] for device in devices if device["name"] == "Big garage"]
    assert not [entity["entity_id"] for entity in entities if "garage" in entity["entity_id"]]
    (offered,) = await home.ask(
        {
            "type": "device_automation/trigger/list",
            "device_id": next(device["id"] for device in devices if device["name"] == "Front door"),
        }
    )
    assert {each["type"] for each in offered if each["domain"] == "mqtt"} == {"appeared", "left"}


@pytest.mark.slow
async def test_a_camera_that_went_while_the_gateway_was_away_disappears(bare, tmp_path):
    (broker, home), folder = bare, tmp_path / "state"
    configuration = supported(home, home_of())
    async with speaking(broker, folder, configuration):
        await home.until_states(binary_sensor__garage_car_occupancy="off")
    less = configuration.model_copy(update={"cameras": {"front_door": configuration.cameras["front_door"]}})
    async with speaking(broker, folder, less) as spoken:
        spoken.nodes = Nodes(nodes={"pi-1": NODES.nodes["pi-1"]})
        await home.until_states(
            binary_sensor__garage_car_occupancy=None,
            binary_sensor__front_door_person_occupancy="off",
            sensor__deepthings_pi_2_state="offline",  # it may come back yet
        )


def told_by(spoken, *, per_entity):
    way = spoken.configuration.home_assistant.model_copy(update={"per_entity": per_entity})
    spoken.configuration = spoken.configuration.model_copy(update={"home_assistant": way})
    spoken.announcer.request_update()


@pytest.mark.slow
async def test_another_way_of_discovery_keeps_all_entities(house):
    home, spoken = house
    right = {"binary_sensor__garage_car_occupancy": "off", "sensor__deepthings_pi_1_load": "25.0"}
    before = await home.until_states(**right)
    if home.version < (2024, 11):
        told_by(spoken, per_entity=False)
        await home.until_states(**dict.fromkeys(right))  # it knows one way only: nothing is there
    told_by(spoken, per_entity=True)

    async def told():
        return await asyncio.to_thread(
            lambda: "binary_sensor/deepthings_camera" in spoken.announcer._file.path.read_text()
        )

    async def same():
        return (await home.states()).keys() == before.keys()

    await home.until("the other discovery", told)
    await home.until("the same entities", same)
    await home.until_states(**right)
