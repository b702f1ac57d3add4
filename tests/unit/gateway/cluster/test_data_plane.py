from __future__ import annotations

import hashlib

import numpy as np
import pytest

from camera_sources.camera_settings import AssignedCamera, CameraSettings
from gateway.cluster import data_plane
from gateway.cluster.data_plane import DataPlane
from shared.engine.program_parts import BuiltProgram
from shared.errors import PeerLostError, PeerRefusedError, ProtocolError
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.wire.camera_headers import ReadyHeader
from shared.wire.codec import MAX_HEADER_BYTES
from shared.wire.headers import (
    AbsentHeader,
    LinkHeader,
    ProgramHeader,
    ProgramRequestHeader,
    ResultHeader,
    SettingsHeader,
    SettingsRequestHeader,
    StripsHeader,
    StripsRequestHeader,
    TileHeader,
)
from shared.wire.permissions import GATEWAY_DOOR
from shared.wire.wire_traffic import WireTraffic

LISTEN = Address("127.0.0.1", 4000)
INFO = FrameInfo(frame="door-1", camera="door", number=1, captured_at=1, height=10, width=10)
TILE = TileHeader(info=INFO, epoch=3, owner="pi-1", tile=0, height=1, width=1)
RESULT = ResultHeader(info=INFO, epoch=3, owner="pi-1", worker="pi-2", tile=4, shapes=(), compute_ms=1)


class Server:
    """In the place of a DataServer: hands on what a test lets a peer say."""

    def __init__(self, serve, listen, traffic, door, bound_of):
        assert door is GATEWAY_DOOR
        self.bound_of = bound_of
        self.serve, self.address, self.traffic = serve, listen, traffic


class Peer:
    """A connection: what it says, and what it is told."""

    peer = "10.0.0.5:1"
    member = None

    def __init__(self, *said):
        self._said = list(said)
        self.told = []

    def check_name(self, name):
        if self.member is not None and name != self.member.name:
            raise PeerRefusedError(f"{self.member} spoke in the name of {name}")

    async def receive(self):
        if not self._said:
            raise PeerLostError("it went away")
        return self._said.pop(0), np.array([1, 2, 3], np.uint8)

    async def send(self, header, payload=()):
        self.told.append((header, b"".join(bytes(part) for part in payload)))


class Plane:
    """A data plane, and what it has told the gateway."""

    def __init__(self):
        self.results, self.tiles, self.settings, self.edge_of = [], [], {}, {}
        self.strips, self.strips_requests, self.links = {}, [], []
        self.data = DataPlane(LISTEN, WireTraffic())
        self.data.serve_cluster(
            on_result=lambda header, payload: self.results.append((header, payload.tolist())),
            on_tile=lambda header, payload: self.tiles.append((header, payload.tolist())),
            on_link=self.on_link,
            strips_of=self.strips_of,
            bound_of=lambda header: 7 if isinstance(header, ResultHeader) else None,
        )
        self.data.serve_settings(lambda camera, revision: self.settings.get((camera, revision)), self.edge_of.get)

    async def on_link(self, connection, node):
        self.links.append((connection, node))

    def strips_of(self, request):
        self.strips_requests.append(request)
        return self.strips

    async def tell(self, *said):
        """What a peer is answered that says this and goes away."""
        peer = Peer(*said)
        first, payload = await peer.receive()
        with pytest.raises(PeerLostError):
            await self.data._server.serve(peer, first, payload)
        return peer.told


@pytest.fixture
def plane(monkeypatch):
    monkeypatch.setattr(data_plane, "DataServer", Server)
    return Plane()


def strips_request(*givers, epoch=3, reader=1, frame="door-1"):
    return StripsRequestHeader(frame=frame, epoch=epoch, reader=reader, givers=givers)


async def test_results_and_tiles_are_passed_on_one_after_the_other(plane):
    assert await plane.tell(RESULT, TILE, RESULT) == []
    assert plane.results == [(RESULT, [1, 2, 3])] * 2
    assert plane.tiles == [(TILE, [1, 2, 3])]


def test_it_listens_at_the_given_address(plane):
    assert plane.data.address == LISTEN


async def test_a_program_that_is_offered_is_sent_by_its_hash(plane):
    references = plane.data.offer_programs([BuiltProgram.from_bytes(data) for data in (b"first program", b"second")])
    assert [(ref.sha256, ref.bytes) for ref in references] == [
        (hashlib.sha256(b"first program").hexdigest(), 13), (hashlib.sha256(b"second").hexdigest(), 6),
    ]  # fmt: skip
    told = await plane.tell(*(ProgramRequestHeader(sha256=ref.sha256) for ref in references))
    assert told == [
        (ProgramHeader(sha256=references[0].sha256), b"first program"),
        (ProgramHeader(sha256=references[1].sha256), b"second"),
    ]  # fmt: skip


