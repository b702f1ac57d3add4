from __future__ import annotations

from gateway.observation.tracking.association import ExpectedObject, SeenObject, associate
from gateway.observation.tracking.motion_model import Motion
from tests.unit.gateway.observation.tracking.moving import standing


def expected(x, *, after=0.1, missed=False, height=200.0):
    return ExpectedObject(Motion.from_box(standing(x, height=height)).after(after), missed)


def seen(x, *, high=True, height=200.0):
    return SeenObject(standing(x, height=height), high)


def test_nothing_is_nobody():
    assert associate([], []) == associate([expected(100)], []) == associate([], [seen(100)]) == {}


def test_each_is_who_was_expected_there():
    assert associate([expected(100), expected(400)], [seen(405), seen(95)]) == {0: 1, 1: 0}


def test_a_detection_of_high_score_goes_before_a_better_one_of_low_score():
    assert associate([expected(100)], [seen(100, high=False), seen(115)]) == {0: 1}


def test_a_detection_of_low_score_goes_on_with_who_is_left():
    assert associate([expected(100), expected(400)], [seen(100, high=False), seen(400)]) == {0: 0, 1: 1}


def test_a_detection_of_low_score_must_be_where_it_is_expected():
    assert associate([expected(100, after=1.0)], [seen(160, high=False)]) == {}
    assert associate([expected(100, after=1.0)], [seen(160)]) == {0: 0}


def test_a_small_fast_object_is_found_beside_its_last_box():
    assert associate([expected(100, after=0.5, height=30)], [seen(140, height=30)]) == {0: 0}


def test_nobody_runs_ten_heights_in_half_a_second():
    assert associate([expected(100, after=0.5, height=30)], [seen(400, height=30)]) == {}


def test_who_was_out_of_sight_is_not_taken_for_anybody_far_away():
    assert associate([expected(100, after=2.0, missed=True)], [seen(400)]) == {}
    assert associate([expected(100, after=2.0, missed=True)], [seen(250)]) == {0: 0}


def test_a_child_is_not_the_adult_that_was_there():
    assert associate([expected(100, after=2.0)], [seen(200, height=100)]) == {}


def test_overlap_goes_before_nearness():
    """The one who left on the left is not taken for his neighbour, nor everybody for the next one."""
    row = [expected(x, after=0.5) for x in (100, 200, 300)]
    assert associate(row, [seen(205), seen(305)]) == {1: 0, 2: 1}
