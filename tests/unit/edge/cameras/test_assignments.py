from __future__ import annotations

import asyncio

import pytest

from camera_sources.camera_settings import AssignedCamera, CameraSettings
from edge.cameras import assignments as module
from edge.cameras.assignments import Assignments
from shared.errors import PeerLostError
from shared.network.addresses import Address
from shared.payloads.cluster import CameraAssignment, CameraRef
from shared.security.data_security import THE_GATEWAY
from shared.wire.headers import AbsentHeader, SettingsHeader, SettingsRequestHeader
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled

BROKER = Address("10.0.0.1", 1883)
WORD = "correct-horse"


class Supervisor:
    """Remembers what it was assigned."""

    def __init__(self):
        self.assigned = asyncio.Queue()
        self.restarted = []

    def assign_cameras(self, cameras):
        self.assigned.put_nowait(dict(cameras))

    def restart_camera(self, name):
        self.restarted.append(name)


class Gateway:
    """In the place of a connection to it: has the settings of cameras by name and revision."""

    def __init__(self):
        self.settings = {}
        self.asked = []
        self.opened = []
        self.closed = 0
        self.lost = set()
        self.failed = asyncio.Event()
        self.break_once = False

    async def open(self, address, _traffic, expected):
        assert expected == THE_GATEWAY
        self.opened.append(address)
        if address in self.lost:
            self.failed.set()
            raise PeerLostError(f"{address} cannot be reached")
        return self

    async def request(self, request, *kinds):
        assert isinstance(request, SettingsRequestHeader)
        assert kinds == (SettingsHeader, AbsentHeader)
        self.asked.append((request.camera, request.revision))
        if self.break_once:
            self.break_once = False
            raise PeerLostError("it went away in the middle")
        text = self.settings.get((request.camera, request.revision))
        return (SettingsHeader(), text.encode()) if text else (AbsentHeader(reason="otherwise by now"), b"")

    def close(self):
        self.closed += 1

    def has(self, name, revision, source="test://pattern"):
        settings = CameraSettings.model_validate({"source": source})
        self.settings[name, revision] = AssignedCamera(settings=settings).encode()


def assignment(host="", port=4000, **cameras):
    """Cameras by name: their revision, or a CameraRef."""
    refs = {name: said if isinstance(said, CameraRef) else CameraRef(revision=said) for name, said in cameras.items()}
    return CameraAssignment(node="pi-1", host=host, port=port, cameras=refs)


@pytest.fixture
def gateway(monkeypatch):
    gateway = Gateway()
    monkeypatch.setattr(module, "Connection", gateway)
    return gateway


