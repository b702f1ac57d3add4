"""A gateway as Home Assistant hears it, for tests: states that are told by hand, discovery by the announcer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import aiomqtt

from gateway.cameras.area_switches import switched_areas
from gateway.configuration.root import Configuration
from gateway.integrations.home_assistant.announcer import Announcer
from gateway.integrations.home_assistant.discovery import discovery
from gateway.state.state_folder import StateFolder
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.payloads.bridge import BridgeHealth
from shared.payloads.cluster import BridgeState, NodeReport, Nodes, State, TileCounts
from shared.payloads.observations import FollowedObject, LabelState

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300030202020202030202020303030304060404040404080606050609080a0a0908"
    "09090a0c0f0c0a0b0e0b09090d110d0e0f101011100a0c12131210130f101010ffc0000b080001000101011100ffc400140001000000000000"
    "00000000000000000003ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)
BOX = (10.0, 20.0, 110.0, 220.0)
BOX_REL = (0.1, 0.1, 0.2, 0.3)

NODES = Nodes(
    nodes={
        "pi-1": NodeReport(
            state=State.ONLINE,
            address="",
            version="1.0",
            tiles=TileCounts(own=7, stolen=3),
            tiles_per_s=2.5,
            load=0.25,
            temperature=51.5,
        ),
        "pi-2": NodeReport(state=State.OFFLINE, address="", version="1.0", reason="it speaks another protocol"),
    }
)


def home_of(**more: Any) -> Configuration:
    """A front door with a yard, and a garage where cars count, too."""
    cameras: dict[str, Any] = {
        "front_door": {
            "source": "test://",
            "zones": {"front_yard": {"coordinates": ((0, 0), (1, 0), (1, 1)), "objects": ("person",)}},
        },
        "garage": {"source": "test://", "friendly_name": "Big garage", "objects": {"track": ("person", "car")}},
    }  # fmt: skip
    return Configuration.model_validate({"cameras": cameras, **more})


class Spoken:
    """Speaks as a gateway does: a will, states that are retained, discovery by the announcer."""

    def __init__(self, broker, folder, configuration):
        self.configuration = configuration
        self.nodes = NODES
        self.commands = asyncio.Queue()
        self.retained = {}
        self.settled = asyncio.Event()  # all is said; a test that stops the broker clears it before
        self.announcer = Announcer(self._discovered, self._tell, self._publish, StateFolder(folder))
        self._broker = broker
        self._client = None

    def _discovered(self):
        return discovery(self.configuration, self.nodes, "1.0")

    async def _publish(self, topic, payload, *, retain):
        if self._client is None:
            raise BrokerError("there is no broker")
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain)
        except aiomqtt.MqttError as error:
            raise BrokerError(str(error)) from error

    async def _tell(self):
        for topic, payload in self.retained.items():
            await self._publish(topic, payload, retain=True)

    async def state(self, topic, payload):
        """Publish what is to be retained, now and whenever states are told again."""
        self.retained[topic] = payload.encode() if isinstance(payload, str) else payload
        await self._publish(topic, self.retained[topic], retain=True)

    async def say(self, topic, message):
        """Publish what is not."""
        await self._publish(topic, message.model_dump_json(), retain=False)

    async def count(self, topic, *labels):
        """So many objects are seen there."""
        objects = tuple(
            FollowedObject(id=f"{number}", label=label, score=0.8, box=BOX, box_rel=BOX_REL)
            for number, label in enumerate(labels)
        )
        state = LabelState(count=len(objects), active=len(objects), objects=objects, frame="front_door-1-1")
        await self.state(topic, state.model_dump_json())

    async def settle(self):
        """All that a gateway says when it has started and sees nothing."""
        await self.state(topics.BRIDGE_STATE.full_path(), online(State.ONLINE))
        health = BridgeHealth(
            at=time.time(), up_s=1, frames_per_s=4.5, published=9, dropped=2, nodes_online=1, cameras_online=2,
            cameras=2, problems=("camera garage: it is dark",),
        )  # fmt: skip
        await self.state(topics.BRIDGE_HEALTH.full_path(), health.model_dump_json())
        if self.configuration.profiles:
            await self.state(topics.PROFILE.full_path(), next(iter(self.configuration.profiles)))
        await self.state(topics.BRIDGE_NODES.full_path(), self.nodes.model_dump_json())
        for name, camera in self.configuration.cameras.items():
            await self.state(topics.CAMERA_AVAILABILITY.full_path(name), "online")
            for setting, value in {"enabled": "ON", "detect": "ON", "threshold": "0.7", "fps": "5"}.items():
                await self.state(topics.CAMERA_SETTING.full_path(name, setting), value)
            for label in ("all", *(camera.objects or self.configuration.objects).track):
                await self.count(topics.OBJECTS.full_path(name, label))
            await self.state(topics.CAMERA_SETTING.full_path(name, "motion"), "OFF")
            for area in switched_areas(camera, camera.objects or self.configuration.objects):
                topic = topics.ZONE_SWITCH if area.is_zone else topics.CAMERA_SETTING
                await self.state(topic.full_path(name, area.name), "ON")
            for zone in camera.zones:
                await self.count(topics.ZONE_OBJECTS.full_path(name, zone, "person"))

    async def run(self):
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                will = aiomqtt.Will(topics.BRIDGE_STATE.full_path(), online(State.OFFLINE), 1, True)
                async with aiomqtt.Client(*self._broker, identifier="spoken", will=will) as client:
                    self._client = client
                    for topic in (
                        "homeassistant/status",
                        "deepthings/+/+/+/set",
                        "deepthings/+/+/+/+/set",
                        "deepthings/bridge/profile/set",
                        "deepthings/bridge/request/+",
                    ):
                        await client.subscribe(topic, qos=1)
                    await self.settle()
                    self.settled.set()
                    self.announcer.on_connected()
                    async for message in client.messages:
                        if str(message.topic) == "homeassistant/status":
                            self.announcer.on_status(message.payload.decode())
                        else:
                            self.commands.put_nowait((str(message.topic), message.payload.decode()))
            self._client = None
            await asyncio.sleep(0.1)  # between two tries to reach the broker


def online(state):
    return BridgeState(state=state, protocol=1, version="1.0").model_dump_json()


def complaints(home):
    """What Home Assistant finds wrong in what it hears by MQTT, templates included."""
    lines = [line for line in home.log.splitlines() if " ERROR " in line or " WARNING " in line]
    return [line for line in lines if "mqtt" in line.lower() or "template" in line.lower()]


@contextlib.asynccontextmanager
async def speaking(broker, folder, configuration):
    spoken = Spoken(broker, folder, configuration)
    tasks = [asyncio.create_task(spoken.run()), asyncio.create_task(spoken.announcer.run())]
    try:
        await asyncio.wait_for(spoken.settled.wait(), 30)  # else what a test says next could be overwritten
        yield spoken
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def supported(home, configuration):
    """Discovery by device, where this Home Assistant knows it."""
    return configuration if home.version >= (2024, 11) else configuration.model_copy(
        update={"home_assistant": configuration.home_assistant.model_copy(update={"per_entity": True})}
    )  # fmt: skip
