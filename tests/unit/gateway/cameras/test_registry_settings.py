"""What is set of a camera over MQTT, beside what is configured."""

from __future__ import annotations

import pytest

from gateway.cameras.applied_settings import EffectiveSettings
from shared.payloads.cluster import CameraRef
from tests.unit.gateway.cameras.camera_houses import CAMERAS, CameraHouse, let_milliseconds_pass


@pytest.fixture(autouse=True)
def _another_millisecond_each_time(monkeypatch):
    let_milliseconds_pass(monkeypatch)


@pytest.fixture
def house(tmp_path):
    return CameraHouse(tmp_path, **CAMERAS)


async def test_what_holds_is_what_was_set_else_what_is_configured(house):
    assert house.cameras.effective_settings("door") == EffectiveSettings(True, True, None, 5, None)
    assert house.cameras.effective_settings("yard") == EffectiveSettings(True, False, None, 5, None)
    for setting, payload in [("detect", b"ON"), ("threshold", b"0.7"), ("fps", b"2.5"), ("labels", b'["person"]')]:
        await house.set("yard", setting, payload)
    await house.set("door", "fps", b"1")
    assert house.cameras.effective_settings("door") == EffectiveSettings(True, True, None, 1, None)
    assert house.cameras.effective_settings("yard") == EffectiveSettings(True, True, 0.7, 2.5, ("person",))


async def test_five_frames_a_second_are_wanted_unless_another_number_or_all_are(tmp_path):
    house = CameraHouse(tmp_path, door={}, yard={"fps": 7}, attic={"fps": "all"})
    await house.cameras.update_nodes(["pi-1"])
    await house.cameras.publish_retained()
    assert {name: ref.fps for name, ref in house.assigned("pi-1").items()} == {"attic": None, "door": 5, "yard": 7}
    shown = {name: house.bus.retained[f"cameras/{name}/fps/state"] for name in ("attic", "door", "yard")}
    assert shown == {"attic": b"null", "door": b"5", "yard": b"7"}


async def test_snapshots_are_asked_for_as_often_as_is_written_only(tmp_path):
    """Their own rate is less than that of other cameras: an agent that is told of none knows it."""
    house = CameraHouse(tmp_path, door={}, yard={"fps": 5})
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
    again = CameraHouse(house.folder, door={"fps": 5}, yard={})
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