@pytest.fixture
async def edge(gateway):
    """Assignments that are followed, and the supervisor that is told."""
    supervisor = Supervisor()
    assignments = Assignments(BROKER, WireTraffic(), supervisor)
    running = asyncio.create_task(assignments.run())
    yield assignments, supervisor
    running.cancel()
    (ended,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended
    assert gateway.closed == len([address for address in gateway.opened if address not in gateway.lost])


async def assigned(supervisor):
    return await asyncio.wait_for(supervisor.assigned.get(), 10)


def sources(cameras):
    return {name: camera.settings.source.get_secret_value() for name, camera in cameras.items()}


async def test_a_camera_that_is_assigned_is_learnt_of_and_handed_on(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3, "rtsp://10.0.0.9/door")
    assignments.on_assignment(assignment(door=CameraRef(revision=3, detect=False, fps=2.5)))
    cameras = await assigned(supervisor)
    assert sources(cameras) == {"door": "rtsp://10.0.0.9/door"}
    assert (cameras["door"].detect, cameras["door"].fps) == (False, 2.5)
    assert gateway.opened == [Address("10.0.0.1", 4000)]  # beside the broker


async def test_a_gateway_that_names_its_host_is_asked_there(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    assignments.on_assignment(assignment("10.0.0.7", 5000, door=3))
    await assigned(supervisor)
    assert gateway.opened == [Address("10.0.0.7", 5000)]


async def test_several_cameras_are_learnt_of_in_one_conversation(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    gateway.has("yard", 4)
    assignments.on_assignment(assignment(door=3, yard=4))
    assert set(await assigned(supervisor)) == {"door", "yard"}
    assert len(gateway.opened) == 1


async def test_what_is_known_is_not_asked_for_again(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    assignments.on_assignment(assignment(door=3))
    first = await assigned(supervisor)
    assignments.on_assignment(assignment(door=CameraRef(revision=3, fps=1)))
    second = await assigned(supervisor)
    assert gateway.asked == [("door", 3)]
    assert second["door"] == first["door"].model_copy(update={"fps": 1})


async def test_a_camera_begins_anew_when_that_is_asked_for_and_not_when_the_gateway_does(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    gateway.has("yard", 3)
    for restart in (0, 0, 7, 7, 0, 8, 9):
        assignments.on_assignment(assignment(door=CameraRef(revision=3, restart=restart), yard=3))
        await assigned(supervisor)
        await settled()  # what follows an assignment happens at once
    assert supervisor.restarted == ["door"] * 3
    assert gateway.asked == [("door", 3), ("yard", 3)]


async def test_another_revision_is_asked_for(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    assignments.on_assignment(assignment(door=3))
    await assigned(supervisor)
    gateway.has("door", 4, "test://other")
    assignments.on_assignment(assignment(door=4))
    assert sources(await assigned(supervisor)) == {"door": "test://other"}


async def test_a_camera_that_is_taken_away_is_forgotten(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    gateway.has("yard", 3)
    assignments.on_assignment(assignment(door=3, yard=3))
    await assigned(supervisor)
    assignments.on_assignment(assignment(yard=3))
    assert set(await assigned(supervisor)) == {"yard"}
    assignments.on_assignment(assignment(door=3, yard=3))
    assert set(await assigned(supervisor)) == {"door", "yard"}
    assert gateway.asked.count(("door", 3)) == 2


async def test_no_cameras_are_an_assignment_for_which_nobody_is_asked(edge, gateway):
    assignments, supervisor = edge
    assignments.on_assignment(assignment())
    assert await assigned(supervisor) == {}
    assert not gateway.opened


async def test_a_camera_that_is_otherwise_by_now_goes_on_as_it_was_and_others_are_not_kept_waiting(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3, "test://before")
    gateway.has("yard", 3)
    assignments.on_assignment(assignment(door=3))
    await assigned(supervisor)
    assignments.on_assignment(assignment(door=4, yard=3, attic=3))
    assert sources(await assigned(supervisor)) == {"door": "test://before", "yard": "test://pattern"}


async def test_a_camera_that_is_not_understood_is_said_without_its_password(edge, gateway, caplog):
    assignments, supervisor = edge
    gateway.settings["door", 3] = f'{{"settings": {{"source": "rtsp://u:{WORD}@h/", "invented_later": 1}}}}'
    gateway.has("yard", 3)
    assignments.on_assignment(assignment(door=3, yard=3))
    assert set(await assigned(supervisor)) == {"yard"}
    assert "camera door has invalid settings" in caplog.text
    assert WORD not in caplog.text


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(module.Backoff, "next_s", lambda _: 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_conversation_that_breaks_is_tried_again(edge, gateway, caplog):
    assignments, supervisor = edge
    gateway.has("door", 3)
    gateway.break_once = True
    assignments.on_assignment(assignment(door=3))
    assert set(await assigned(supervisor)) == {"door"}
    assert "cannot get the settings of cameras: it went away in the middle" in caplog.text
    assert len(gateway.opened) == 2


async def test_a_newer_assignment_does_not_wait_for_a_gateway_that_is_gone(edge, gateway, monkeypatch):
    """One that was started again elsewhere, while the old assignment was retained."""
    monkeypatch.setattr(module.Backoff, "next_s", lambda _: 3600.0)
    assignments, supervisor = edge
    gateway.lost.add(Address("10.0.0.7", 4000))
    gateway.has("door", 4)
    assignments.on_assignment(assignment("10.0.0.7", 4000, door=3))
    await asyncio.wait_for(gateway.failed.wait(), 10)
    assignments.on_assignment(assignment("10.0.0.7", 4001, door=4))
    assert set(await assigned(supervisor)) == {"door"}


async def test_while_the_gateway_is_away_cameras_go_on(edge, gateway, monkeypatch):
    monkeypatch.setattr(module.Backoff, "next_s", lambda _: 3600.0)
    assignments, supervisor = edge
    gateway.has("door", 3)
    assignments.on_assignment(assignment(door=3))
    await assigned(supervisor)
    gateway.lost.add(Address("10.0.0.7", 4000))
    assignments.on_assignment(assignment("10.0.0.7", 4000, door=4))
    await asyncio.wait_for(gateway.failed.wait(), 10)
    assert supervisor.assigned.empty()


async def test_only_the_newest_assignment_is_followed(edge, gateway):
    assignments, supervisor = edge
    gateway.has("door", 3)
    assignments.on_assignment(assignment(yard=3))
    assignments.on_assignment(assignment(door=3))
    assert set(await assigned(supervisor)) == {"door"}
    assert gateway.asked == [("door", 3)]
