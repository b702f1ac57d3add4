"""What is said by MQTT and by the data plane."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from camera_sources.camera_settings import AssignedCamera
from gateway.cameras.mqtt_values import CAMERA_SETTINGS, encode_setting
from gateway.cameras.overrides import Overrides
from gateway.configuration.root import Configuration
from gateway.home import Home
from gateway.membership.members import Membership
from gateway.planning.methods import Method
from scripts.asyncapi import document, schemas
from scripts.public_topics import INFO, PARAMETERS, ROWS
from shared.mqtt import topics
from shared.mqtt.client_ids import edge_client_id, gateway_client_id
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, PlainTopic, Plane, Topic
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeEventType, BridgeInfo, PlanInfo
from shared.payloads.cluster import CameraStats, NodeState, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.payloads.observations import EndReason, EventType
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS
from shared.plan.plan import Distribution
from shared.wire.codec import MAGIC, MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, PREFIX_BYTES, MessageKind, encode_prefix
from shared.wire.headers import HEADERS, AbsentHeader, StripsHeader
from tests.public.shapes import plain, schema_of, shape_of
from tests.unit.gateway.buses import StandInBus

if TYPE_CHECKING:
    from pathlib import Path

PLANES = {Plane.PUBLIC: "public", Plane.CLUSTER: "cluster", Plane.BOTH: "both"}

INFORMATION = BridgeInfo(
    version="1", protocol=PROTOCOL, topic_prefix="deepthings", model="nanodet-g", labels=("person",),
    plan=PlanInfo(epoch=3, method="ftp-wst", grid="3x3", cut=("concat_28",), tiles=9),
)  # fmt: skip

REQUESTS = {
    "info": {},
    "restart_camera": {"camera": "door"},
    "snapshot": {"camera": "door"},
    "reload": {},
    "drain_node": {"node": "pi-1"},
    "resume_node": {"node": "pi-1"},
    "no such request": {},
}


def all_topics() -> dict[str, Any]:
    """Describe every topic by its pattern."""
    found = [topic for topic in vars(topics).values() if isinstance(topic, Topic | PlainTopic)]
    received = {row.path for row in ROWS if row.received} | {topics.CAMERA_SET.path}
    return {
        f"{topic.root or DEFAULT_PREFIX}/{topic.path}": {
            "qos": topic.qos,
            "retain": topic.retain,
            "expiry_s": topic.expiry_s,
            "plane": PLANES[topic.plane],
            "writer": topic.writer.value,
            "payload": schema_of(topic.message) if isinstance(topic, Topic) else "not a message",
            **(
                {}
                if topic.plane is Plane.CLUSTER
                else {"gateway": "listens" if topic.path in received else "publishes"}
            ),
        }
        for topic in found
    }


def asyncapi() -> dict[str, Any]:
    """Describe docs/asyncapi.json."""
    described: dict[str, Any] = plain(document(ROWS, PARAMETERS, INFO, DEFAULT_PREFIX))
    del described["components"]["schemas"]  # by the names of classes; each is where it is referred to
    return described


def schema_files() -> dict[str, Any]:
    """Describe docs/schemas by the names of its files."""
    return {f"{name}.json": plain(schema) for name, schema in schemas(ROWS).items()}


def words() -> dict[str, list[str]]:
    """Return all words of enumerations that are said by MQTT, in configurations or on the command line."""
    kinds = {
        "states": State, "outcomes of frames": Outcome, "kinds of events": EventType, "why events end": EndReason,
        "events of the bridge": BridgeEventType, "distributions": Distribution, "methods": Method,
    }  # fmt: skip
    return {name: sorted(word.value for word in kind) for name, kind in kinds.items()}


def client_ids() -> dict[str, str]:
    """Return what our processes are called at a broker."""
    return {
        "gateway": gateway_client_id(),
        "gateway of another prefix": gateway_client_id("barn/things"),
        "edge": edge_client_id("hall"),
        "edge of another prefix": edge_client_id("hall", "barn/things"),
    }


def camera_settings() -> dict[str, Any]:
    """Describe what can be set of a camera, and how values are written."""
    values = {"on": True, "off": False, "number": 0.5, "whole number": 5.0, "labels": ("cat", "dog"), "nothing": None}
    return {
        "settings": sorted(CAMERA_SETTINGS),
        "values": schema_of(Overrides),
        "payloads": {name: encode_setting(value).decode() for name, value in values.items()},
    }


def wire() -> dict[str, Any]:
    """Describe the data plane."""
    return {
        "magic": MAGIC.hex(),
        "version": PROTOCOL,
        "understood": sorted(UNDERSTOOD_PROTOCOLS),
        "prefix_bytes": PREFIX_BYTES,
        "prefix of a tile, with 3 bytes of header and 5 of payload": encode_prefix(MessageKind.TILE, 3, 5).hex(),
        "header_cap_bytes": MAX_HEADER_BYTES,
        "encoded": [AbsentHeader(reason="why").encode().decode(), StripsHeader(sizes={1: 2}).encode().decode()],
        "kinds": {
            f"{kind.value:02d}": {
                "counted as": kind.name.lower(),  # a key of `bytes` in what is told of nodes
                "payload_cap_bytes": MAX_PAYLOAD_BYTES.get(kind, 0),
                "header": schema_of(HEADERS[kind]),
            }
            for kind in MessageKind
        },
        "payload of settings": schema_of(AssignedCamera),
    }


class _Listening(StandInBus):
    """Remembers what is listened to."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: set[str] = set()

    def on(self, topic: Topic[Any], handler: Any, name: str = "+") -> None:
        self.topics.add(topic.full_path())
        super().on(topic, handler, name)

    def on_plain(self, topic: PlainTopic, handler: Any, *, queued: bool = False) -> None:
        self.topics.add(topic.full_path())
        super().on_plain(topic, handler, queued=queued)


