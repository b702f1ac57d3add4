"""A consumer or an edge that misbehaves, at a real broker with logins: the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import struct
import threading
import time

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.broker import broker_folder
from gateway.broker.login_problems import LoginProblems
from gateway.broker.node_rates import NodeRates
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from tests.harness import broker_at, connected
from tests.integration.test_broker_access import Broker, refusal, running
from tests.ports import free_port

BIG = bytes(900_000)


@pytest.fixture
async def broker(tmp_path):
    async with running(Broker(tmp_path)) as made:
        yield made


def gateway_bus(broker):
    return Bus(broker.places.cluster, "gateway-2", login=broker.access.login, clears_commands=True)


async def user(broker, name):
    password = broker.users.add(name)
    broker.access.change()
    await broker.access.applied()
    return broker.user(name, password)


async def test_a_command_that_is_retained_is_done_and_does_not_stay(broker):
    bus, done = gateway_bus(broker), asyncio.Queue()
    bus.on_plain(topics.CAMERA_SET, done.put_nowait)
    where = topics.CAMERA_SET.full_path("door", "detect")
    async with connected(bus), (person := await user(broker, "anna")).connection():
        await person.publish_checked(where, b"OFF", 1, retain=True)
        command = await asyncio.wait_for(done.get(), 5)
        assert (command.payload, command.retained) == (b"OFF", False)
        await bus.publish_at("deepthings/end", b"end", retain=True)  # behind what removes the other
        late = broker.gateway
        async with late.connection(), asyncio.timeout(5):
            await late.subscribe_checked("#", 1)
            assert str((await late.next_message()).topic) == "deepthings/end"
            await late.subscribe_checked(where, 1)
            assert late.waiting == 0
        assert done.empty()  # what the gateway removes, it does not take for a command


async def test_the_gateway_answers_only_where_answers_are(broker):
    bus, asked = gateway_bus(broker), asyncio.Queue()
    bus.on_plain(topics.REQUEST, asked.put_nowait)
    async with connected(bus), (person := await user(broker, "anna")).connection():
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = topics.PLAN.full_path()
        await person.publish_checked(topics.REQUEST.full_path("info"), b"", 1, retain=False, properties=properties)
        request = await asyncio.wait_for(asked.get(), 5)
        with pytest.raises(BrokerError, match="must begin with deepthings/bridge/response/"):
            await bus.publish_response(request, None)


async def test_an_edge_that_floods_is_kept_out_and_the_others_lose_nothing(broker):
    lost, received = [], []
    problems = LoginProblems(broker.access, NodeRates(), "deepthings", lost.append)
    bus = gateway_bus(broker)
    for topic in (topics.TASKS, topics.NODE_STATS):
        bus.on_plain(topic, lambda message: received.append(message.payload) if message.names == ("porch",) else None)
    bus.on_arrival(problems.on_arrival)
    last = asyncio.Event()
    bus.on_plain(topics.STEAL, lambda _: last.set())
    attic, porch, gone = broker.edge("attic"), broker.edge("porch"), asyncio.Event()
    sent = []

    async def flood():
        with contextlib.suppress(aiomqtt.MqttError):
            while not gone.is_set():
                for _ in range(30):
                    attic.post(topics.TASKS.full_path("attic"), b"x" * 100)
                while attic.posted and not gone.is_set():  # noqa: ASYNC110  (until the socket has taken them)
                    await asyncio.sleep(0)

    async def talk():
        while not gone.is_set():
            sent.append(b"%d" % len(sent))
            await porch.publish_checked(topics.NODE_STATS.full_path("porch"), sent[-1], 1, retain=False)
            await asyncio.sleep(0.02)

    async with connected(bus), porch.connection(), asyncio.timeout(30):
        with contextlib.suppress(aiomqtt.MqttError):
            async with attic.connection(gone.set):
                await asyncio.gather(flood(), talk())
        await porch.publish_checked(topics.STEAL.full_path("porch"), b"last", 1, retain=False)
        await last.wait()
    assert lost == ["attic"]
    assert received == sent
    assert "edge attic sent more than" in problems.problems(time.monotonic())[0]


def send_commands(address, name, password, stop):
    """As fast as the broker takes them, and with QoS 0, as no usual client does."""

    def text(word):
        return struct.pack(">H", len(word)) + word.encode()

    with contextlib.suppress(OSError), socket.create_connection(address) as connection:
        login = text("MQTT") + bytes([4, 0xC2, 0, 60]) + text("flood") + text(name) + text(password)
        connection.sendall(bytes([0x10, len(login)]) + login)
        assert connection.recv(4)[3] == 0
        command = text(topics.REQUEST.full_path("info")) + b"{}"
        while not stop.is_set():
            connection.sendall((bytes([0x30, len(command)]) + command) * 500)


@pytest.mark.skipif(shutil.which("ss") is None, reason="without it the system does not tell who sends most")
async def test_a_user_who_floods_is_kept_out_and_another_one_is_not(broker):
    password = broker.users.add("flood")
    anna = await user(broker, "anna")
    problems = LoginProblems(broker.access, NodeRates(), "deepthings", lambda _: None)
    problems.broker, bus, stop = broker.process, gateway_bus(broker), threading.Event()
    bus.on_plain(topics.REQUEST, lambda _: None)
    bus.on_arrival(problems.on_arrival)
    async with connected(bus), anna.connection(), asyncio.timeout(60):
        watching = asyncio.create_task(problems.run(bus.connected))
        await problems.checked.wait()
        place = tuple(broker.places.public)
        try:
            await asyncio.to_thread(send_commands, place, "flood", password, stop)  # until it is disconnected
        finally:
            stop.set()
            watching.cancel()
        assert any("user flood sent more than" in problem for problem in problems.problems(time.monotonic()))
        assert "Not authorized" in await refusal(broker.user("flood", password))
        await anna.publish_checked(topics.REQUEST.full_path("info"), b"", 1, retain=False)


async def test_a_full_broker_starts_again_empty(tmp_path, monkeypatch):
    write = broker_folder.BrokerFolder.write_configuration

    def small(self, listeners):
        write(self, listeners)
        text = self.configuration.read_text().replace("memory_limit 268435456", "memory_limit 16000000")
        assert "16000000" in text
        self._write("mosquitto.conf", text.encode())

    monkeypatch.setattr(broker_folder.BrokerFolder, "write_configuration", small)
    async with running(Broker(tmp_path)) as broker:
        first, person = broker.process.process, await user(broker, "anna")
        with contextlib.suppress(aiomqtt.MqttError):  # which the broker disconnects
            async with person.connection(), asyncio.timeout(20):
                for number in range(30):
                    where = topics.CAMERA_SET.full_path(f"invented-{number}", "detect")
                    await person.publish_checked(where, BIG, 1, retain=True)
        async with asyncio.timeout(20):
            await first.wait()
            await broker.process._listens.wait()
        assert broker.process.was_full(time.monotonic())
        async with broker.gateway.connection():  # it lets in whom it should
            pass


CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 000a 0000")
"""A client of MQTT 3.1.1 without a name."""


def publish_and_vanish(address):
    """Publish with QoS 1 and be gone before the broker acknowledges it, as a device whose power fails."""
    topic = topics.REQUEST.full_path("info").encode()
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close: with a reset
        connection.sendall(CONNECT)
        connection.recv(4)
        message = struct.pack(">H", len(topic)) + topic + struct.pack(">H", 1) + b"{}"
        connection.sendall(bytes([0x32, len(message)]) + message)


async def test_a_client_that_is_gone_before_its_acknowledgement_restarts_no_broker(caplog):
    """Mosquitto before 2.0.22 says that it has no memory then."""
    address = Address(LOOPBACK, free_port())
    async with broker_at(address) as broker:
        process, bus = broker.process, Bus(address, "stays")
        async with connected(bus):
            for _ in range(200):
                await asyncio.to_thread(publish_and_vanish, tuple(address))
            await bus.publish_at("deepthings/end", b"end", retain=True)
            assert bus.connected.is_set()
        assert broker.process is process
        assert process.returncode is None
        assert not broker.was_full(time.monotonic())
    assert "no memory left" not in caplog.text
    assert "out of memory" not in caplog.text
