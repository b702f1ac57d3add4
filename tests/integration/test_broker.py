"""The gateway's own Mosquitto, and the bus on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import aiomqtt
import pytest

import gateway.broker.broker_folder
import gateway.broker.mosquitto
from gateway.broker.broker_listeners import BrokerListener, cluster_listener, public_listener
from gateway.broker.mosquitto import own_broker
from shared.errors import BrokerError, ListenError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.outgoing import Outgoing
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.bridge import Response
from shared.payloads.cluster import BridgeState, FrameDone, NodeState, State
from tests.harness import broker_at, connected, cut_off
from tests.ports import free_port

ONLINE = BridgeState(state=State.ONLINE, protocol=1)
OFFLINE = BridgeState(state=State.OFFLINE, protocol=1)


@pytest.fixture
async def broker():
    address = Address(LOOPBACK, free_port())
    async with broker_at(address):
        yield address


def hearing(bus, topic):
    """A queue of all messages of a topic."""
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    bus.on(topic, lambda name, message: heard.put_nowait((name, message)))
    return heard


async def test_the_broker_starts_and_leaves_nothing_behind():
    address = Address(LOOPBACK, free_port())
    async with broker_at(address) as broker:
        process = broker.process
        async with aiomqtt.Client(*address) as client:
            await client.publish("deepthings/test", b"1", qos=1)
        assert process.returncode is None
    assert process.returncode is not None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


async def test_a_used_port_is_named_with_what_to_do():
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        address = Address(*held.getsockname())
        for listener, cure in (
            (public_listener(address), f"--broker {address}, or choose another --port"),
            (cluster_listener(address), "another gateway running there.*choose another --cluster-port"),
        ):
            with pytest.raises(ListenError, match=cure):
                async with own_broker(listener):
                    pass


async def test_a_missing_mosquitto_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(gateway.broker.mosquitto, "SYSTEM_FOLDERS", "/nowhere")
    with pytest.raises(BrokerError, match="sudo apt install mosquitto"):
        async with broker_at(Address(LOOPBACK, free_port())):
            pass


async def test_a_mosquitto_that_ends_at_once_is_quoted(monkeypatch, tmp_path):
    broken = tmp_path / "mosquitto"
    broken.write_text("#!/bin/sh\necho 'Error: no such thing' >&2\nexit 3\n")
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(gateway.broker.mosquitto, "find_mosquitto", lambda: str(broken))
    monkeypatch.setattr(gateway.broker.broker_folder, "MOSQUITTO_USERS", ())
    with pytest.raises(BrokerError, match=r"exit code 3\): Error: no such thing"):
        async with broker_at(Address(LOOPBACK, free_port())):
            pass


async def test_a_broker_that_refuses_us_is_an_error_and_not_a_wait():
    address = Address(LOOPBACK, free_port())
    async with own_broker(BrokerListener(address, "stop it", anonymous=False)):
        with pytest.raises(BrokerError, match="refuses devices without keys"):
            await asyncio.wait_for(Bus(address, "stranger").run(), 10)


async def test_messages_arrive_typed_with_the_name_from_the_topic(broker):
    listener, speaker = Bus(broker, "listener"), Bus(broker, "speaker")
    heard = hearing(listener, topics.OUTCOMES)
    async with connected(listener), connected(speaker):
        message = FrameDone(frame="front-1", outcome="published")
        await speaker.publish(topics.OUTCOMES, message, "edge-1")
        assert await asyncio.wait_for(heard.get(), 5) == ("edge-1", message)


async def test_a_malformed_message_is_ignored_and_the_next_is_heard(broker, caplog):
    listener, where = Bus(broker, "listener"), topics.OUTCOMES.full_path("edge-1")
    heard = hearing(listener, topics.OUTCOMES)
    async with connected(listener), aiomqtt.Client(*broker) as client:
        for garbage in (b"", b"{", b"[]", b'{"frame": 1}', b"\xff\xfe"):
            await client.publish(where, garbage, qos=1)
        await client.publish(where, b'{"frame": "front-1", "outcome": "failed", "new": 1}', qos=1)
        _, message = await asyncio.wait_for(heard.get(), 5)
    assert message.outcome == "failed"
    assert caplog.text.count("message ignored") == 1  # one of a kind in a minute


async def test_the_will_is_said_for_those_who_vanish_and_those_who_leave(broker):
    listener = Bus(broker, "listener")
    heard = hearing(listener, topics.BRIDGE_STATE)
    async with connected(listener):
        for vanish in (True, False):
            bus = Bus(broker, "gateway", will=Outgoing(topics.BRIDGE_STATE, OFFLINE))
            async with connected(bus):
                await bus.publish(topics.BRIDGE_STATE, ONLINE)
                assert (await asyncio.wait_for(heard.get(), 5))[1] == ONLINE
                if vanish:
                    cut_off(bus)
                    assert (await asyncio.wait_for(heard.get(), 5))[1] == OFFLINE
                    await asyncio.wait_for(bus.connected.wait(), 10)
            assert (await asyncio.wait_for(heard.get(), 5))[1] == OFFLINE
    late = Bus(broker, "late")
    remembered = hearing(late, topics.BRIDGE_STATE)
    async with connected(late):
        assert (await asyncio.wait_for(remembered.get(), 5))[1] == OFFLINE


async def test_the_bus_comes_back_with_its_subscriptions_and_birth_when_the_broker_does():
    address = Address(LOOPBACK, free_port())
    births: asyncio.Queue[None] = asyncio.Queue()

    async def birth():
        births.put_nowait(None)

    listener = Bus(address, "listener", on_connected=birth)
    heard = hearing(listener, topics.OUTCOMES)
    running = asyncio.create_task(listener.run())
    for _ in range(2):
        async with broker_at(address):
            await asyncio.wait_for(births.get(), 15)
            async with aiomqtt.Client(*address) as client:
                await client.publish(
                    topics.OUTCOMES.full_path("edge-1"), b'{"frame": "front-1", "outcome": "failed"}', qos=1
                )
            await asyncio.wait_for(heard.get(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_two_clients_of_one_name_do_not_fight_for_ever(broker):
    buses = [Bus(broker, "deepthings-edge-1") for _ in range(2)]
    for bus in buses:
        hearing(bus, topics.PLAN)
    both = [asyncio.create_task(bus.run()) for bus in buses]
    ended, staying = await asyncio.wait(both, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    (loser,) = ended
    with pytest.raises(BrokerError, match="give each edge its own --name"):
        loser.result()
    (winner,) = staying
    winner.cancel()
    await asyncio.gather(winner, return_exceptions=True)


async def test_publishing_without_a_broker_is_an_error_and_posting_is_bounded(broker, monkeypatch, caplog):
    bus = Bus(broker, "speaker")
    with pytest.raises(BrokerError, match="not connected"):
        await bus.publish(topics.BRIDGE_STATE, ONLINE)
    monkeypatch.setattr("shared.mqtt.bus.MAX_PENDING_CALLS", 3)
    for _ in range(5):
        bus.publish_soon(topics.BRIDGE_STATE, ONLINE)
    assert len(bus._outbox) == 3
    assert caplog.text.count("3 messages already wait for the broker") == 2
    await asyncio.gather(*bus._outbox)


async def test_a_message_above_the_brokers_limit_is_refused_before_it_is_sent(broker):
    bus = Bus(broker, "speaker")
    async with connected(bus):
        answer = Response(command="info", ok=True, data={"said": "x" * 2_000_000})
        with pytest.raises(BrokerError, match="too large"):
            await bus.publish(topics.RESPONSE, answer, "info")
        await bus.publish(topics.BRIDGE_STATE, ONLINE)


async def test_retained_and_passing_topics_are_published_as_the_table_says(broker):
    speaker = Bus(broker, "speaker")
    node = NodeState(node="edge-1", state=State.ONLINE, protocol=1)
    async with connected(speaker):
        await speaker.publish(topics.NODE_STATE, node, "edge-1")
        await speaker.publish(topics.OUTCOMES, FrameDone(frame="front-1", outcome="failed"), "edge-1")
        listener = Bus(broker, "listener")
        states, outcomes = hearing(listener, topics.NODE_STATE), hearing(listener, topics.OUTCOMES)
        async with connected(listener):
            assert await asyncio.wait_for(states.get(), 5) == ("edge-1", node)
            assert outcomes.empty()


CAMERAS, TOPICS_OF_A_CAMERA = 100, 28
"""Stats, availability, five settings, counts of five labels in the picture and in three zones, and a snapshot."""


async def test_who_subscribes_late_gets_all_that_a_hundred_cameras_have_retained(broker):
    """Also the pictures; Mosquitto's usual thousand queued messages are too few."""
    wanted = {f"deepthings/{camera}/{number}" for camera in range(CAMERAS) for number in range(TOPICS_OF_A_CAMERA)}
    async with aiomqtt.Client(*broker, max_inflight_messages=100) as client:
        for topic in sorted(wanted):
            payload = b"\xff\xd8" + bytes(60_000) if topic.endswith("/0") else b"{}" * 100
            await client.publish(topic, payload, qos=1, retain=True)
    heard = set()
    async with aiomqtt.Client(*broker) as client, asyncio.timeout(60):
        await client.subscribe("deepthings/#", qos=1)
        async for message in client.messages:
            heard.add(str(message.topic))
            if heard == wanted:
                return


async def test_a_broker_that_is_killed_is_started_again(caplog):
    address = Address(LOOPBACK, free_port())
    async with broker_at(address) as broker:
        running = asyncio.create_task(broker.run())
        try:
            for _ in range(2):
                broker.process.kill()
                await broker.process.wait()
                async with asyncio.timeout(20):
                    while True:
                        with contextlib.suppress(aiomqtt.MqttError):
                            async with aiomqtt.Client(*address) as client:
                                await client.publish("deepthings/test", b"1", qos=1)
                                break
                        await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert "Mosquitto ended unexpectedly (exit code -9); restarting it" in caplog.text
