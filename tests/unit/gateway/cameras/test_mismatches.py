from __future__ import annotations

import pytest

from gateway.cameras.mismatches import missing_edges, places_outside
from gateway.configuration.cameras import CameraSection
from gateway.configuration.objects import ObjectsSection


def camera(**said):
    return CameraSection.model_validate({"source": "test://", **said})


def test_an_edge_that_nobody_knows_is_told_with_those_that_there_are():
    cameras = {"front": camera(edge="pi-9"), "yard": camera(edge="pi-1"), "any": camera()}
    assert list(missing_edges(cameras, ["pi-2", "pi-1"])) == [
        "camera front: edge pi-9 not found; known edges: pi-1, pi-2"
    ]
    assert list(missing_edges({"front": camera(edge="pi-9")}, [])) == [
        "camera front: edge pi-9 not found; known edges: none"
    ]


@pytest.mark.parametrize(
    ("zone", "outside"),
    [
        ("700,10,800,10,800,90", True),
        ("10,500,90,500,90,600", True),
        ("600,10,800,10,800,90", False),
        ("0.1,0.1,0.9,0.1,0.9,0.9", False),
    ],
)
def test_a_zone_that_no_picture_reaches_is_told(zone, outside):
    cameras = {"front": camera(zones={"yard": {"coordinates": zone}})}
    said = list(places_outside(cameras, {"front": (640, 480)}, {"front": ObjectsSection()}))
    assert said == (["camera front: zone yard is outside its pictures of 640x480 pixels"] if outside else [])


def test_masks_are_looked_at_too():
    away = [[700, 10], [800, 10], [800, 90]]
    objects = ObjectsSection.model_validate({"mask": [away], "filters": {"person": {"mask": [away]}}})
    cameras = {"front": camera(motion={"mask": [away]})}
    said = list(places_outside(cameras, {"front": (640, 480)}, {"front": objects}))
    assert [each.split(" is ")[0] for each in said] == [
        "camera front: a mask of objects", "camera front: a mask of filter person", "camera front: a mask of motion",
    ]  # fmt: skip


def test_of_a_camera_without_pictures_or_that_is_gone_nothing_is_known():
    cameras = {"front": camera(zones={"yard": {"coordinates": "700,10,800,10,800,90"}})}
    assert list(places_outside(cameras, {"gone": (640, 480)}, {"front": ObjectsSection()})) == []
