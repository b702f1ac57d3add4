"""Asks a broker: whether it accepts a login, whether a message comes back, and which messages it has retained."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import ValidationError

from shared.doctor.doctor_facts import BrokerAnswer, BrokerReply, EchoAnswer
from shared.errors import PeerRefusedError
from shared.mqtt import topics
from shared.mqtt.broker_client import ENDED_TLS, BrokerClient
from shared.mqtt.identity import new_instance
from shared.mqtt.refused_login import refusal_message
from shared.payloads.cluster import State
from shared.reasons.broker_reasons import broker_reason, is_refusal
from shared.reasons.system_reasons import NO_ANSWER
from shared.status.cluster_facts import STATUS_TOPICS, ClusterFacts

if TYPE_CHECKING:
    from shared.mqtt.broker_login import Login
    from shared.network.addresses import Address
    from shared.payloads.cluster import NodeState
    from shared.payloads.frames import FrameCounts
    from shared.plan.plan import PlanOffer
    from shared.security.member_list import MemberList

BROKER_STEP_TIMEOUT_S = 5.0
"""Timeout of each step; a broker in the local network answers within milliseconds."""

ECHO_TIMEOUT_S = 3.0
"""Time to wait for our own message, which comes after all retained messages."""

OBSERVED_S = 3.0
"""Time to listen for the reports of cameras, which come every second."""

MAX_HEARD_NODES = 1000
"""Edges that are remembered; a client that invents names without end must not fill the memory."""

MARK_NAME = "doctor"
"""Name of the MQTT user property that identifies our own message."""

NOBODY = "~doctor"
"""The node's name in the topic of our message, for a device that is no edge; no edge can have this name."""

CONNECT_PACKET = bytes.fromhex("100f00044d5154540502000a0000026474")
"""The CONNECT packet of an MQTT 5 client with the id "dt" and without a login."""

CONNACK_BYTE = 0x20
"""First byte of the packet with which a broker answers CONNECT."""

MIN_BROKER_CODE = 128
"""Reason codes from here on are errors that a broker has sent; smaller ones are paho's own."""

CLUSTER_TOPICS = (topics.NODE_STATE, topics.MEMBERS, topics.PLAN)


@dataclass(slots=True)
class BrokerFacts:
    """All that a broker told. `echo` and `cluster` are None if it did not accept our login."""

    answer: BrokerAnswer
    echo: EchoAnswer | None = None
    cluster: ClusterFacts | None = None
    members: MemberList | None = None
    plan: PlanOffer | None = None
    nodes: dict[str, NodeState] = field(default_factory=dict)
    earlier: dict[str, FrameCounts] = field(default_factory=dict)
    """The counts of cameras that are online, a moment before those in `cluster`."""

    def on_message(self, full_topic: str, payload: bytes, prefix: str) -> None:
        """Remember a message. As in `deepthings status`, messages that this release does not understand are ignored."""
        with contextlib.suppress(ValidationError):
            if full_topic == topics.MEMBERS.full_path(prefix=prefix):
                self.members = topics.MEMBERS.message.model_validate_json(payload)
            elif full_topic == topics.PLAN.full_path(prefix=prefix):
                self.plan = topics.PLAN.message.model_validate_json(payload)
            elif full_topic.startswith(topics.NODE_CLAIM.full_path("", prefix=prefix)):
                pass  # another process claims the name that is in the topic of our message
            elif full_topic.startswith(topics.NODE_STATE.full_path("", prefix=prefix)):
                (name,) = topics.NODE_STATE.names_in(full_topic, prefix)
                if len(self.nodes) < MAX_HEARD_NODES:
                    self.nodes[name] = topics.NODE_STATE.message.model_validate_json(payload)
            elif self.cluster is not None:
                self.cluster.on_message(full_topic, payload)


async def ask_broker(broker: Address, login: Login, prefix: str, name: str = "") -> BrokerFacts:
    """Log in, send a message to ourselves, and read the retained messages. `name` is this edge's; empty if it is none.

    The broker lets an edge publish below its own name only, so the message to ourselves needs it.
    """
    try:
        client = BrokerClient(broker, f"deepthings-doctor-{new_instance()}", login=login)
        client.timeout = BROKER_STEP_TIMEOUT_S
        async with client.connection():
            return await _read(client, login, prefix, name or NOBODY)
    except (aiomqtt.MqttError, OSError) as error:
        return BrokerFacts(await _explain(broker, login, error))


