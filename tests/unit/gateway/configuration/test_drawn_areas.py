from __future__ import annotations

from gateway.configuration.drawn_areas import drawn_areas_of
from gateway.configuration.root import Configuration

CORNERS = "0,0, 1,0, 1,1"


def test_zones_come_first_then_every_mask_by_what_it_is_of():
    yard = {"coordinates": CORNERS, "filters": {"dog": {"mask": CORNERS}}}
    door = {"source": "test://", "zones": {"yard": yard}, "motion": {"mask": [CORNERS, CORNERS]}}
    objects = {"mask": CORNERS, "filters": {"person": {"mask": CORNERS}}}
    configuration = Configuration.model_validate({"objects": objects, "cameras": {"door": door}})
    places = list(drawn_areas_of(configuration.cameras["door"], configuration.objects_of("door")))
    assert [str(place) for place in places] == [
        "zone yard",
        "a mask of objects",
        "a mask of filter person",
        "a mask of filter dog in zone yard",
        "a mask of motion",
        "a mask of motion",
    ]
    assert [place.is_zone for place in places] == [True] + [False] * 5
    assert {place.polygon for place in places} == {((0, 0), (1, 0), (1, 1))}


def test_a_camera_with_objects_of_its_own_has_their_masks():
    door = {"source": "test://", "objects": {"track": ["person"]}}
    configuration = Configuration.model_validate({"objects": {"mask": CORNERS}, "cameras": {"door": door}})
    assert not list(drawn_areas_of(configuration.cameras["door"], configuration.objects_of("door")))
