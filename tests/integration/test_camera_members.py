"""A camera on a device of its own shows its pictures to the members of its cluster, as the gateway lists them."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from camera_sources.agent import known_members
from camera_sources.agent.agent import AgentConfig, CameraAgent
from camera_sources.agent.known_members import KnownMembers
from camera_sources.agent.member_finder import MemberFinder
from camera_sources.agent.selection import PictureSelection
from camera_sources.agent.source_reader import SourceReader
from camera_sources.camera_settings import CameraSettings
from camera_sources.open_source import open_source
from gateway.cluster.data_plane import DataPlane
from shared.errors import PeerLostError, PeerRefusedError
from shared.network import gateway_search
from shared.network.addresses import LOOPBACK, Address
from shared.security.data_security import ANY_EDGE, DataSecurity
from shared.security.key_folder import KNOWN_MEMBERS_FILE, read_gateway, store_gateway
from shared.security.member_list import Role
from shared.wire.camera_headers import CameraHeader, ReadyHeader
from shared.wire.connection import Connection
from shared.wire.headers import MembersHeader, MembersRequestHeader
from shared.wire.permissions import EDGE_DOOR
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic
from tests.members import KeyedCluster
from tests.settling import until


class Home:
    """A gateway and an edge called hall, with keys; and the keys of the camera yard."""

    def __init__(self, folder):
        self.cluster = KeyedCluster(folder)
        self.hellos = asyncio.Queue()
        self.gateway = DataPlane(Address(LOOPBACK, 0), WireTraffic(self.cluster.member(Role.GATEWAY, "gateway")))
        hall = WireTraffic(self.cluster.member(Role.EDGE, "hall"))
        self.edge = DataServer(self.serve_camera, Address(LOOPBACK, 0), hall, EDGE_DOOR)
        self.yard = self.cluster.identity(Role.CAMERA, "yard")

    async def serve_camera(self, connection, header, _):
        assert isinstance(header, CameraHeader)
        self.hellos.put_nowait(header.camera)
        await connection.send(ReadyHeader())
        while True:
            await connection.receive()

    def members(self, gateway=None):
        return KnownMembers("yard", self.yard, gateway or self.gateway.address)

    async def connected(self, members):
        return await Connection.open(self.edge.address, WireTraffic(members.security), ANY_EDGE)


@pytest.fixture
async def home(tmp_path, monkeypatch):
    monkeypatch.setattr(known_members, "FRESH_LIST_S", 0.0)
    made = Home(tmp_path)
    running = [asyncio.create_task(made.gateway.run()), asyncio.create_task(made.edge.run())]
    yield made
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_member_is_shown_pictures_and_a_revoked_edge_is_not(home):
    members = home.members()
    await members.refresh()
    (await home.connected(members)).close()
    home.cluster.revoke(Role.EDGE, "hall")
    await members.refresh()
    with pytest.raises(PeerLostError, match="edge 'hall' was revoked; to let it in again, run 'deep"):
        await home.connected(members)


async def test_an_edge_that_shows_another_key_than_that_of_the_list_is_not_shown_pictures(home):
    """As one whose card was installed again, or a member that shows a certificate of before."""
    home.cluster.identity(Role.EDGE, "hall")
    members = home.members()
    await members.refresh()
    with pytest.raises(PeerLostError, match="edge 'hall' shows another key"):
        await home.connected(members)


async def test_a_revoked_edge_loses_the_connection_of_a_camera_that_it_has(home, monkeypatch):
    monkeypatch.setattr(known_members, "MEMBERS_PERIOD_S", 0.05)
    settings = CameraSettings.model_validate({"source": "test://64x48?fps=5"})
    reader = SourceReader(lambda: open_source(settings), PictureSelection(settings))
    agent = CameraAgent(AgentConfig("yard", home.edge.address, "token", home.yard, home.gateway.address), reader)
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    try:
        assert await asyncio.wait_for(home.hellos.get(), 20) == "yard"
        connection = agent._connection
        home.cluster._followers.clear()  # the edge itself hears nothing, and would go on
        home.cluster.revoke(Role.EDGE, "hall")
        home.gateway.traffic.security.on_members(home.cluster.members)
        await until("the end of the connection", lambda: connection.closed, 20)
        assert home.hellos.empty()
    finally:
        stop.set()
        await running


async def test_without_a_list_an_edge_is_not_believed_and_the_gateway_is_named(home):
    nobody = home.members(Address(LOOPBACK, 1))
    with pytest.raises(PeerLostError, match=r"gets no picture before the gateway has sent the list of members: .*:1 "):
        await nobody.refresh()
    with pytest.raises((PeerLostError, PeerRefusedError), match="the list of members has not come"):
        await home.connected(nobody)


async def test_a_gateway_that_has_moved_is_found_and_its_address_is_kept(home, monkeypatch):
    monkeypatch.setattr(gateway_search, "LOOK_AFTER_S", 0.0)
    before = Address("127.0.0.9", home.gateway.address.port)
    store_gateway(home.yard.folder, before)

    async def announced(_):
        return [home.gateway.address]

    members = KnownMembers("yard", home.yard, before, MemberFinder(home.yard, before, listen=announced))
    members._finder.note_connected(home.cluster.members.find(Role.GATEWAY, "gateway"))
    with pytest.raises(PeerLostError):
        await members.refresh()  # there never was a list
    members.security.on_members(home.cluster.members)  # as if an earlier start had kept one
    for _ in range(2):
        await members.refresh()
    assert read_gateway(home.yard.folder) == Address(LOOPBACK, before.port)
    home.cluster.revoke(Role.EDGE, "hall")
    await members.refresh()
    assert members.security.members.find(Role.EDGE, "hall") is None


async def test_the_last_list_holds_while_the_gateway_is_away_and_its_age_is_said(home, caplog):
    members = home.members()
    await members.refresh()
    members._finder.address = Address(LOOPBACK, 1)
    for _ in range(2):
        await members.refresh()
    (said,) = [record.getMessage() for record in caplog.records if "cannot be fetched" in record.getMessage()
               and record.levelname == "WARNING"]  # fmt: skip
    assert "the one of 0 minutes ago is used meanwhile" in said
    (await home.connected(members)).close()
    again = home.members(Address(LOOPBACK, 1))  # a start while the gateway is away
    await again.refresh()
    assert "the one of before this start is used meanwhile" in caplog.text
    (await home.connected(again)).close()


async def test_a_damaged_list_is_none(home):
    (home.yard.folder / KNOWN_MEMBERS_FILE).write_bytes(b"\xff{")
    assert home.members().security.members is None


async def test_an_edge_that_plays_the_gateway_is_not_believed(home):
    async def forge(connection, _, __):
        await connection.send(MembersHeader(), [memoryview(b"{}")])
        await connection.receive()

    forger = WireTraffic(home.cluster.member(Role.EDGE, "forger"))
    server = DataServer(forge, Address(LOOPBACK, 0), forger)
    running = asyncio.create_task(server.run())
    try:
        with pytest.raises(PeerLostError, match=r"gets no picture before .* 'forger'"):
            await home.members(server.address).refresh()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_gateway_with_another_key_than_that_of_the_list_is_not_believed(home, caplog):
    members = home.members()
    await members.refresh()
    home.cluster.identity(Role.GATEWAY, "gateway")  # another one; this one goes on with the key of before
    members.security.on_members(home.cluster.members)
    await members.refresh()
    assert "this gateway has another key than the one of this cluster" in caplog.text


async def test_an_edge_is_not_told_the_members_this_way_and_a_stranger_neither(home):
    """An edge reads them at the broker."""
    home.cluster.close()
    hall = DataSecurity(home.cluster.identity(Role.EDGE, "porch"), home.cluster.members)
    connection = await Connection.open(home.gateway.address, WireTraffic(hall), known_members.THE_GATEWAY)
    await connection.send(MembersRequestHeader())
    with pytest.raises(Exception, match="edge 'porch' may not send MEMBERS_REQUEST"):
        await connection.receive()
    stranger = await Connection.open(home.gateway.address, WireTraffic())
    await stranger.send(MembersRequestHeader())
    with pytest.raises(Exception, match="closed to devices without keys"):
        await stranger.receive()
