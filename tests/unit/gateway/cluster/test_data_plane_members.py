from __future__ import annotations

import numpy as np
import pytest

from camera_sources.camera_settings import CameraSettings
from gateway.cluster import data_plane
from gateway.cluster.data_plane import DataPlane
from shared.errors import PeerLostError, PeerRefusedError
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.security.member_list import Role
from shared.wire.headers import (
    AbsentHeader,
    LinkHeader,
    ResultHeader,
    SettingsHeader,
    SettingsRequestHeader,
    TileHeader,
)
from shared.wire.wire_traffic import WireTraffic
from tests.members import KeyedCluster

INFO = FrameInfo(frame="door-1", camera="door", number=1, captured_at=1, height=10, width=10)
DOOR = SettingsRequestHeader(camera="door", revision=7)


class Server:
    """In the place of a DataServer."""

    def __init__(self, serve, *_):
        self.serve = serve


class Peer:
    """A connection of a member, or of a device without keys."""

    peer = "10.0.0.5:1"

    def __init__(self, security, member, *said):
        self.member, self.told = member, []
        self._security, self._said = security, list(said)

    def check_name(self, name):
        self._security.check_name(self.member, name)

    async def receive(self):
        if not self._said:
            raise PeerLostError("it went away")
        return self._said.pop(0), np.empty(0, np.uint8)

    async def send(self, header, _=()):
        self.told.append(header)


class Plane:
    """A gateway with the camera door, which is assigned to porch."""

    def __init__(self, folder, *, is_open=False):
        self.cluster = KeyedCluster(folder, is_open=is_open)
        self.security = self.cluster.member(Role.GATEWAY, "gateway")
        self.porch, self.hall = [self.cluster.identity(Role.EDGE, name).member for name in ("porch", "hall")]
        self.edge_of = {"door": "porch"}
        self.results = []
        self.data = DataPlane(Address("127.0.0.1", 4000), WireTraffic(self.security))
        settings = CameraSettings.model_validate({"source": "rtsp://viewer:word@10.0.0.9/door"})
        self.data.serve_settings(lambda camera, _: settings if camera == "door" else None, self.edge_of.get)
        self.data.serve_cluster(
            on_result=lambda header, _: self.results.append(header), on_tile=lambda *_: None, on_link=self.on_link,
            strips_of=lambda _: {}, bound_of=lambda _: None,
        )  # fmt: skip

    async def on_link(self, *_):
        raise PeerLostError("it went away")

    async def tell(self, member, *said):
        """What a peer is answered that says this and goes away."""
        peer = Peer(self.security, member, *said)
        first, payload = await peer.receive()
        with pytest.raises(PeerLostError):
            await self.data._server.serve(peer, first, payload)
        return peer.told


@pytest.fixture
def plane(monkeypatch, tmp_path):
    monkeypatch.setattr(data_plane, "DataServer", Server)
    return Plane(tmp_path)


@pytest.fixture
def open_plane(monkeypatch, tmp_path):
    monkeypatch.setattr(data_plane, "DataServer", Server)
    return Plane(tmp_path, is_open=True)


async def test_the_settings_of_a_camera_are_for_the_edge_that_it_is_assigned_to(plane, caplog):
    assert [type(header) for header in await plane.tell(plane.porch, DOOR)] == [SettingsHeader]
    assert [type(header) for header in await plane.tell(plane.hall, DOOR)] == [AbsentHeader]
    assert "asked for the settings of camera door of another edge" in caplog.text
    plane.edge_of["door"] = "hall"
    assert [type(header) for header in await plane.tell(plane.hall, DOOR)] == [SettingsHeader]
    del plane.edge_of["door"]
    assert [type(header) for header in await plane.tell(plane.porch, DOOR)] == [AbsentHeader]


async def test_without_keys_the_settings_are_those_of_edges_without_keys(open_plane):
    assert [type(header) for header in await open_plane.tell(None, DOOR)] == [AbsentHeader]
    open_plane.edge_of["door"] = "old"
    assert [type(header) for header in await open_plane.tell(None, DOOR)] == [SettingsHeader]


RESULT = {"info": INFO, "epoch": 3, "tile": 4, "shapes": (), "compute_ms": 1}
IN_ANOTHER_NAME = [
    ResultHeader(**RESULT, owner="hall", worker="porch"),
    TileHeader(info=INFO, epoch=3, owner="porch", tile=0, height=1, width=1),
    LinkHeader(node="porch"),
]


@pytest.mark.parametrize("header", IN_ANOTHER_NAME, ids=lambda header: header.kind.name)
async def test_nobody_speaks_in_the_name_of_another_edge(open_plane, header):
    await open_plane.tell(open_plane.porch, header)
    for member in (open_plane.hall, None):
        with pytest.raises(PeerRefusedError, match="in the name of edge 'porch'"):
            await open_plane.tell(member, header)


async def test_one_forged_result_among_others_is_not_passed_on(plane):
    own = ResultHeader(**RESULT, owner="hall", worker="hall")
    with pytest.raises(PeerRefusedError):
        await plane.tell(plane.hall, own, IN_ANOTHER_NAME[0], own)
    assert plane.results == [own]
