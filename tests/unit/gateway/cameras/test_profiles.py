"""Profiles: what is different while somebody is at home."""

from __future__ import annotations

import pytest

from tests.unit.gateway.cameras.camera_houses import CameraHouse

AREA = "0,0,1,0,1,1"
CAMERAS = {"door": {"zones": {"porch": {"coordinates": AREA}, "street": {"coordinates": AREA}}}, "kitchen": {}}
PROFILES = {
    "home": {"cameras": {"kitchen": {"detect": False}, "door": {"zones": {"porch": False}, "labels": "car"}}},
    "away": {"cameras": {"kitchen": {"threshold": 0.6, "fps": 2}}},
}


def house_in(folder, profiles=PROFILES):
    return CameraHouse(folder, profiles=profiles, **CAMERAS)


@pytest.fixture
def house(tmp_path):
    return house_in(tmp_path)


def off(house):
    return set(house.cameras.settings.scene_section("door")[2])


def kitchen(house):
    effective = house.cameras.effective_settings("kitchen")
    return effective.detect, effective.threshold, effective.fps


async def test_until_somebody_chooses_the_first_one_applies(house):
    await house.cameras.publish_retained()
    assert house.bus.retained["bridge/profile/state"] == b"home"
    assert kitchen(house) == (False, None, 5)
    assert off(house) == {"porch"}
    assert house.cameras.followed_labels("door") == ("car",)


async def test_another_one_applies_at_once_is_told_and_kept(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.choose(b"away\n")
    assert house.bus.retained["bridge/profile/state"] == b"away"
    assert house.bus.retained["cameras/kitchen/detect/state"] == b"ON"
    assert house.bus.retained["cameras/door/zones/porch/state"] == b"ON"
    assert set(house.changed) == {"door", "kitchen"}
    assert (house.assigned("pi-1")["kitchen"].detect, house.assigned("pi-1")["kitchen"].fps) == (True, 2)
    again = house_in(house.folder)
    assert (kitchen(again), off(again)) == ((True, 0.6, 2), set())
    assert again.cameras.followed_labels("door") == ("person",)


async def test_a_switch_replaces_the_profile_until_one_is_chosen(house):
    await house.set("kitchen", "detect", b"ON")
    await house.switch("door", "porch", b"ON")
    assert (kitchen(house)[0], off(house)) == (True, set())
    await house.choose(b"home")
    assert (kitchen(house)[0], off(house)) == (False, {"porch"})
    assert house.bus.retained["cameras/kitchen/detect/state"] == b"OFF"


async def test_switches_of_which_no_profile_speaks_stay(house):
    await house.set("door", "detect", b"OFF")
    await house.switch("door", "street", b"OFF")
    await house.choose(b"away")
    assert not house.cameras.effective_settings("door").detect
    assert off(house) == {"street"}


@pytest.mark.parametrize("name", [b"night", b"\xff"])
async def test_one_that_is_not_there_is_refused_and_told(house, caplog, name):
    await house.choose(name)
    assert "not found; profiles: home, away" in caplog.text
    assert house.bus.payloads("bridge/profile/state") == [b"home"]
    assert house.changed == []


async def test_an_empty_choice_and_a_retained_one_are_left_alone(house):
    await house.choose(b"")
    assert house.bus.said == []
    await house.choose(b"away", retained=True)
    assert kitchen(house)[0] is False


async def test_a_chosen_one_that_left_the_file_gives_way_to_the_first(house):
    await house.choose(b"away")
    again = house_in(house.folder, {"night": {}, "home": PROFILES["home"]})
    assert (again.cameras.settings.profile, kitchen(again)) == ("night", (True, None, 5))


async def test_without_profiles_nothing_is_told(tmp_path):
    house = CameraHouse(tmp_path, **CAMERAS)
    await house.cameras.publish_retained()
    assert "bridge/profile/state" not in house.bus.retained