async def _read(client: BrokerClient, login: Login, prefix: str, name: str) -> BrokerFacts:
    facts = BrokerFacts(BrokerAnswer(BrokerReply.CONNECTED, user=login.username), cluster=ClusterFacts(prefix))
    echo = topics.NODE_CLAIM.full_path(name, prefix=prefix)
    for path in (*(topic.full_path(prefix=prefix) for topic in (*STATUS_TOPICS, *CLUSTER_TOPICS)), echo):
        with contextlib.suppress(aiomqtt.MqttCodeError):  # a subscription that is refused delivers nothing
            await client.subscribe_checked(path, 0)
    mark, refused = secrets.token_hex(8), ""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = [(MARK_NAME, mark)]
    try:
        await client.publish_checked(echo, b"", 1, retain=False, properties=properties)
    except aiomqtt.MqttCodeError as error:
        refused = broker_reason(error)
    facts.echo = EchoAnswer(echo, came=False, refused=refused)
    if await _hear(client, facts, prefix, ECHO_TIMEOUT_S, mark):
        facts.echo = EchoAnswer(echo, came=True)
    await _watch_cameras(client, facts, prefix)
    return facts


async def _watch_cameras(client: BrokerClient, facts: BrokerFacts, prefix: str) -> None:
    """Listen for OBSERVED_S to the frame counts of the cameras that are online; keep the counts of the begin."""
    cameras = facts.cluster.cameras if facts.cluster is not None else {}
    facts.earlier = {name: stats.counts for name, stats in cameras.items() if stats.state is State.ONLINE}
    if facts.earlier:
        await _hear(client, facts, prefix, OBSERVED_S)


async def _hear(client: BrokerClient, facts: BrokerFacts, prefix: str, seconds: float, mark: str = "") -> bool:
    """Remember the messages of the next `seconds`. Return True as soon as the message with our `mark` comes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                message = await client.next_message()
                if mark and dict(getattr(message.properties, "UserProperty", [])).get(MARK_NAME) == mark:
                    return True
                if isinstance(message.payload, bytes) and message.payload:
                    facts.on_message(str(message.topic), message.payload, prefix)
    return False


async def _explain(broker: Address, login: Login, error: BaseException) -> BrokerAnswer:
    """Return the reason why the connection failed: what answers at this address instead of our broker."""
    reason = broker_reason(error)
    if is_refusal(error):
        return BrokerAnswer(BrokerReply.REFUSED, refusal_message(broker, login, reason), login.username)
    if isinstance(error, PeerRefusedError) or isinstance(error.__context__, PeerRefusedError):
        return BrokerAnswer(BrokerReply.OTHER_CLUSTER, reason)
    busy = isinstance(error, aiomqtt.MqttCodeError) and getattr(error.rc, "value", 0) >= MIN_BROKER_CODE
    silent = isinstance(error, TimeoutError) or reason == NO_ANSWER
    if login.tls is not None:
        unencrypted = isinstance(error.__context__, ssl.SSLError) or reason == ENDED_TLS or silent
        if unencrypted and await _answers_plain(broker):
            return BrokerAnswer(BrokerReply.PLAIN, reason)
    elif not busy and await _speaks_tls(broker):
        return BrokerAnswer(BrokerReply.ENCRYPTED, reason)
    return BrokerAnswer(BrokerReply.SILENT if silent or busy else BrokerReply.NO_BROKER, reason)


async def _answers_plain(broker: Address) -> bool:
    """Return whether a broker answers there without encryption."""
    try:
        async with asyncio.timeout(BROKER_STEP_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*broker)
            with contextlib.closing(writer):
                writer.write(CONNECT_PACKET)
                return (await reader.readexactly(1))[0] == CONNACK_BYTE
    except (OSError, asyncio.IncompleteReadError):
        return False


async def _speaks_tls(broker: Address) -> bool:
    """Return whether something makes encrypted connections there; nothing is sent over one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(BROKER_STEP_TIMEOUT_S):
            _, writer = await asyncio.open_connection(*broker, ssl=context)
            writer.close()
    except OSError:  # an SSLError, too
        return False
    return True
