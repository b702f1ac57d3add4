from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.trust.object_difference import (
    MAX_OBJECT_DIFFERENCE,
    MAX_QUANTISED_OBJECT_DIFFERENCE,
    WRONG_OBJECTS,
    object_difference,
)

SIZE = (100, 200)
FLOOR = 0.4


def table(*rows):
    return np.array(rows, np.float32).reshape(-1, 6)


def difference(found, expected, *, quantised=False):
    return object_difference(found, expected, SIZE, FLOOR, quantised=quantised)


CAR, PERSON = (20, 10, 100, 60, 0.9, 2), (50, 50, 60, 90, 0.8, 0)


def moved(row, **change):
    columns = ("left", "top", "right", "bottom", "score", "class_")
    return tuple(value + change.get(name, 0) for name, value in zip(columns, row, strict=True))


def test_the_same_objects_in_any_order_do_not_differ():
    assert difference(table(CAR, PERSON), table(PERSON, CAR)) == 0
    assert difference(table(), table()) == 0


@pytest.mark.parametrize(
    ("change", "part"), [({"left": 1}, 1 / 200), ({"bottom": 0.5}, 0.5 / 100), ({"score": -0.005}, 0.005)]
)
def test_boxes_differ_in_parts_of_the_picture_and_scores_as_they_are(change, part):
    assert difference(table(moved(CAR, **change), PERSON), table(CAR, PERSON)) == pytest.approx(part, rel=1e-3)


@pytest.mark.parametrize("change", [{"left": 2.5}, {"top": 1.5}, {"score": 0.02}, {"class_": 1}])
def test_an_object_that_differs_too_much_is_wrong(change):
    assert difference(table(moved(CAR, **change)), table(CAR)) == WRONG_OBJECTS


def test_an_object_too_many_or_too_few_is_wrong():
    assert difference(table(CAR, PERSON), table(CAR)) == WRONG_OBJECTS
    assert difference(table(CAR), table(CAR, PERSON)) == WRONG_OBJECTS
    assert difference(table(CAR, CAR), table(CAR)) == WRONG_OBJECTS
    assert difference(table(), table(CAR)) == WRONG_OBJECTS


@pytest.mark.parametrize(("beyond", "wrong"), [(0.9, False), (1.1, True)])
def test_rounding_decides_about_an_object_at_the_lowest_score(beyond, wrong):
    faint = (*CAR[:4], FLOOR + beyond * MAX_OBJECT_DIFFERENCE, 2)
    assert (difference(table(PERSON, faint), table(PERSON)) == WRONG_OBJECTS) is wrong
    assert (difference(table(PERSON), table(PERSON, faint)) == WRONG_OBJECTS) is wrong


def test_a_quantised_model_may_differ_more():
    found = table(moved(CAR, left=10, score=-0.05))
    assert difference(found, table(CAR)) == WRONG_OBJECTS
    assert difference(found, table(CAR), quantised=True) == pytest.approx(0.05, rel=1e-3)
    found = table(moved(CAR, score=-1.1 * MAX_QUANTISED_OBJECT_DIFFERENCE))
    assert difference(found, table(CAR), quantised=True) == WRONG_OBJECTS


sides = st.tuples(st.integers(0, 90), st.integers(0, 40), st.integers(100, 190), st.integers(50, 95))
rows = st.tuples(sides, st.floats(0.4375, 1, width=32), st.integers(0, 3)).map(lambda row: (*row[0], row[1], row[2]))
shifts = st.floats(-MAX_OBJECT_DIFFERENCE / 2, MAX_OBJECT_DIFFERENCE / 2)


@given(st.lists(rows, max_size=8), st.randoms())
def test_the_order_does_not_matter(made, random):
    mixed = list(made)
    random.shuffle(mixed)
    assert difference(table(*mixed), table(*made)) == 0


@given(st.lists(rows, max_size=8, unique_by=lambda row: row[5]), st.lists(shifts, min_size=8, max_size=8))
def test_objects_that_differ_within_the_limit_are_found_again(made, parts):
    """Each of a class of its own, so that none can be taken for another."""
    shifted = [moved(row, left=200 * part, top=100 * part) for row, part in zip(made, parts, strict=False)]
    largest = max((abs(part) for part in parts[: len(made)]), default=0)
    assert difference(table(*shifted), table(*made)) == pytest.approx(largest, abs=1e-5)
