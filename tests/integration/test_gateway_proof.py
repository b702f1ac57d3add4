"""The proof of a gateway at an address that somebody announced, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from shared.errors import PeerRefusedError
from shared.mqtt import member_login
from shared.mqtt.member_login import require_gateway_at
from shared.network.addresses import LOOPBACK, Address
from shared.security.member_list import Role
from tests.members import KeyedCluster


@pytest.fixture
def home(tmp_path):
    return KeyedCluster(tmp_path / "home")


@pytest.fixture
def edge(home):
    return home.identity(Role.EDGE, "porch")


@contextlib.asynccontextmanager
async def answering(identity=None, says=b""):
    """Somebody who listens: with keys, or with these bytes in plain text; yields the address and all that came."""
    context = None
    if identity is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate_file, identity.key_file)
    heard, sessions = bytearray(), set()

    async def serve(reader, writer):
        sessions.add(asyncio.current_task())
        writer.write(says)
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                heard.extend(data)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=context)
    try:
        yield Address(LOOPBACK, server.sockets[0].getsockname()[1]), heard
    finally:
        server.close()
        await asyncio.gather(*sessions)


async def test_the_gateway_proves_itself_and_is_told_nothing(home, edge):
    async with answering(home.identity(Role.GATEWAY, "gateway")) as (place, heard):
        await require_gateway_at(place, edge)
    assert not heard


async def test_another_member_is_not_the_gateway(home, edge):
    async with answering(home.identity(Role.EDGE, "shed")) as (place, heard):
        with pytest.raises(PeerRefusedError, match="edge 'shed' answers there, and not the gateway"):
            await require_gateway_at(place, edge)
    assert not heard


async def test_the_gateway_of_another_cluster_is_refused(tmp_path, edge):
    other = KeyedCluster(tmp_path / "other").identity(Role.GATEWAY, "gateway")
    async with answering(other) as (place, heard):
        with pytest.raises(PeerRefusedError, match="it is not the gateway of the cluster"):
            await require_gateway_at(place, edge)
    assert not heard


async def test_who_speaks_no_tls_is_refused_and_learns_nothing_of_the_edge(edge):
    async with answering(says=b"220 welcome\r\n") as (place, heard):
        with pytest.raises(ssl.SSLError):
            await require_gateway_at(place, edge)
    assert edge.token.encode() not in heard
    assert b"porch" not in heard


async def test_who_says_nothing_holds_an_edge_up_for_a_moment_only(edge, monkeypatch):
    monkeypatch.setattr(member_login, "PROOF_TIMEOUT_S", 0.2)
    async with answering() as (place, _):
        with pytest.raises(TimeoutError):
            await require_gateway_at(place, edge)
