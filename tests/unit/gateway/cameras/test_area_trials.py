import pytest

from gateway.cameras.area_trials import MAX_TRIED_ZONES, with_areas
from gateway.configuration.cameras import CameraSection
from gateway.configuration.objects import ObjectsSection
from shared.errors import ConfigurationError
from shared.mqtt import topics
from tests.unit.gateway.cameras.camera_houses import CameraHouse

YARD = "0,0,1,0,1,1,0,1"
PORCH = "0,0,0.5,0,0.5,0.5,0,0.5"
ZONES = {"yard": {"coordinates": YARD, "inertia": 5, "objects": "car"}, "street": {"coordinates": YARD}}
CAMERA = CameraSection.model_validate({"source": "test://", "zones": ZONES})
OBJECTS = ObjectsSection(track=("person", "car"), mask=[PORCH])


def tried(**request):
    return with_areas(CAMERA, OBJECTS, request)


def test_a_zone_of_the_same_name_keeps_what_is_not_given():
    zones = tried(zones={"yard": {"coordinates": PORCH}}).zones
    assert list(zones) == ["yard"]
    assert (zones["yard"].inertia, zones["yard"].objects) == (5, ("car",))
    assert zones["yard"].coordinates == ((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5))


def test_masks_are_replaced_and_labels_kept():
    section = tried(mask=[YARD])
    assert section.objects.track == ("person", "car")
    assert len(section.objects.mask) == 1
    assert section.objects.mask[0][2] == (1, 1)
    assert section.zones == CAMERA.zones
    assert tried(mask=[]).objects.mask == ()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "must have zones, or a mask"),
        ({"zones": []}, "zones must be an object"),
        ({"zones": {"yard": YARD}}, "zones must be an object"),
        ({"zones": {"Yard!": {"coordinates": YARD}}}, "zones"),
        ({"zones": {"yard": {"coordinates": "0,0,1"}}}, "zones.yard.coordinates: an odd number"),
        ({"zones": {"yard": {"colour": 1}}}, "zones.yard.colour"),
        ({"mask": ["0,0,1,1"]}, "mask.0: 2 corners enclose no area"),
        ({"zones": {f"z{number}": {"coordinates": YARD} for number in range(MAX_TRIED_ZONES + 1)}}, "too many"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(request_, words):
    with pytest.raises(ConfigurationError) as raised:
        with_areas(CAMERA, OBJECTS, request_)
    assert words in str(raised.value)


async def test_a_trial_is_followed_at_once_and_ends_with_a_reload(tmp_path):
    house = CameraHouse(tmp_path, door={"zones": ZONES})
    house.cameras.try_areas("door", {"zones": {"porch": {"coordinates": PORCH}}})
    assert house.changed == ["door"]
    assert list(house.cameras.section_of("door").zones) == ["porch"]
    await house.cameras.reload(house.configured(door={"zones": ZONES}), [])
    assert list(house.cameras.section_of("door").zones) == ["yard", "street"]


async def test_a_trial_restarts_no_agent(tmp_path):
    house = CameraHouse(tmp_path, door={})
    await house.cameras.update_nodes(["pi-1"])
    before = len(house.bus.payloads(topics.CAMERAS.full_path("pi-1").removeprefix("deepthings/")))
    house.cameras.try_areas("door", {"mask": [PORCH]})
    await house.cameras.update_nodes(["pi-1"])
    assert len(house.bus.payloads(topics.CAMERAS.full_path("pi-1").removeprefix("deepthings/"))) == before