async def test_a_program_of_another_plan_is_absent(plane):
    (before,) = plane.data.offer_programs([BuiltProgram.from_bytes(b"before")])
    (after,) = plane.data.offer_programs([BuiltProgram.from_bytes(b"after")])
    requests = [ProgramRequestHeader(sha256=ref.sha256) for ref in (before, after)]
    assert [payload for _, payload in await plane.tell(*requests)] == [b"before", b"after"]
    plane.data.keep_programs([after.sha256])
    (answer, payload), (_, kept) = await plane.tell(*requests)
    assert isinstance(answer, AbsentHeader)
    assert (answer.reason, payload, kept) == ("the plan has no such program", b"", b"after")


async def test_a_connection_for_confirmations_is_handed_on_with_the_name_of_its_node(plane):
    peer = Peer()
    await plane.data._server.serve(peer, LinkHeader(node="pi-1"), np.empty(0, np.uint8))
    assert plane.links == [(peer, "pi-1")]
    assert peer.told == []


async def test_a_data_plane_that_serves_no_cluster_yet_refuses_a_link(monkeypatch):
    monkeypatch.setattr(data_plane, "DataServer", Server)
    with pytest.raises(ProtocolError, match="LINK is not a message for a gateway"):
        await DataPlane(LISTEN, WireTraffic())._server.serve(Peer(), LinkHeader(node="pi-1"), np.empty(0, np.uint8))


async def test_strips_are_sent_one_givers_after_the_others(plane):
    plane.strips = {4: [np.array([7, 8], np.uint8)], 0: [np.array([5], np.uint8)]}
    assert await plane.tell(strips_request(4, 0, 8)) == [(StripsHeader(sizes={4: 2, 0: 1}), b"\x07\x08\x05")]
    assert plane.strips_requests == [strips_request(4, 0, 8)]


async def test_strips_that_are_not_kept_are_answered_with_none(plane):
    assert await plane.tell(strips_request(4)) == [(StripsHeader(), b"")]


async def test_the_settings_of_a_camera_are_sent_with_its_whole_source(plane):
    settings = CameraSettings.model_validate({"source": "rtsp://viewer:word@10.0.0.9/door", "fps": 5})
    plane.settings["door", 7] = settings
    ((answer, payload),) = await plane.tell(SettingsRequestHeader(camera="door", revision=7))
    assert isinstance(answer, SettingsHeader)
    assert AssignedCamera.decode(payload) == AssignedCamera(settings=settings)
    assert b"viewer:word@" in payload


@pytest.mark.parametrize(("camera", "revision"), [("door", 6), ("yard", 7)])
async def test_a_camera_that_is_not_as_the_edge_believes_is_absent(plane, camera, revision):
    plane.settings["door", 7] = CameraSettings.model_validate({"source": "test://"})
    ((answer, _),) = await plane.tell(SettingsRequestHeader(camera=camera, revision=revision))
    assert answer == AbsentHeader(reason="this camera is not configured, or its settings have changed")


def with_masks(count):
    """Settings with one mask of fifty corners, so many times: to check each of them would take long."""
    corners = [(column / 100, 0.0001) for column in range(49)] + [(0.5, 1.0)]
    one = CameraSettings.model_validate({"source": "rtsp://u:word@h/", "motion": {"mask": [corners]}})
    return one.model_copy(update={"motion": one.motion.model_copy(update={"mask": one.motion.mask * count})})


async def test_settings_longer_than_any_header_are_sent(plane):
    plane.settings["door", 7] = with_masks(150)
    ((_, payload),) = await plane.tell(SettingsRequestHeader(camera="door", revision=7))
    assert len(payload) > MAX_HEADER_BYTES
    assert AssignedCamera.decode(payload).settings == plane.settings["door", 7]


async def test_settings_too_long_for_a_message_are_absent_and_the_others_of_the_edge_are_sent(plane, caplog):
    plane.settings["door", 7] = with_masks(2000)
    plane.settings["yard", 7] = CameraSettings.model_validate({"source": "test://"})
    told = await plane.tell(
        SettingsRequestHeader(camera="door", revision=7), SettingsRequestHeader(camera="yard", revision=7)
    )
    assert told[0] == (AbsentHeader(reason="its settings are too long"), b"")
    assert isinstance(told[1][0], SettingsHeader)
    assert "camera door cannot be served: its settings are too long" in caplog.text
    assert "word" not in caplog.text


@pytest.mark.parametrize("header", [ReadyHeader(), AbsentHeader(), SettingsHeader()])
async def test_what_is_not_for_a_gateway_is_refused_by_name(plane, header):
    peer = Peer()
    with pytest.raises(ProtocolError, match=f"{header.kind.name} is not a message for a gateway"):
        await plane.data._server.serve(peer, header, np.empty(0, np.uint8))
    assert peer.told == []
