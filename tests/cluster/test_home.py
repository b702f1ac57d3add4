"""A gateway with the cameras of its file, as a smart home meets it: real edges, real footage, and what can go wrong."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter

import cv2
import numpy as np
import pytest

from camera_sources.source import FOOTAGE
from shared.mqtt.broker_login import ANONYMOUS
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.harness import Cluster, broker_at, until_listening
from tests.listener import listening
from tests.ports import free_port

STREET = {
    "source": str(FOOTAGE),
    "fps": 4,
    "motion": {"enabled": False},
    "zones": {"crossing": {"coordinates": [0.3, 0.3, 0.9, 0.3, 0.9, 0.9, 0.3, 0.9]}},
}
RIGHT_AGAIN_S = 15.0


def mqtt_of(broker, login=ANONYMOUS):
    """Return how a configuration names a broker and the gateway's login there."""
    user = {} if login.username is None else {"username": login.username, "password": login.password}
    tls = {} if login.tls is None else {"tls": {"ca": str(login.tls.ca)}}
    return {"host": broker.host, "port": broker.port, **user, **tls}


@contextlib.asynccontextmanager
async def home(folder, *edges, broker=None, login=ANONYMOUS, **said):
    """A gateway with a configuration, edges, and a listener at the house's `broker`, or at the gateway's own."""
    file = folder / "deepthings.yaml"
    if broker is not None:
        said = {"mqtt": mqtt_of(broker), **said}
    whole = {"state": str(folder / "state"), "objects": {"filters": {"person": {"threshold": 0.5}}}, **said}
    file.write_text(json.dumps({"cameras": {"street": STREET}, **whole}))  # JSON is YAML
    async with LocalCluster(Address(LOOPBACK, free_port()), folder / "logs") as processes:
        cluster = Cluster(processes, folder, None, None)
        options = ["--config", str(file)]
        gateway = await cluster.start_gateway(*options)
        await until_listening(cluster.broker, gateway)
        async with listening(broker or cluster.broker, login) as listener:
            for name in edges:  # they load while the gateway does
                await cluster.start_edge(name)
            await listener.until("the gateway's start", lambda: online(listener), 30)
            yield cluster, listener, options


def online(listener):
    said = listener.text("bridge/state")
    return said is not None and json.loads(said)["state"] == "online"


def seen(listener):
    return (listener.count("detections/street/person") or 0) > 0


def balanced(listener):
    kinds = Counter(event["type"] for event in listener.all("detections/street/event"))
    return kinds["new"] == kinds["end"]


def words(listener):
    return [trigger["name"] for trigger in listener.all("detections/street/trigger")]


@pytest.mark.slow
async def test_what_walks_through_the_footage_is_told_from_its_first_event_to_its_last(tmp_path):
    cameras = {"street": {**STREET, "loop": False}}
    async with home(tmp_path, "pi-1", "pi-2", cameras=cameras, frigate_compat={"enabled": True}) as (cluster, heard, _):
        await heard.until("somebody in the zone", lambda: heard.count("detections/street/zones/crossing/person"), 60)
        await heard.until("the camera", lambda: heard.text("cameras/street/availability") == "online")
        await heard.until("the end of the clip", lambda: heard.text("cameras/street/availability") == "offline", 90)
        await heard.until("an empty street", lambda: heard.count("detections/street/all") == 0)
        await heard.until("an end of every event", lambda: balanced(heard))
        await heard.until("the word for it", lambda: "person_left" in words(heard))
        told = {topic for topic, _ in heard.said}
        events = heard.all("detections/street/event")
        assert sum(1 for event in events if event["type"] == "new") >= 5
        for ended in (event for event in events if event["type"] == "end"):
            own = [event["type"] for event in events if event["id"] == ended["id"]]
            assert (own[0], own[-1], own.count("new"), own.count("end")) == ("new", "end", 1, 1)
        triggers = words(heard)
        assert {"person_appeared", "person_in_crossing", "person_left"} <= set(triggers)
        assert triggers.count("person_appeared") == triggers.count("person_left")
        picture = cv2.imdecode(np.frombuffer(heard.now["deepthings/detections/street/snapshot"], np.uint8), 1)
        assert picture.shape == (480, 640, 3)
        assert {"frigate/events", "frigate/street/person", "deepthings/detections/street/person/snapshot"} <= told
        assert heard.now["frigate/street/person"] == b"0"
        async with listening(cluster.broker) as late:
            await late.until("all that is retained", lambda: late.count("detections/street/zones/crossing/person") == 0)
            await late.until("the label", lambda: late.count("detections/street/person") == 0)
            await late.until("the camera", lambda: late.text("cameras/street/availability") == "offline")
            assert late.all("detections/street/event") == []


@pytest.mark.slow
async def test_detection_that_was_switched_off_stays_off_over_a_kill_of_the_gateway(tmp_path):
    async with home(tmp_path, "pi-1") as (cluster, heard, options):
        await heard.until("somebody", lambda: seen(heard), 60)
        await heard.say("cameras/street/detect/set", "ON", retain=True)  # nobody knows when that was said
        await heard.say("cameras/street/detect/set", "OFF")
        await heard.until("nobody any more", lambda: heard.count("detections/street/person") == 0)
        assert heard.text("cameras/street/detect/state") == "OFF"
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        heard.forget()
        await cluster.start_gateway(*options)
        await heard.until("the gateway", lambda: online(heard), RIGHT_AGAIN_S)
        await heard.until("the switch", lambda: heard.text("cameras/street/detect/state") == "OFF", RIGHT_AGAIN_S)
        await heard.until("the camera", lambda: heard.text("cameras/street/availability") == "online", RIGHT_AGAIN_S)
        assert heard.count("detections/street/person") == 0
        assert not any(topic.endswith("/frame") for topic in heard.now)
        await heard.say("cameras/street/detect/set", "ON")
        await heard.until("somebody", lambda: seen(heard), 60)


