"""The data plane on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import tracemalloc

import numpy as np
import pytest

from shared.errors import ListenError, PeerLostError, PeerTimeoutError, ProtocolError, VersionError
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.frames import FrameInfo
from shared.payloads.versions import PROTOCOL
from shared.wire import connection as connection_module
from shared.wire.camera_headers import FrameHeader, ReadyHeader
from shared.wire.codec import MAGIC, MessageKind, encode_prefix
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, TakeHeader
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled

INFO = FrameInfo(frame="front-1", camera="front", number=1, captured_at=1.0, height=480, width=640)


@contextlib.asynccontextmanager
async def serving(serve, bound_of=None):
    """A server that runs `serve`, and its traffic."""
    traffic = WireTraffic()
    server = DataServer(serve, Address(LOOPBACK, 0), traffic, bound_of=bound_of)
    running = asyncio.create_task(server.run())
    try:
        yield server.address, traffic
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def echo(connection, header, payload):
    while True:
        await connection.send(header, [payload.data] if payload.size else [])
        header, payload = await connection.receive()


async def healthy(address):
    """Whether the server still answers."""
    peer = await Connection.open(address, WireTraffic())
    await peer.send(ReadyHeader())
    header, _ = await peer.receive()
    peer.close()
    return isinstance(header, ReadyHeader)


async def raw(address, *data):
    """Send bytes that are no message, and return what comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection(*address)
    for part in data:
        writer.write(part)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer
    writer.close()
    return b""


async def test_a_picture_crosses_whole_and_is_counted():
    picture = np.random.default_rng(1).integers(0, 256, 480 * 640 * 3, np.uint8)
    async with serving(echo) as (address, traffic):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(FrameHeader(info=INFO), [picture.data])
        header, payload = await peer.expect(FrameHeader)
        peer.close()
    assert header == FrameHeader(info=INFO)
    assert np.array_equal(payload, picture)
    assert traffic["frame"] > picture.size


async def test_messages_in_both_directions_at_once_do_not_mix():
    async with serving(echo) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        pictures = [np.full(480 * 640 * 3, value, np.uint8) for value in range(10)]
        async with asyncio.TaskGroup() as sending:
            for picture in pictures:
                sending.create_task(peer.send(FrameHeader(info=INFO), [picture.data]))
            received = [(await peer.expect(FrameHeader))[1] for _ in pictures]
        peer.close()
    assert sorted(int(payload[0]) for payload in received) == list(range(10))
    assert all((payload == payload[0]).all() for payload in received)


async def test_messages_that_are_sent_together_arrive_one_by_one():
    async with serving(echo) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        sent = [ReadyHeader(), TakeHeader(thief="edge-1", epoch=1), ReadyHeader(shared=True)]
        await peer.send_together(sent)
        assert [(await peer.receive())[0] for _ in sent] == sent
        peer.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n",
        b"\x00" * 64,
        b"\xff" * 4096,
        MAGIC + struct.pack("!BBHIQ", PROTOCOL, MessageKind.FRAME, 0, 2**31, 10),
        MAGIC + struct.pack("!BBHIQ", PROTOCOL, MessageKind.FRAME, 0, 10, 2**63),
        MAGIC + struct.pack("!BBHIQ", PROTOCOL, 99, 0, 10, 10),
        encode_prefix(MessageKind.TAKE, 5, 0) + b"{{{{{",
        encode_prefix(MessageKind.TAKE, 2, 0) + b"{}",
    ],
)
async def test_garbage_is_rejected_and_the_server_stays_healthy(garbage, caplog):
    async with serving(echo) as (address, traffic):
        answer = await asyncio.wait_for(raw(address, garbage), 10)
        assert await healthy(address)
    assert answer == b"" or answer.startswith(MAGIC)
    assert sum(traffic.values()) == traffic["ready"]
    assert "rejected" in caplog.text


