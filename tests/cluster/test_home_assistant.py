"""The whole way: footage, edges, gateway, and a real Home Assistant that was told of the broker and of nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import cv2
import pytest

from shared.mqtt.broker_login import Login, Tls
from shared.network.addresses import LOOPBACK, Address
from tests.cluster.test_home import RIGHT_AGAIN_S, home, mqtt_of
from tests.harness import broker_at
from tests.home_assistant import running_home_assistant
from tests.home_assistant_versions import installed
from tests.house_broker import GATEWAY, PASSWORDS, Certificates, house_broker
from tests.ports import free_port

ASTRONAUT = Path(__file__).parents[1] / "photos/astronaut.jpg"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # it is installed on first use


OCCUPANCY = "binary_sensor__street_person_occupancy"
ZONE = "binary_sensor__street_crossing_person_occupancy"


@pytest.fixture(scope="module")
def python():
    return installed()


async def test_somebody_who_walks_through_the_footage_turns_up_in_home_assistant(python, tmp_path):
    """At a broker with users and rules, as Home Assistant's own is; the gateway's connection is encrypted."""
    made = Certificates(tmp_path)
    login = Login(GATEWAY, PASSWORDS[GATEWAY], Tls(made.authority()))
    made.signed("server", "IP:127.0.0.1")
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(house_broker(tmp_path, server=False))
        assistant = await stack.enter_async_context(running_home_assistant(python, tmp_path / "home-assistant"))
        await assistant.set_up_mqtt(broker.address, broker.login())
        said = {
            "home_assistant": {"per_entity": assistant.version < (2024, 11)},
            "mqtt": mqtt_of(broker.encrypted["server"], login),
        }
        (tmp_path / "gateway").mkdir()
        surroundings = home(tmp_path / "gateway", "pi-1", "pi-2", broker=broker.address, login=broker.login(), **said)
        cluster, heard, options = await stack.enter_async_context(surroundings)
        states = await assistant.until_states(60, **{OCCUPANCY: "on", ZONE: "on", "switch__street_detect": "on"})
        assert float(states["sensor.street_person_count"]["state"]) >= 1
        await assistant.until_states(sensor__deepthings_pi_1_state="online", sensor__deepthings_pi_2_state="online")

        async def snapshot():  # it is published after the state that it shows
            with contextlib.suppress(AssertionError):
                return await assistant.get("image_proxy/image.street_snapshot")

        assert (await assistant.until("a snapshot", snapshot))[:2] == b"\xff\xd8"
        await assistant.automate(
            "somebody_is_there",
            {"platform": "mqtt", "topic": "deepthings/detections/street/trigger",
             "value_template": "{{ value_json.name }}", "payload": "person_in_crossing"},
            {"service": "mqtt.publish", "data": {"topic": "deepthings/bridge/request/heard", "payload": "{}"}},
        )  # fmt: skip

        await assistant.call("switch.turn_off", entity_id="switch.street_detect")
        await assistant.until_states(**{OCCUPANCY: "off", ZONE: "off", "switch__street_detect": "off"})
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        await assistant.until_states(**{OCCUPANCY: "unavailable"})
        await cluster.start_gateway(*options)
        await assistant.until_states(RIGHT_AGAIN_S, **{OCCUPANCY: "off", "switch__street_detect": "off"})

        await assistant.call("switch.turn_on", entity_id="switch.street_detect")
        await assistant.until_states(60, **{OCCUPANCY: "on", "switch__street_detect": "on"})
        await heard.until("the automation", lambda: "deepthings/bridge/request/heard" in heard.now, 60)

        async with asyncio.timeout(120):
            await assistant.restart()
        await assistant.until_states(RIGHT_AGAIN_S, switch__street_detect="on", sensor__deepthings_pi_1_state="online")
        await assistant.until_states(60, **{OCCUPANCY: "on"})


# somebody who stands at the door


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A video in which somebody stands all the time."""
    path = tmp_path_factory.mktemp("video") / "standing.mp4"
    picture = cv2.imread(str(ASTRONAUT))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, (picture.shape[1], picture.shape[0]))
    for _ in range(100):
        writer.write(picture)
    writer.release()
    return path


