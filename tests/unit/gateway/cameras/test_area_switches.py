"""Zones and masks that are switched over MQTT."""

from __future__ import annotations

import pytest

from gateway.cameras.area_switches import switched_areas
from tests.unit.gateway.cameras.camera_houses import CameraHouse

LEFT, RIGHT, TOP = "0,0,0.5,0,0.5,1,0,1", "0.5,0,1,0,1,1,0.5,1", "0,0,1,0,1,0.2,0,0.2"
OBJECTS = {"mask": [LEFT, TOP], "filters": {"person": {"mask": RIGHT}}}
DOOR = {
    "objects": OBJECTS,
    "motion": {"mask": [TOP, LEFT]},
    "zones": {"porch": {"coordinates": LEFT, "filters": {"person": {"mask": TOP}}}, "yard": {"coordinates": RIGHT}},
}
MASKS = (
    "mask_objects_1", "mask_objects_2", "mask_filter_person_1", "mask_filter_person_in_zone_porch_1", "mask_motion_1",
    "mask_motion_2",
)  # fmt: skip


@pytest.fixture
def house(tmp_path):
    return CameraHouse(tmp_path, door=DOOR, attic={})


def scene(house):
    """The numbers of masks: of objects, of the filter, of the filter in a zone; and the zones that are off."""
    section, objects, zones_off = house.cameras.settings.scene_section("door")
    in_zone = section.zones["porch"].filters["person"].mask
    return len(objects.mask), len(objects.filters["person"].mask), len(in_zone), set(zones_off)


async def test_every_zone_and_mask_has_a_switch_that_is_on(house):
    await house.cameras.publish_retained()
    switches = {where: state for where, state in house.bus.retained.items() if "/zones/" in where or "/mask_" in where}
    assert switches == dict.fromkeys(
        ["cameras/door/zones/porch/state", "cameras/door/zones/yard/state",
         *(f"cameras/door/{mask}/state" for mask in MASKS)],
        b"ON",
    )  # fmt: skip
    assert scene(house) == (2, 1, 1, set())


async def test_a_zone_that_is_switched_off_is_told_followed_and_kept(house):
    await house.switch("door", "porch", b"OFF")
    assert house.bus.retained["cameras/door/zones/porch/state"] == b"OFF"
    assert house.changed == ["door"]
    again = CameraHouse(house.folder, door=DOOR, attic={})
    assert scene(again) == (2, 1, 1, {"porch"})
    await again.switch("door", "porch", b"on")
    assert scene(again) == (2, 1, 1, set())


@pytest.mark.parametrize(
    ("mask", "left"),
    [
        ("mask_objects_2", (1, 1, 1, set())),
        ("mask_filter_person_1", (2, 0, 1, set())),
        ("mask_filter_person_in_zone_porch_1", (2, 1, 0, set())),
        ("mask_motion_1", (2, 1, 1, set())),
    ],
)
async def test_a_mask_that_is_off_hides_nothing(house, mask, left):
    await house.set("door", mask, b"OFF")
    assert house.bus.retained[f"cameras/door/{mask}/state"] == b"OFF"
    assert scene(house) == left
    await house.set("door", mask, b"")
    assert scene(house) == (2, 1, 1, set())


async def test_a_motion_mask_that_is_off_starts_the_agent_again_without_it(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")["door"].revision
    await house.set("door", "mask_motion_1", b"OFF")
    after = house.assigned("pi-1")["door"].revision
    assert after != before
    assert house.cameras.agent_settings("door", before) is None
    left = house.cameras.agent_settings("door", after).motion.mask
    assert left == house.configured(door=DOOR).cameras["door"].motion.mask[1:]
    await house.set("door", "mask_objects_1", b"OFF")
    assert house.assigned("pi-1")["door"].revision == after


async def test_a_mask_keeps_its_state_when_another_is_written_before_it_and_loses_it_with_its_corners(house):
    await house.set("door", "mask_objects_2", b"OFF")
    moved = {**DOOR, "objects": {**OBJECTS, "mask": [RIGHT, LEFT, TOP]}}
    again = CameraHouse(house.folder, door=moved, attic={})
    off = [area.name for area, on in again.cameras.settings.area_states("door") if not on]
    assert off == ["mask_objects_3"]
    other = {**DOOR, "objects": {**OBJECTS, "mask": [LEFT, "0,0,1,0,1,0.3,0,0.3"]}}
    assert scene(CameraHouse(house.folder, door=other, attic={}))[0] == 2


@pytest.mark.parametrize(
    ("zone", "payload", "words"),
    [("lawn", b"OFF", "it has no zone 'lawn'; its zones: porch, yard"), ("porch", b"maybe", "is not a switch state")],
)
async def test_who_switches_what_cannot_be_is_told_what_holds(house, caplog, zone, payload, words):
    await house.switch("door", zone, payload)
    assert words in caplog.text
    assert house.changed == []
    assert house.bus.retained["cameras/door/zones/porch/state"] == b"ON"


async def test_a_mask_that_is_not_there_and_a_camera_that_is_not_cannot_be_switched(house, caplog):
    await house.set("door", "mask_objects_9", b"OFF")
    assert "it has no mask 'mask_objects_9'" in caplog.text
    await house.switch("cellar", "porch", b"OFF")
    assert "unknown camera" in caplog.text
    assert house.changed == []


async def test_a_retained_state_is_left_alone(house):
    await house.switch("door", "porch", b"OFF", retained=True)
    assert scene(house)[3] == set()
    assert house.bus.said == []


def test_a_camera_without_areas_has_no_switches(house):
    configuration = house.configured(attic={})
    assert list(switched_areas(configuration.cameras["attic"], configuration.objects)) == []