def home(folder: Path) -> dict[str, Any]:
    """Describe what a gateway with one camera and one edge says at its start, and how it answers requests."""
    return asyncio.run(_home(folder))


async def _home(folder: Path) -> dict[str, Any]:
    configuration = Configuration.model_validate(
        {"cameras": {"door": {"source": "test://"}}, "state": str(folder), "frigate_compat": {"enabled": True}}
    )
    bus, members = _Listening(), Membership(Address("10.0.0.1", 1883))
    listening: Any = bus  # a stand-in for Planes
    made = Home(
        configuration, listening, members, Address("10.0.0.1", 4000), lambda: configuration, lambda: INFORMATION
    )
    members.on_state(NodeState(node="pi-1", state=State.ONLINE, protocol=PROTOCOL, host="h", port=1))
    await made.on_nodes(members.report({}))
    stats = CameraStats(camera="door", node="pi-1", counts=FrameCounts(), state=State.ONLINE)
    await bus.hear(topics.CAMERA_STATS, "door", stats)
    await made.on_connected()
    return {
        "listens to": sorted(bus.topics),
        "says": {
            topic: _payload(payload) for topic, payload in sorted(bus.said) if not topic.startswith("homeassistant/")
        },
        "answers": {command: await _answer(bus, command, asked) for command, asked in REQUESTS.items()},
    }


async def _answer(bus: StandInBus, command: str, asked: dict[str, str]) -> Any:
    payload = json.dumps({**asked, "transaction": 7}).encode()
    await bus.hear_plain(topics.REQUEST, payload, command)
    answer = bus.json(f"bridge/response/{command}")[-1]
    return {**shape_of(answer), "ok": answer["ok"], "transaction": answer["transaction"]}


def _payload(payload: bytes) -> Any:
    """Return the shape of a JSON object, and other payloads as they are."""
    text = payload.decode()
    return shape_of(json.loads(text)) if text.startswith("{") else text