RINGS = {
    "trigger": {
        "platform": "mqtt", "topic": "deepthings/detections/street/trigger",
        "value_template": "{{ value_json.name }}", "payload": "person_appeared",
    },
    "left": {
        "platform": "mqtt", "topic": "deepthings/detections/street/trigger",
        "value_template": "{{ value_json.name }}", "payload": "person_left",
    },
    "occupied": {"platform": "state", "entity_id": "binary_sensor.street_person_occupancy", "from": "off", "to": "on"},
    "empty": {"platform": "state", "entity_id": "binary_sensor.street_person_occupancy", "to": "off"},
    "event": {
        "platform": "mqtt", "topic": "deepthings/detections/street/event",
        "value_template": "{{ value_json.type }}", "payload": "new",
    },
}  # fmt: skip


def rings(heard):
    return [topic.rpartition("-")[2] for topic, _ in heard.said if "/bridge/request/rung-" in topic]


async def test_somebody_who_stands_at_the_door_rings_once_whatever_is_restarted(python, standing, tmp_path):
    broker = Address(LOOPBACK, free_port())
    async with contextlib.AsyncExitStack() as stack:
        brokers = await stack.enter_async_context(contextlib.AsyncExitStack())
        await brokers.enter_async_context(broker_at(broker))
        assistant = await stack.enter_async_context(running_home_assistant(python, tmp_path / "home-assistant"))
        await assistant.set_up_mqtt(broker)
        for name, trigger in RINGS.items():
            ring = {"topic": f"deepthings/bridge/request/rung-{name}", "payload": "{}"}
            await assistant.automate(f"ring_{name}", trigger, {"service": "mqtt.publish", "data": ring})
        (tmp_path / "gateway").mkdir()
        said = {
            "cameras": {"street": {"source": str(standing), "fps": 5, "snapshots": {"enabled": False}}},
            "home_assistant": {"per_entity": assistant.version < (2024, 11)},
        }
        surroundings = home(tmp_path / "gateway", "pi-1", "pi-2", broker=broker, **said)
        cluster, heard, options = await stack.enter_async_context(surroundings)
        await assistant.until_states(60, **{OCCUPANCY: "on"})
        await heard.until("the first rings", lambda: {"event", "trigger"} <= set(rings(heard)))
        await heard.until("nobody was there before", lambda: ("empty" in rings(heard)) <= ("occupied" in rings(heard)))
        first = sorted(rings(heard))
        assert first == sorted({"event", "trigger", *first} - {"left"})  # each of them once, and nobody has left

        async def gateway_again(number):
            cluster.signal(cluster.gateway, number)
            await cluster.gateway.process.wait()
            await assistant.until_states(**{OCCUPANCY: "unavailable"})
            await cluster.start_gateway(*options)

        async def edge_again():
            name = "pi-1" if '"node":"pi-1"' in heard.text("cameras/street/stats") else "pi-2"
            cluster.signal(cluster.edges[name], signal.SIGKILL)
            await cluster.edges[name].process.wait()
            await assistant.until_states(**{OCCUPANCY: "unavailable"})
            await cluster.start_edge(name)

        async def broker_again():
            await brokers.aclose()
            await assistant.until_states(**{OCCUPANCY: "unavailable"})
            await brokers.enter_async_context(broker_at(broker))

        for restart in (
            lambda: gateway_again(signal.SIGTERM),
            edge_again,
            lambda: gateway_again(signal.SIGKILL),
            broker_again,
            lambda: gateway_again(signal.SIGKILL),
            edge_again,
        ):
            await restart()
            await assistant.until_states(40, **{OCCUPANCY: "on"})
        assert sorted(rings(heard)) == first
        assert {event["type"] for event in heard.all("detections/street/event")} <= {"new", "update"}
