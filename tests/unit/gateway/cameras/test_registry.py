from __future__ import annotations

import asyncio
import itertools

import pytest

from gateway.cameras import registry as book
from gateway.cameras.presence import CAMERA_SILENCE_TIMEOUT_S
from gateway.cameras.registry import CameraRegistry, EffectiveSettings
from gateway.configuration.cameras import UNCONFIGURED_CAMERA
from gateway.configuration.root import Configuration
from gateway.state.state_folder import StateFolder
from shared.errors import ConfigurationError
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeEventType
from shared.payloads.cluster import CameraAssignment, CameraRef, CameraStats, State
from shared.payloads.frames import FrameCounts
from tests.unit.gateway.buses import StandInBus

LISTENING = Address("10.0.0.1", 4000)


class House:
    """Cameras, what they say on the bus, and what else they tell."""

    def __init__(self, folder, **cameras):
        self.folder = folder
        self.bus = StandInBus()
        self.changed = []
        self.events = []
        self.cameras = CameraRegistry(
            self.configured(**cameras), StateFolder(folder), self.bus, LISTENING, self.changed.append,
            self.events.append,
        )  # fmt: skip

    def configured(self, **cameras):
        """Cameras by name, each with what is said of it beside its source."""
        said = {name: {"source": "test://", **camera} for name, camera in cameras.items()}
        return Configuration.model_validate({"cameras": said, "state": str(self.folder)})

    async def hear(self, camera="door", node="pi-1", **said):
        stats = CameraStats(camera=camera, node=node, counts=FrameCounts(), **{"state": State.ONLINE, **said})
        await self.bus.hear(topics.CAMERA_STATS, camera, stats)

    async def set(self, camera, setting, payload, **more):
        await self.bus.hear_plain(topics.CAMERA_SET, payload, camera, setting, **more)

    def assigned(self, node):
        """What an edge that connects now is told to serve; None when nothing is retained for it."""
        said = self.bus.retained.get(f"cluster/cameras/{node}")
        return None if said is None else CameraAssignment.model_validate_json(said).cameras

    def told(self):
        return [(event.type, event.name, event.reason) for event in self.events]


@pytest.fixture(autouse=True)
def _another_millisecond_each_time(monkeypatch):
    milliseconds = itertools.count(1000)
    monkeypatch.setattr(book.time, "time_ns", lambda: next(milliseconds) * 1_000_000)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, door={"fps": 5}, yard={"detect": {"enabled": False}})


# which edge serves what


async def test_an_edge_is_told_its_cameras_and_where_to_ask_for_more(house):
    await house.cameras.update_nodes(["pi-1"])
    said = CameraAssignment.model_validate_json(house.bus.retained["cluster/cameras/pi-1"])
    assert (said.node, said.host, said.port) == ("pi-1", "10.0.0.1", 4000)
    told = {name: (ref.restart, ref.detect, ref.fps) for name, ref in said.cameras.items()}
    assert told == {"door": (0, True, 5), "yard": (0, False, 5)}


async def test_no_source_is_told_to_everyone(tmp_path):
    house = House(tmp_path, door={"source": "rtsp://viewer:correct-horse@10.0.0.9/door"})
    await house.cameras.update_nodes(["pi-1"])
    await house.cameras.publish_retained()
    await house.set("door", "fps", b"no number")
    assert "rtsp" not in str(house.bus.said)
    assert "correct-horse" not in str(house.bus.said)


