from __future__ import annotations

import pytest

from gateway.observation.scene.filters import ObjectFilters
from tests.unit.gateway.observation.scene.filming import IMAGE, person, settings

LOWER_LEFT = ((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))


def admits(found, image=IMAGE, **said):
    return ObjectFilters(settings(**said), image).admit(found)


def of_person(**said):
    return {"filters": {"person": said}}


def test_only_labels_that_are_followed_are_looked_at():
    assert admits(person(100))
    assert not admits(person(100, label="dog"))
    assert admits(person(100, label="dog"), labels=("dog",))
    assert not admits(person(100), labels=("dog",))
    assert not admits(person(100), enabled=False)


def test_a_score_below_min_score_is_not_looked_at():
    assert admits(person(100, score=0.5))
    assert not admits(person(100, score=0.49))
    assert not admits(person(100, score=0.7), **of_person(min_score=0.71))


def test_a_threshold_that_was_set_takes_min_score_along():
    assert admits(person(100, score=0.31), threshold=0.3)
    assert not admits(person(100, score=0.29), threshold=0.3)
    assert not admits(person(100, score=0.49), threshold=0.9)


@pytest.mark.parametrize(
    ("limit", "passes"),
    [
        ({"min_area": 4000}, True),  # the box has 40 x 100 pixels, of 1000 x 500
        ({"min_area": 4001}, False),
        ({"max_area": 4000}, True),
        ({"max_area": 3999}, False),
        ({"min_area": 0.008}, True),
        ({"min_area": 0.0081}, False),
        ({"max_area": 0.008}, True),
        ({"max_area": 0.0079}, False),
        ({"max_area": 1}, True),
        ({"min_ratio": 0.4}, True),
        ({"min_ratio": 0.41}, False),
        ({"max_ratio": 0.4}, True),
        ({"max_ratio": 0.39}, False),
    ],
)
def test_area_and_ratio_have_limits(limit, passes):
    assert admits(person(100, width=40, height=100), **of_person(**limit)) == passes


def test_limits_are_for_their_label():
    assert admits(person(100, label="car"), **of_person(min_area=0.5))


@pytest.mark.parametrize(
    ("x", "y", "passes"), [(499, 400, False), (501, 400, True), (400, 249, True), (400, 251, False)]
)
def test_the_middle_of_the_bottom_edge_must_not_be_in_a_mask(x, y, passes):
    assert admits(person(x, y), **of_person(mask=[LOWER_LEFT])) == passes
    assert admits(person(x, y), mask=[LOWER_LEFT]) == passes


def test_a_mask_of_a_label_is_not_for_others():
    assert admits(person(100, label="car"), **of_person(mask=[LOWER_LEFT]))
    assert not admits(person(100, label="car"), mask=[LOWER_LEFT])


def test_a_box_that_leaves_the_picture_stands_on_its_edge():
    assert not admits(person(100, 503.0), mask=[LOWER_LEFT])


def test_masks_in_parts_go_with_the_size_of_the_picture_and_those_in_pixels_do_not():
    in_pixels = ((0, 250), (500, 250), (500, 500), (0, 500))
    found, large = person(600, 600, image=(2000, 1000)), (2000, 1000)
    assert not admits(found, large, mask=[LOWER_LEFT])
    assert admits(found, large, mask=[in_pixels])