async def test_a_peer_of_another_version_is_told_which_versions_met(caplog):
    async with serving(echo) as (address, _):
        await raw(address, MAGIC + struct.pack("!BBHIQ", 99, MessageKind.TAKE, 0, 0, 0))
    assert f"it speaks version 99 of the protocol, this side version {PROTOCOL}" in caplog.text

    async def other_version(reader, writer):
        await reader.read(20)
        writer.write(MAGIC + struct.pack("!BBHIQ", 99, MessageKind.READY, 0, 0, 0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other_version, LOOPBACK, 0)
    peer = await Connection.open(Address(*server.sockets[0].getsockname()), WireTraffic())
    await peer.send(ReadyHeader())
    with pytest.raises(VersionError, match="install the same release"):
        await peer.receive()
    server.close()
    assert peer.closed


async def test_a_peer_that_stops_in_the_middle_of_a_message_is_given_up(monkeypatch):
    monkeypatch.setattr(connection_module, "MESSAGE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(connection_module, "SLOWEST_LINK_BYTES_PER_S", 2**40)

    async def half(connection, _header, _payload):
        await connection._pipe.write([memoryview(encode_prefix(MessageKind.ABSENT, 100, 0) + b"{")])
        await connection.receive()

    async with serving(half) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(ReadyHeader())
        with pytest.raises(PeerTimeoutError, match="middle of a message"):
            await peer.receive()
    assert peer.closed


async def test_a_peer_that_does_not_answer_a_question_is_given_up(monkeypatch):
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT_S", 0.2)
    forever = asyncio.Event()

    async def frozen(_connection, _header, _payload):
        await forever.wait()

    async with serving(frozen) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        with pytest.raises(PeerTimeoutError, match="does not answer"):
            await asyncio.wait_for(peer.request(TakeHeader(thief="edge-1", epoch=1), AbsentHeader), 10)
        forever.set()
    assert peer.closed


async def test_a_peer_that_never_reads_is_given_up(monkeypatch):
    monkeypatch.setattr(connection_module, "MESSAGE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(connection_module, "SLOWEST_LINK_BYTES_PER_S", 2**40)
    forever = asyncio.Event()

    async def deaf(_connection, _header, _payload):
        await forever.wait()

    async with serving(deaf) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(ReadyHeader())
        picture = np.zeros(64 * 1024 * 1024, np.uint8)
        with pytest.raises(PeerTimeoutError, match="stopped reading"):
            await peer.send(FrameHeader(info=INFO), [picture.data])
        forever.set()
    assert peer.closed


async def test_a_connection_that_says_nothing_does_not_stay_for_ever(monkeypatch, caplog):
    monkeypatch.setattr("shared.wire.server.FIRST_MESSAGE_TIMEOUT_S", 0.2)
    async with serving(echo) as (address, _):
        assert await asyncio.wait_for(raw(address), 10) == b""
        assert await healthy(address)
    assert "it sent no message" in caplog.text


async def test_one_connection_too_many_is_closed_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr("shared.wire.connection_limits.MAX_CONNECTIONS", 2)
    async with serving(echo) as (address, _):
        first, second = [await Connection.open(address, WireTraffic()) for _ in range(2)]
        for peer in (first, second):
            await peer.send(ReadyHeader())
            await peer.receive()
        third = await Connection.open(address, WireTraffic())
        with pytest.raises(PeerLostError):
            await third.receive()
        await first.send(ReadyHeader())
        assert isinstance((await first.receive())[0], ReadyHeader)
        for peer in (first, second, third):
            peer.close()


async def test_closing_wakes_whoever_waits_to_receive():
    async with serving(echo) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        waiting = asyncio.create_task(peer.receive())
        await settled()
        peer.close()
        with pytest.raises(PeerLostError):
            await asyncio.wait_for(waiting, 5)
        with pytest.raises(PeerLostError, match="is closed"):
            await peer.send(ReadyHeader())


async def test_a_message_of_the_wrong_kind_ends_the_conversation():
    async with serving(echo) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(TakeHeader(thief="edge-1", epoch=1))
        with pytest.raises(ProtocolError, match="sent TAKE instead of ABSENT"):
            await peer.expect(AbsentHeader)
    assert peer.closed


async def test_nobody_there_and_a_used_port_say_so():
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        address = Address(*held.getsockname())
        with pytest.raises(PeerLostError, match=f"{address} cannot be reached"):
            await Connection.open(address, WireTraffic())
        with pytest.raises(ListenError, match="choose another address or port"):
            DataServer(echo, address, WireTraffic())


@pytest.mark.parametrize(
    "address",
    [
        Address(LOOPBACK, 70_000),
        Address(LOOPBACK, -1),
        Address("10.0.0.1\0", 80),
        Address("x" * 64 + ".example", 80),
        Address("", 0),
        Address("fe80::zz", 80),
    ],
)
async def test_an_address_that_cannot_be_is_a_peer_that_is_not_there(address):
    with pytest.raises(PeerLostError, match=r"cannot be reached: (invalid host name or port|host name not found|conn)"):
        await Connection.open(address, WireTraffic())


@pytest.mark.parametrize("address", [Address(LOOPBACK, 70_000), Address("x" * 64 + ".example", 0)])
def test_listening_where_nobody_can_is_an_error_that_says_what_to_do(address):
    with pytest.raises(
        ListenError, match=r"cannot listen on .*(invalid host name or port|not found.*); choose another address"
    ):
        DataServer(echo, address, WireTraffic())


async def test_what_is_sent_at_once_and_not_taken_follows_before_what_is_sent_next():
    arrived = asyncio.get_running_loop().create_future()

    async def keep(connection, *_):
        arrived.set_result(connection)
        await asyncio.sleep(60)

    async with serving(keep) as (address, traffic):
        connection = await Connection.open(address, traffic)
        await connection.send(ReadyHeader())
        big, small = np.arange(64 * 2**20, dtype=np.uint8), np.arange(20, dtype=np.uint8)
        assert connection.send_now([ReadyHeader(), FrameHeader(info=INFO)], [big.data])
        assert not connection.send_now([ReadyHeader()]), "the peer has not taken all yet"
        sending = asyncio.create_task(connection.send(FrameHeader(info=INFO), [small.data]))
        peer = await arrived
        await peer.expect(ReadyHeader)
        assert np.array_equal((await peer.expect(FrameHeader))[1], big)
        assert np.array_equal((await peer.expect(FrameHeader))[1], small)
        await sending
        assert connection.send_now([ReadyHeader()])
        await peer.expect(ReadyHeader)
        connection.close()
        with pytest.raises(PeerLostError):
            connection.send_now([ReadyHeader()])


async def test_a_payload_that_does_not_fit_its_header_is_refused_before_its_bytes_come():
    """The bytes never come: the refusal does not wait for them."""
    async with serving(echo, lambda header: 3 * header.info.height * header.info.width) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(FrameHeader(info=INFO), [np.zeros(480 * 640 * 3, np.uint8).data])
        await peer.receive()
        header = FrameHeader(info=INFO).encode()
        answer = await raw(address, encode_prefix(MessageKind.FRAME, len(header), 480 * 640 * 3 + 1), header)
        assert b"FRAME with 921601 bytes; at most 921600 fit the plan" in answer
        peer.close()
        assert await healthy(address)


async def test_a_small_payload_that_does_not_fit_its_header_is_refused_too():
    async with serving(echo, lambda _: 3) as (address, _):
        peer = await Connection.open(address, WireTraffic())
        await peer.send(FrameHeader(info=INFO), [memoryview(b"four")])
        with pytest.raises(ProtocolError, match="FRAME with 4 bytes; at most 3 fit the plan"):
            await peer.receive()


async def test_what_nobody_waits_for_is_dropped_without_room_for_it_and_the_next_message_is_served():
    async with serving(echo, lambda header: None if header.info.camera == "yard" else 10**6) as (address, traffic):
        peer = await Connection.open(address, WireTraffic())
        unasked = np.zeros(100 * 2**20, np.uint8)
        tracemalloc.start()
        try:
            await peer.send(FrameHeader(info=INFO.model_copy(update={"camera": "yard"})), [unasked.data])
            await peer.send(FrameHeader(info=INFO), [unasked[:10].data])
            header, payload = await peer.receive()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (header.info.camera, payload.size) == ("front", 10)
        peer.close()
        assert traffic["frame"] > unasked.nbytes
        assert most < 2**20