async def test_cameras_are_divided_among_the_edges(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert sorted([*house.assigned("pi-1"), *house.assigned("pi-2")]) == ["door", "yard"]


async def test_the_same_edges_again_are_told_nothing(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    house.bus.said.clear()
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert house.bus.said == []


async def test_cameras_of_an_edge_that_goes_move_and_stay_there_when_it_comes_back(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.cameras.update_nodes(["pi-2"])
    assert set(house.assigned("pi-2")) == {"door", "yard"}
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert (house.assigned("pi-1"), set(house.assigned("pi-2"))) == ({}, {"door", "yard"})


async def test_an_edge_that_is_drained_is_told_that_it_serves_none(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.cameras.update_nodes(["pi-1", "pi-2"], {"pi-1"})
    assert (house.assigned("pi-1"), set(house.assigned("pi-2"))) == ({}, {"door", "yard"})


async def test_a_camera_stays_with_no_one_rather_than_with_an_edge_that_it_does_not_name(tmp_path):
    house = House(tmp_path, door={"edge": "pi-2"})
    await house.cameras.update_nodes(["pi-1"])
    assert house.assigned("pi-1") == {}
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert set(house.assigned("pi-2")) == {"door"}
    await house.cameras.update_nodes(["pi-1", "pi-2"], {"pi-2"})
    assert house.assigned("pi-1") == house.assigned("pi-2") == {}


async def test_a_camera_that_is_switched_off_is_nobodys(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.set("door", "enabled", b"OFF")
    assert set(house.assigned("pi-1")) == {"yard"}
    await house.set("door", "enabled", b"ON")
    assert set(house.assigned("pi-1")) == {"door", "yard"}


async def test_while_the_broker_is_away_nothing_is_believed_to_be_told(house):
    house.bus.away = True
    await house.cameras.update_nodes(["pi-1"])
    house.bus.away = False
    await house.cameras.update_nodes(["pi-1"])
    assert set(house.assigned("pi-1")) == {"door", "yard"}


# what an edge may know


async def test_an_edge_gets_the_settings_of_the_revision_that_it_was_told(house):
    await house.cameras.update_nodes(["pi-1"])
    revision = house.assigned("pi-1")["door"].revision
    assert house.cameras.agent_settings("door", revision).fps == 5
    assert house.cameras.agent_settings("door", revision - 1) is None
    assert house.cameras.agent_settings("attic", revision) is None


async def test_a_restart_is_asked_for_of_one_camera(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    await house.cameras.restart_camera("door")
    after = house.assigned("pi-1")
    assert after["door"].restart not in {0, before["door"].restart}
    assert (after["door"].revision, after["yard"]) == (before["door"].revision, before["yard"])
    await house.cameras.restart_camera("door")
    assert house.assigned("pi-1")["door"].restart != after["door"].restart


async def test_a_gateway_that_starts_again_tells_the_same_revisions(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    again = House(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
    await again.cameras.update_nodes(["pi-1"])
    assert again.assigned("pi-1") == before
    other = House(house.folder, door={"fps": 5, "rotate": 90}, yard={"detect": {"enabled": False}})
    await other.cameras.update_nodes(["pi-1"])
    assert other.assigned("pi-1")["door"].revision != before["door"].revision
    assert other.assigned("pi-1")["yard"] == before["yard"]


async def test_a_revision_tells_nothing_of_a_password(tmp_path):
    """Who has not the key cannot try passwords against it."""
    source = {"source": "rtsp://viewer:1234@10.0.0.9/door"}
    houses = [House(tmp_path / name, door=source) for name in ("one", "other")]
    for house in houses:
        await house.cameras.update_nodes(["pi-1"])
    assert len({house.assigned("pi-1")["door"].revision for house in houses}) == 2
    assert (tmp_path / "one" / "revisions.key").stat().st_mode & 0o077 == 0


async def test_after_a_start_every_camera_stays_at_its_edge(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    before = {node: set(house.assigned(node)) for node in ("pi-1", "pi-2")}
    again = House(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
    await again.cameras.update_nodes(["pi-2"])
    assert set(again.assigned("pi-2")) == before["pi-2"]
    await again.cameras.update_nodes(["pi-1", "pi-2"])
    assert {node: set(again.assigned(node)) for node in ("pi-1", "pi-2")} == before


async def test_edges_that_a_gateway_did_not_live_to_see_are_waited_for_by_the_next_one(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    before = set(house.assigned("pi-1"))
    for _ in range(2):
        again = House(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
        await again.cameras.update_nodes(["pi-1"])
        assert set(again.assigned("pi-1")) == before


async def test_a_camera_that_is_not_configured_cannot_be_restarted(house):
    await house.hear("by-hand")
    with pytest.raises(ConfigurationError, match="camera 'by-hand' is not configured; configured cameras: door, yard"):
        await house.cameras.restart_camera("by-hand")


# whether they are there


async def test_a_camera_is_online_for_everyone_once_its_frames_were_processed(house):
    await house.hear()
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    await house.cameras.mark_settled("door")
    assert house.bus.retained["cameras/door/availability"] == b"online"
    await house.cameras.mark_settled("door")
    assert len(house.bus.payloads("cameras/door/availability")) == 2
    await house.hear(state=State.OFFLINE)
    await house.hear()
    assert house.bus.retained["cameras/door/availability"] == b"offline", "they are not those of today"


async def test_a_camera_in_which_nothing_is_looked_for_is_online_when_it_is_heard_of(house):
    await house.hear("yard")
    assert house.bus.retained["cameras/yard/availability"] == b"online"
    await house.hear("door")
    await house.set("door", "detect", b"OFF")
    assert house.bus.retained["cameras/door/availability"] == b"online"


async def test_when_the_gateway_stops_no_camera_is_there(house):
    await house.hear()
    await house.cameras.mark_settled("door")
    await house.cameras.publish_offline()
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_a_camera_that_is_heard_of_is_told(house):
    await house.hear()
    assert house.told() == [(BridgeEventType.CAMERA_BACK, "door", "")]
    assert house.changed == ["door"]
    assert house.cameras.online == ("door",)
    await house.hear()
    assert len(house.bus.said) == len(house.events) == len(house.changed) == 1


async def test_a_camera_that_is_lost_is_offline_for_everyone_with_a_reason(house):
    await house.hear()
    await house.hear(state=State.OFFLINE, reason="wrong password")
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "wrong password")]
    assert house.cameras.unavailable == {"door": "wrong password", "yard": "no edge has reported it yet"}


async def test_a_camera_whose_pictures_nobody_processes_is_a_problem(house, monkeypatch):
    await house.hear()
    assert set(house.cameras.unavailable) == {"yard"}
    later = book.time.monotonic() + 31
    monkeypatch.setattr(book.time, "monotonic", lambda: later)
    assert "none is processed" in house.cameras.unavailable["door"]
    await house.cameras.mark_settled("door")
    assert set(house.cameras.unavailable) == {"yard"}


async def test_a_camera_that_is_switched_off_is_not_missed(house):
    await house.set("yard", "enabled", b"OFF")
    assert set(house.cameras.unavailable) == {"door"}


async def test_the_cameras_of_an_edge_that_goes_are_lost(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.hear("door", "pi-1")
    await house.hear("yard", "pi-2")
    await house.cameras.update_nodes(["pi-2"])
    assert house.told()[2:] == [(BridgeEventType.CAMERA_LOST, "door", "its edge pi-1 is gone")]
    assert house.cameras.online == ("yard",)


async def test_what_is_retained_of_a_camera_does_not_outlive_an_edge_that_went_while_the_gateway_was_away(house):
    await house.hear("door", "pi-1")
    await house.cameras.update_nodes([])
    assert house.cameras.online == ("door",)  # its edge may be heard of next
    await house.cameras.update_nodes([], (), ["pi-1"])
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "its edge pi-1 is gone")]
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_an_edge_that_is_there_is_not_lost_whatever_was_said_before(house):
    await house.hear("door", "pi-1")
    await house.cameras.update_nodes(["pi-1"], (), ["pi-1"])
    assert house.cameras.online == ("door",)


async def test_a_camera_of_which_nothing_is_heard_any_more_is_lost(house, monkeypatch):
    monkeypatch.setattr(book, "CAMERA_CHECK_PERIOD_S", 0)
    await house.hear()
    await house.cameras.mark_settled("door")
    house.bus.heard = asyncio.Queue()
    received_at = book.time.monotonic()
    monkeypatch.setattr(book.time, "monotonic", lambda: received_at + CAMERA_SILENCE_TIMEOUT_S + 1)
    running = asyncio.create_task(house.cameras.run())
    while True:
        if await house.bus.next("cameras/door/availability") == b"offline":
            break
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "no edge reports it any more")]


async def test_a_camera_that_was_started_by_hand_is_one_like_others(house):
    await house.hear("by-hand")
    await house.cameras.mark_settled("by-hand")
    assert house.bus.retained["cameras/by-hand/availability"] == b"online"
    assert house.cameras.online == ("by-hand",)
    assert house.cameras.section_of("by-hand") is UNCONFIGURED_CAMERA
    assert house.cameras.by_hand == ("by-hand",)
    assert house.cameras.effective_settings("by-hand") == EffectiveSettings(True, True, None, None, None)
    assert "by-hand" not in house.cameras.unavailable
    await house.set("by-hand", "threshold", b"0.7")
    assert house.cameras.effective_settings("by-hand").threshold == 0.7


# what is set


async def test_what_holds_is_what_was_set_else_what_is_configured(house):
    assert house.cameras.effective_settings("door") == EffectiveSettings(True, True, None, 5, None)
    assert house.cameras.effective_settings("yard") == EffectiveSettings(True, False, None, 5, None)
    for setting, payload in [("detect", b"ON"), ("threshold", b"0.7"), ("fps", b"2.5"), ("labels", b'["person"]')]:
        await house.set("yard", setting, payload)
    await house.set("door", "fps", b"1")
    assert house.cameras.effective_settings("door") == EffectiveSettings(True, True, None, 1, None)
    assert house.cameras.effective_settings("yard") == EffectiveSettings(True, True, 0.7, 2.5, ("person",))


async def test_five_frames_a_second_are_wanted_unless_another_number_or_all_are(tmp_path):
    house = House(tmp_path, door={}, yard={"fps": 7}, attic={"fps": "all"})
    await house.cameras.update_nodes(["pi-1"])
    await house.cameras.publish_retained()
    assert {name: ref.fps for name, ref in house.assigned("pi-1").items()} == {"attic": None, "door": 5, "yard": 7}
    shown = {name: house.bus.retained[f"cameras/{name}/fps/state"] for name in ("attic", "door", "yard")}
    assert shown == {"attic": b"null", "door": b"5", "yard": b"7"}


async def test_snapshots_are_asked_for_as_often_as_is_written_only(tmp_path):
    """Their own rate is less than that of other cameras: an agent that is told of none knows it."""
    house = House(tmp_path, door={}, yard={"fps": 5})
    await house.cameras.update_nodes(["pi-1"])
    asked = {name: house.cameras.agent_settings(name, ref.revision).fps for name, ref in house.assigned("pi-1").items()}
    assert asked == {"door": None, "yard": 5}


@pytest.mark.parametrize(
    ("setting", "payload", "state"),
    [
        ("enabled", b"off", b"OFF"),
        ("detect", b"OFF", b"OFF"),
        ("threshold", b"0.70", b"0.7"),
        ("fps", b"2", b"2"),
        ("labels", b"person, car", b'["person", "car"]'),
    ],
)
async def test_what_is_set_is_said_kept_and_followed(house, setting, payload, state):
    await house.set("door", setting, payload)
    assert house.bus.retained[f"cameras/door/{setting}/state"] == state
    assert house.changed == ["door"]
    again = House(house.folder, door={"fps": 5}, yard={})
    assert again.cameras.effective_settings("door") == house.cameras.effective_settings("door")


async def test_what_edges_must_know_of_it_they_are_told(house):
    await house.cameras.update_nodes(["pi-1"])
    revision = house.assigned("pi-1")["door"].revision
    await house.set("door", "detect", b"OFF")
    await house.set("door", "fps", b"2")
    assert house.assigned("pi-1")["door"] == CameraRef(revision=revision, detect=False, fps=2)
    house.bus.said.clear()
    await house.set("door", "threshold", b"0.7")
    assert {where for where, _ in house.bus.said} == {"cameras/door/availability", "cameras/door/threshold/state"}


async def test_an_empty_payload_takes_it_back(house):
    await house.set("door", "fps", b"1")
    await house.set("door", "threshold", b"0.7")
    await house.set("door", "fps", b"")
    await house.set("door", "threshold", b"")
    assert house.cameras.effective_settings("door") == EffectiveSettings(True, True, None, 5, None)
    assert house.bus.retained["cameras/door/fps/state"] == b"5"
    assert house.bus.retained["cameras/door/threshold/state"] == b"0.7"  # the filter's


async def test_the_same_value_again_is_said_again_and_changes_nothing(house):
    await house.set("door", "threshold", b"0.7")
    await house.set("door", "threshold", b"0.7")
    assert house.changed == ["door"]
    assert house.bus.payloads("cameras/door/threshold/state") == [b"0.7", b"0.7"]


async def test_who_sets_what_cannot_be_is_told_what_holds(house, caplog):
    await house.set("door", "fps", b"very fast")
    assert house.bus.retained["cameras/door/fps/state"] == b"5"
    assert "'very fast' is not a number" in caplog.text
    assert house.changed == []
    assert house.cameras.effective_settings("door").fps == 5


async def test_a_retained_value_is_left_alone(house):
    await house.set("door", "detect", b"OFF", retained=True)
    assert house.cameras.effective_settings("door").detect
    assert house.bus.said == house.changed == []


@pytest.mark.parametrize(
    ("camera", "setting"), [("attic", "fps"), ("door", "colour"), ("door", "__class__"), ("door", ""), ("+", "fps")]
)
async def test_what_is_no_camera_or_no_setting_cannot_be_set(house, caplog, camera, setting):
    await house.set(camera, setting, b"1")
    assert "cannot be set" in caplog.text
    assert house.bus.said == house.changed == []


# a broker that has forgotten everything, and another configuration


async def test_a_broker_that_has_forgotten_everything_is_told_everything(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.hear()
    await house.set("yard", "threshold", b"0.6")
    await house.cameras.publish_retained()
    assert house.bus.retained["cameras/yard/threshold/state"] == b"0.6"
    before = dict(house.bus.retained)
    house.bus.forget()
    await house.cameras.publish_retained()
    assert house.bus.retained == before
    assert before.keys() == {
        "cluster/cameras/pi-1", "cameras/door/availability", "cameras/yard/availability", "cameras/door/enabled/state",
        "cameras/yard/enabled/state", "cameras/door/detect/state", "cameras/yard/detect/state",
        "cameras/door/fps/state", "cameras/yard/fps/state", "cameras/door/threshold/state",
        "cameras/yard/threshold/state", "cameras/door/labels/state", "cameras/yard/labels/state",
    }  # fmt: skip


async def test_a_camera_that_was_never_heard_of_is_offline_from_the_start(house):
    await house.cameras.publish_retained()
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_with_another_configuration_some_cameras_begin_anew_and_others_go_on(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    await house.cameras.reload(house.configured(door={"fps": 7}, yard={}, attic={}), [])
    after = house.assigned("pi-1")
    assert after.keys() == {"door", "yard", "attic"}
    assert after["door"].revision != before["door"].revision
    assert (after["door"].fps, after["yard"].revision) == (7, before["yard"].revision)
    assert after["yard"].detect
    assert house.cameras.agent_settings("attic", after["attic"].revision) is not None
    assert house.cameras.configured == ("attic", "door", "yard")
    assert house.bus.retained["cameras/attic/availability"] == b"offline"


async def test_a_camera_that_was_removed_is_forgotten(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.hear()
    await house.set("door", "threshold", b"0.7")
    await house.cameras.publish_retained()
    house.changed.clear()
    await house.cameras.reload(house.configured(yard={}), ["door"])
    await house.hear("door", ended=True)
    assert "cameras/door/stats" in {where for where, payload in house.bus.said if not payload}
    assert set(house.assigned("pi-1")) == {"yard"}
    assert house.cameras.online == ()
    assert "door" in house.changed
    again = House(house.folder, door={})
    assert again.cameras.effective_settings("door").threshold is None


async def test_when_the_gateway_stops_no_camera_is_there_not_even_one_without_detection(house):
    await house.hear("door")
    await house.cameras.mark_settled("door")
    await house.hear("yard")
    assert house.bus.retained["cameras/yard/availability"] == b"online"
    await house.cameras.publish_offline()
    assert {house.bus.retained[f"cameras/{name}/availability"] for name in ("door", "yard")} == {b"offline"}


async def test_what_was_set_holds_after_another_configuration(house):
    await house.set("door", "detect", b"OFF")
    await house.cameras.reload(house.configured(door={}, yard={}), [])
    assert not house.cameras.effective_settings("door").detect
