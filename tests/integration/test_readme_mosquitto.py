"""What the documentation sets and requests with Mosquitto's clients, published to a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import shlex

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.cameras.mqtt_values import CAMERA_SETTINGS, encode_setting, with_setting
from gateway.cameras.overrides import Overrides
from shared.network.addresses import LOOPBACK
from shared.payloads.bridge import Response
from tests.documents import ROOT, SERVICES, commands, free_ports, running, tables, words_of

HOME = """
cameras:
  front_door:
    source: "test://"
    fps: 1
    zones: {porch: {coordinates: "0.3,0.55,0.7,0.55,0.78,1,0.22,1"}}
    objects: {mask: "0,0,0.2,0,0.2,0.2"}
profiles: {home: {}, away: {}}
state: STATE
"""


@pytest.fixture
def ports():
    return free_ports()


async def test_what_the_documents_set_and_ask_with_mosquitto_is_done(ports, tmp_path):
    """As mosquitto_pub would say it, to a gateway with that camera and an edge of that name."""
    lines = [shlex.split(line) for line in commands(ROOT / "docs" / "topics.md")]
    assert {words[0] for words in lines} == {"mosquitto_pub", "mosquitto_rr"}
    file = tmp_path / "home.yaml"
    file.write_text(HOME.replace("STATE", str(tmp_path)))
    gateway = words_of(f"deepthings gateway --config {file} --port 1883", ports)
    edge = words_of(f"deepthings edge --gateway 127.0.0.1:1883 --name attic --cache {tmp_path}", ports)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(gateway, SERVICES["gateway"]))
        await stack.enter_async_context(running(edge, SERVICES["edge"]))
        client = aiomqtt.Client(LOOPBACK, int(ports["1883"]), protocol=aiomqtt.ProtocolVersion.V5)
        await stack.enter_async_context(client)
        of_camera = "cameras/front_door/+/state", "cameras/front_door/zones/+/state"
        for topic in (f"deepthings/{each}" for each in ("bridge/response/+", "bridge/profile/state", *of_camera)):
            await client.subscribe(topic, qos=1)
        for words in lines:
            await say(client, words)
            where, payload = await answer_to(client, words)
            if where.endswith("/state"):  # what held before may be told once more, as to Home Assistant
                async with asyncio.timeout(10):
                    while payload != told_of(words):
                        _, payload = await answer_to(client, words)
            else:
                assert Response.model_validate_json(payload).ok, payload
        await client.publish("deepthings/bridge/request/nothing", qos=1)
        _, payload = await answer_to(client, ["", "-t", "deepthings/bridge/request/nothing"])
        documented = sorted(command.strip("`") for command, *_ in tables(ROOT / "docs" / "topics.md", 3))
        assert Response.model_validate_json(payload).error.endswith(f"valid requests: {', '.join(documented)}")


async def say(client, words):
    """What one of Mosquitto's clients publishes when it is called so."""
    payload = words[words.index("-m") + 1] if "-m" in words else b""
    assert ("-m" in words) is not ("-n" in words)
    properties = Properties(PacketTypes.PUBLISH)
    if words[0] == "mosquitto_rr":
        properties.ResponseTopic = words[words.index("-e") + 1]
    qos = int(words[words.index("-q") + 1])
    await client.publish(words[words.index("-t") + 1], payload, qos=qos, properties=properties)


async def answer_to(client, words):
    """Where the answer came, and what it is; what is told for other reasons is passed over."""
    asked = words[words.index("-t") + 1]
    if words[0] == "mosquitto_rr":
        wanted = words[words.index("-e") + 1]
    elif asked.endswith("/set"):
        wanted = f"{asked.removesuffix('set')}state"
    else:
        wanted = asked.replace("/request/", "/response/")
    async with asyncio.timeout(10):
        async for message in client.messages:
            if str(message.topic) == wanted and not message.retain:
                return wanted, message.payload
    raise AssertionError("the broker went away")


def told_of(words):
    """What a camera's state is after that."""
    setting = words[words.index("-t") + 1].split("/")[-2]
    if setting not in CAMERA_SETTINGS:  # a switch, or the profile
        return words[words.index("-m") + 1].encode()
    if "-n" in words:
        return {"detect": b"ON"}[setting]
    return encode_setting(getattr(with_setting(Overrides(), setting, words[words.index("-m") + 1].encode()), setting))
