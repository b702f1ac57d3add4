"""Who gets in at a server with keys, on real sockets: members do, and strangers lose their own connection only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

import pytest

from shared.errors import PeerLostError, ProtocolError
from shared.network.addresses import LOOPBACK, Address
from shared.security.data_security import ANY_EDGE, THE_GATEWAY, ExpectedPeer
from shared.security.member_list import Role
from shared.wire import entrance
from shared.wire.camera_headers import CameraHeader, ReadyHeader
from shared.wire.codec import MessageKind, encode_prefix
from shared.wire.connection import Connection
from shared.wire.headers import (
    AbsentHeader,
    LinkHeader,
    PictureRequestHeader,
    ProgramHeader,
    ProgramRequestHeader,
    SettingsRequestHeader,
    TakeHeader,
)
from shared.wire.permissions import EDGE_DOOR, GATEWAY_DOOR
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic
from tests.members import KeyedCluster

TAKE = TakeHeader(thief="porch", epoch=1)
PROGRAM = ProgramRequestHeader(sha256="0" * 64)


async def answer_all(connection, header, payload):
    """Answer every message with the name of its kind."""
    while True:
        await connection.send(AbsentHeader(reason=f"{header.kind.name} {payload.size}"))
        header, payload = await connection.receive()


@contextlib.asynccontextmanager
async def serving(security, door, serve=answer_all):
    server = DataServer(serve, Address(LOOPBACK, 0), WireTraffic(security), door)
    running = asyncio.create_task(server.run())
    try:
        yield server.address
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def cluster(tmp_path):
    return KeyedCluster(tmp_path / "cluster")


@pytest.fixture
async def edge(cluster):
    """The address of an edge called hall, with keys."""
    async with serving(cluster.member(Role.EDGE, "hall"), EDGE_DOOR) as address:
        yield address


@pytest.fixture
async def gateway(cluster):
    """The address of the gateway."""
    async with serving(cluster.member(Role.GATEWAY, "gateway"), GATEWAY_DOOR) as address:
        yield address


async def answered(address, security, expected, request):
    """What a peer is answered."""
    connection = await Connection.open(address, WireTraffic(security), expected)
    try:
        return (await connection.request(request, AbsentHeader))[0].reason
    finally:
        connection.close()


async def refused(address, security, expected, request):
    """Why a peer is refused, in the words that it is told or finds itself."""
    with pytest.raises((PeerLostError, ProtocolError)) as error:
        await answered(address, security, expected, request)
    return str(error.value)


async def test_members_are_served_encrypted(cluster, edge, gateway):
    porch = cluster.member(Role.EDGE, "porch")
    assert await answered(edge, porch, ExpectedPeer(Role.EDGE, "hall"), TAKE) == "TAKE 0"
    assert await answered(gateway, porch, THE_GATEWAY, PROGRAM) == "PROGRAM_REQUEST 0"


async def test_nothing_of_a_message_can_be_read_on_its_way(cluster, gateway):
    porch, seen = cluster.member(Role.EDGE, "porch"), bytearray()

    async def relay(reader, writer):
        ahead, behind = await asyncio.open_connection(*gateway)

        async def copy(source, target):
            while data := await source.read(65536):
                seen.extend(data)
                target.write(data)
            target.close()

        await asyncio.gather(copy(reader, behind), copy(ahead, writer))

    relaying = await asyncio.start_server(relay, LOOPBACK, 0)
    address = Address(*relaying.sockets[0].getsockname())
    request = SettingsRequestHeader(camera="bedroom-camera", revision=1)
    assert await answered(address, porch, THE_GATEWAY, request) == "SETTINGS_REQUEST 0"
    relaying.close()
    assert len(seen) > 1000
    assert b"bedroom-camera" not in seen
    assert b"SETTINGS" not in seen
    assert b"porch" not in seen, "not even who they are"


async def test_a_stranger_without_keys_is_told_that_the_cluster_is_closed(edge, gateway):
    for address, request in ((edge, PictureRequestHeader(frame="door-1")), (gateway, PROGRAM), (gateway, TAKE)):
        said = await refused(address, None, None, request)
        assert "this cluster is closed to devices without keys: type 'deepthings invite" in said


async def test_a_member_of_another_cluster_is_refused_by_both_sides(edge, tmp_path):
    other = KeyedCluster(tmp_path / "other").member(Role.EDGE, "porch")
    assert "its certificate is not of this cluster" in await refused(edge, other, ANY_EDGE, TAKE)


async def test_who_shows_a_certificate_of_another_cluster_is_refused_even_if_it_asks_nobody_else_for_one(
    edge, tmp_path, caplog
):
    other = KeyedCluster(tmp_path / "other").member(Role.EDGE, "porch").client_context
    other.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(*edge, ssl=other)
    with contextlib.suppress(OSError):
        writer.write(bytes(encode_prefix(MessageKind.TAKE, 2, 0)) + b"{}")
        assert await reader.read() == b""
    writer.close()
    assert "refused: its certificate is not of this cluster: type 'deepthings invite" in caplog.text


async def test_a_certificate_that_is_not_in_the_list_is_refused_with_the_reason(cluster, edge):
    unlisted = cluster.security(cluster.identity(Role.EDGE, "porch", unlisted=True))
    assert "edge 'porch' is not a member of this cluster" in await refused(edge, unlisted, ANY_EDGE, TAKE)


async def test_a_member_asks_only_what_its_role_may(cluster, edge, gateway):
    porch, door = cluster.member(Role.EDGE, "porch"), cluster.member(Role.CAMERA, "door")
    picture = PictureRequestHeader(frame="door-1")
    assert "edge 'porch' may not send PICTURE_REQUEST to an edge" in await refused(edge, porch, ANY_EDGE, picture)
    for request in (TAKE, picture):
        assert "camera 'door' may not send" in await refused(edge, door, ANY_EDGE, request)
    for request in (PROGRAM, SettingsRequestHeader(camera="door", revision=1), LinkHeader(node="porch")):
        assert "camera 'door' may not send" in await refused(gateway, door, THE_GATEWAY, request)
    assert await answered(edge, door, ANY_EDGE, CameraHeader(camera="door")) == "CAMERA 0"


async def test_an_address_at_which_another_member_answers_is_not_talked_to(cluster, edge, gateway):
    porch = cluster.member(Role.EDGE, "porch")
    expected = ExpectedPeer(Role.EDGE, "attic")
    assert "edge 'hall' answers there instead of edge 'attic'" in await refused(edge, porch, expected, TAKE)
    assert "edge 'hall' answers there instead of the gateway" in await refused(edge, porch, THE_GATEWAY, PROGRAM)
    assert "the gateway answers there instead of edge 'attic'" in await refused(gateway, porch, expected, TAKE)


async def test_a_revoked_member_loses_its_open_connections_and_gets_no_new_ones(cluster, edge):
    porch = cluster.member(Role.EDGE, "porch")
    connection = await Connection.open(edge, WireTraffic(porch), ANY_EDGE)
    await connection.request(TAKE, AbsentHeader)
    other = await Connection.open(edge, WireTraffic(cluster.member(Role.EDGE, "attic")), ANY_EDGE)
    await other.request(TAKE, AbsentHeader)
    cluster.revoke(Role.EDGE, "porch")
    with pytest.raises(PeerLostError):
        await connection.request(TAKE, AbsentHeader)
    assert "edge 'porch' was revoked; to let it in again" in await refused(edge, porch, ANY_EDGE, TAKE)
    await other.request(TAKE, AbsentHeader)
    other.close()


async def test_what_is_not_a_handshake_costs_its_own_connection_only(cluster, edge, caplog):
    for greeting in (b"\x16" + os.urandom(4000), b"\x16\x03\x01", b"\x16\x03\x01\x40\x00" + bytes(0x4000) * 8):
        reader, writer = await asyncio.open_connection(*edge)
        writer.write(greeting)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            assert b"DpTh" not in await reader.read()
        writer.close()
    assert await answered(edge, cluster.member(Role.EDGE, "porch"), ANY_EDGE, TAKE) == "TAKE 0"
    assert caplog.text.count("refused") == 1, "once a minute for each address"


async def test_a_handshake_that_does_not_go_on_is_ended(edge, monkeypatch, caplog):
    monkeypatch.setattr(entrance, "HANDSHAKE_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection(*edge)
    writer.write(b"\x16")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert "it did not finish the handshake" in caplog.text


async def test_while_the_cluster_is_open_devices_without_keys_take_part_with_a_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(entrance, "is_loopback", lambda _: False)
    cluster = KeyedCluster(tmp_path, is_open=True)
    async with serving(cluster.member(Role.EDGE, "hall"), EDGE_DOOR) as edge:
        old = await Connection.open(edge, WireTraffic())
        await old.request(TakeHeader(thief="old", epoch=1), AbsentHeader)
        assert f"{LOOPBACK} has no keys; it takes part until the cluster is closed" in caplog.text
        assert "PICTURE_REQUEST is not taken without keys: type 'deepthings invite" in await refused(
            edge, None, None, PictureRequestHeader(frame="door-1")
        )
        assert await answered(edge, cluster.member(Role.EDGE, "porch"), ANY_EDGE, TAKE) == "TAKE 0"
        cluster.close()
        with pytest.raises(PeerLostError):
            await old.request(TAKE, AbsentHeader)
        assert "this cluster is closed" in await refused(edge, None, None, TAKE)


async def test_a_member_reaches_an_edge_without_keys_while_the_cluster_is_open(tmp_path):
    cluster = KeyedCluster(tmp_path, is_open=True)
    porch = cluster.member(Role.EDGE, "porch")
    async with serving(None, EDGE_DOOR) as old:
        assert await answered(old, porch, ExpectedPeer(Role.EDGE, "old"), TAKE) == "TAKE 0"
        cluster.identity(Role.EDGE, "hall")
        said = await refused(old, porch, ExpectedPeer(Role.EDGE, "hall"), TAKE)
        assert "it does not encrypt, so it has no keys of this cluster" in said or "ended the connection" in said


async def test_what_nobody_asked_for_is_refused_before_its_bytes_come(cluster, gateway):
    porch = cluster.member(Role.EDGE, "porch")
    connection = await Connection.open(gateway, WireTraffic(porch), THE_GATEWAY)
    await connection.send(ProgramHeader(sha256="0" * 64), [memoryview(bytes(1000))])
    with pytest.raises(ProtocolError, match="edge 'porch' may not send PROGRAM to a gateway"):
        await connection.receive()


async def test_an_answer_larger_than_announced_is_refused_before_its_bytes_come(cluster):
    async def send_much(connection, _, __):
        await connection.send(ProgramHeader(sha256="0" * 64), [memoryview(bytes(1001))])
        await connection.receive()

    porch = cluster.member(Role.EDGE, "porch")
    async with serving(cluster.member(Role.GATEWAY, "gateway"), GATEWAY_DOOR, send_much) as gateway:
        connection = await Connection.open(gateway, WireTraffic(porch), THE_GATEWAY)
        with pytest.raises(ProtocolError, match="sent PROGRAM with 1001 bytes instead of at most 1000"):
            await connection.request(PROGRAM, ProgramHeader, max_payload=1000)


async def test_an_answer_of_another_kind_is_refused(cluster, edge):
    porch = cluster.member(Role.EDGE, "porch")
    connection = await Connection.open(edge, WireTraffic(porch), ANY_EDGE)
    with pytest.raises(ProtocolError, match="sent ABSENT instead of READY"):
        await connection.request(TAKE, ReadyHeader)
