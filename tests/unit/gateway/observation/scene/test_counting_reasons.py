"""Why an object counts, or does not: score, label, size, mask, number of detections, median, zones."""

import pytest

from gateway.observation.scene.counting_reasons import MAX_UNCOUNTED_OBJECTS
from tests.unit.gateway.observation.scene.filming import Camera, person


def explained(camera):
    (only,) = camera.scene.explain().objects
    return only


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (person(500, label="dog"), "its label is not followed"),
        (person(500, score=0.3), "score 0.30 is below min_score 0.50"),
        (person(500, height=10, width=4), "smaller than min_area"),
        (person(500, height=40, width=200), "more than max_ratio 1"),
        (person(50), "it stands in a mask"),
    ],
)
def test_a_filter_is_named_with_its_figures(found, words):
    camera = Camera(filters={"person": {"min_area": 100, "max_ratio": 1, "mask": "0,0,100,0,100,500,0,500"}})
    camera.film(found)
    assert words in explained(camera).why
    assert explained(camera).id == ""


def test_a_refusal_is_named_for_just_those_that_are_not_admitted():
    camera = Camera(filters={"person": {"min_area": 100, "max_ratio": 1, "mask": "0,0,100,0,100,500,0,500"}})
    camera.film(person(500))
    filters = camera.scene._filters
    for found in (person(500), person(50), person(500, score=0.3), person(500, height=9, width=2)):
        assert filters.admit(found) == (filters.refusal(found) == "")


def test_an_object_counts_after_enough_detections():
    camera = Camera()
    camera.film(person(500), frames=2)
    assert explained(camera).why == "seen in 2 of the 3 frames that it takes to count"
    camera.film(person(500), frames=2)
    assert explained(camera).why == ""
    assert explained(camera).id


def test_a_low_score_continues_an_object_but_begins_none():
    camera = Camera()
    camera.film(person(500, score=0.55))
    assert "only 0.60 begins one" in explained(camera).why


def test_a_median_below_the_threshold_is_named():
    camera = Camera()
    camera.film(person(500, score=0.65), frames=5)
    assert explained(camera).why == "the median of its scores, 0.65, is below the threshold 0.70"


def test_zones_say_what_is_missing():
    zones = {
        "porch": {"coordinates": "0.4,0,0.6,0,0.6,1,0.4,1", "inertia": 3},
        "street": {"coordinates": "0,0,0.1,0,0.1,1,0,1"},
        "drive": {"coordinates": "0.4,0,0.6,0,0.6,1,0.4,1", "objects": "car"},
        "bench": {"coordinates": "0.4,0,0.6,0,0.6,1,0.4,1", "loitering_time": 60, "inertia": 1},
        "far": {"coordinates": "0.4,0,0.6,0,0.6,1,0.4,1", "filters": {"person": {"max_area": 10}}},
    }
    camera = Camera(zones=zones)
    camera.film(person(500), frames=2)
    found = explained(camera).zones
    assert found["porch"] == "in it for 2 of 3 frames in a row (inertia)"
    assert found["street"].startswith("outside")
    assert found["drive"].startswith("person does not count here")
    assert "of 60 s (loitering_time)" in found["bench"]
    assert found["far"].endswith("does not let it pass")
    camera.film(person(500), frames=2)
    assert explained(camera).zones["porch"] == "in it"


def test_objects_that_never_counted_are_remembered_up_to_a_bound():
    camera = Camera()
    for _ in range(MAX_UNCOUNTED_OBJECTS + 3):
        camera.film(person(500))
        camera.film(frames=30)
    found = camera.scene.explain()
    assert found.objects == ()
    assert len(found.uncounted) == MAX_UNCOUNTED_OBJECTS
    assert found.uncounted[-1].why == "seen in 1 of the 3 frames that it takes to count"


def test_an_object_that_counted_is_not_among_them():
    camera = Camera()
    camera.film(person(500), frames=4)
    camera.film(frames=80)
    assert camera.scene.explain().uncounted == ()