async def test_when_its_edge_is_killed_a_camera_goes_to_another_one(tmp_path):
    async with home(tmp_path, "pi-1", "pi-2") as (cluster, heard, _):
        await heard.until("somebody", lambda: seen(heard), 60)
        served = json.loads(heard.text("cameras/street/stats"))["node"]
        other = {"pi-1": "pi-2", "pi-2": "pi-1"}[served]
        heard.forget()
        cluster.signal(cluster.edges[served], signal.SIGKILL)
        await heard.until("another edge", lambda: on(heard, other), RIGHT_AGAIN_S)
        await heard.until("the camera", lambda: heard.text("cameras/street/availability") == "online", RIGHT_AGAIN_S)
        await heard.until("somebody", lambda: seen(heard), 60)
        kinds = [event["type"] for event in heard.all("bridge/event")]
        assert "node_lost" in kinds


def on(listener, node):
    said = listener.text("cameras/street/stats")
    return said is not None and json.loads(said)["node"] == node


@pytest.mark.slow
async def test_everything_is_retained_again_after_a_kill_of_the_broker(tmp_path):
    address = Address(LOOPBACK, free_port())
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(broker_at(address))
        _, heard, _ = await stack.enter_async_context(home(tmp_path, "pi-1", broker=address))
        await heard.until("somebody", lambda: seen(heard), 60)
        before = {topic for topic in heard.now if not topic.endswith(("/frame", "/event", "/trigger", "/verification"))}
        broker.process.kill()
        await broker.process.wait()
        heard.forget()
        await stack.enter_async_context(broker_at(address))
        await heard.until("the gateway", lambda: online(heard), RIGHT_AGAIN_S)
        pictures = {topic for topic in before if topic.endswith("snapshot")}
        await heard.until("all that was retained", lambda: before - pictures <= set(heard.now), RIGHT_AGAIN_S)
        await heard.until("somebody", lambda: seen(heard), 60)


async def test_a_reload_follows_the_file_and_what_cannot_be_is_answered(tmp_path):
    async with home(tmp_path) as (_, heard, _):
        await heard.until("the camera's topics", lambda: heard.text("cameras/street/availability") == "offline")
        file = tmp_path / "deepthings.yaml"
        said = json.loads(file.read_text())
        file.write_text(json.dumps({**said, "cameras": {"garden": said["cameras"]["street"]}}))
        answer = await answered(heard, "unheard-of")
        assert (answer["ok"], answer["transaction"]) == (False, 7)
        assert "valid requests: drain_node" in answer["error"]
        assert heard.text("cameras/garden/availability") is None
        answer = await answered(heard, "reload")
        assert (answer["ok"], answer["transaction"]) == (True, 7)
        assert (answer["data"]["added"], answer["data"]["removed"]) == (["garden"], ["street"])
        await heard.until("the new one", lambda: heard.text("cameras/garden/availability") == "offline")
        await heard.until("the old one's end", lambda: heard.text("cameras/street/availability") == "")
        assert not heard.text("detections/street/person"), "of what was never seen nothing is told"


async def answered(listener, command):
    await listener.say(f"bridge/request/{command}", '{"transaction": 7}')
    await listener.until("an answer", lambda: listener.text(f"bridge/response/{command}"))
    return json.loads(listener.text(f"bridge/response/{command}"))


@pytest.mark.slow
async def test_a_zone_that_is_off_stays_so_and_a_profile_applies_over_a_kill_of_the_gateway(tmp_path):
    street = {**STREET, "motion": {"enabled": True, "hold": 1}, "objects": {"mask": [0, 0, 1, 0, 1, 0.02, 0, 0.02]}}
    profiles = {"home": {}, "away": {"cameras": {"street": {"detect": False}}}}
    crossing = "detections/street/zones/crossing/person"
    async with home(tmp_path, "pi-1", cameras={"street": street}, profiles=profiles) as (cluster, heard, options):
        await heard.until("somebody in the zone", lambda: heard.count(crossing), 60)
        await heard.until("motion", lambda: heard.text("cameras/street/motion/state") == "ON")
        assert heard.text("bridge/profile/state") == "home"
        assert heard.text("cameras/street/mask_objects_1/state") == "ON"
        await heard.say("cameras/street/zones/crossing/set", "OFF")
        await heard.say("cameras/street/mask_objects_1/set", "OFF")
        await heard.until("nobody in the zone", lambda: heard.count(crossing) == 0)
        await heard.until("somebody beside it", lambda: seen(heard), 60)
        await heard.until("the mask", lambda: heard.text("cameras/street/mask_objects_1/state") == "OFF")
        await heard.say("bridge/profile/set", "away")
        await heard.until("nobody", lambda: heard.count("detections/street/person") == 0)
        await heard.until("unknown motion", lambda: heard.text("cameras/street/motion/state") == "unknown")
        assert heard.text("cameras/street/detect/state") == "OFF"
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        heard.forget()
        await cluster.start_gateway(*options)
        await heard.until("the gateway", lambda: online(heard), RIGHT_AGAIN_S)
        await heard.until("the profile", lambda: heard.text("bridge/profile/state") == "away", RIGHT_AGAIN_S)
        assert heard.text("cameras/street/zones/crossing/state") == "OFF"
        assert heard.text("cameras/street/detect/state") == "OFF"
        await heard.say("bridge/profile/set", "home")
        await heard.until("somebody", lambda: seen(heard), 60)
        assert heard.count(crossing) == 0
