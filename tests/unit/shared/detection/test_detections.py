from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.detection.detections import COLUMNS, MAX_CLASS_NUMBER, MAX_OBJECTS_PER_FRAME, Detections

LABELS = ("person", "bicycle", "car")
CAR = (8.04, 4, 20, 28.06, 0.87654, 2)

boxes = st.tuples(*[st.floats(-1e5, 1e5, width=32)] * 4)
objects = st.tuples(boxes, st.floats(0, 1, width=32), st.integers(0, MAX_CLASS_NUMBER - 1)).map(
    lambda row: (*row[0], row[1], row[2])
)


def table(*rows):
    return np.array(rows, np.float32).reshape(-1, COLUMNS)


def sent(rows):
    return np.frombuffer(rows.tobytes(), np.uint8)


@given(st.lists(objects, max_size=MAX_OBJECTS_PER_FRAME))
def test_objects_survive_the_wire_bit_for_bit(rows):
    found = Detections.from_bytes(sent(table(*rows)))
    assert len(found) == len(rows)
    assert np.array_equal(found.table, table(*rows))
    assert found.table.tobytes() == table(*rows).tobytes()


@pytest.mark.parametrize(
    ("column", "value"),
    [*((column, value) for column in range(COLUMNS) for value in (np.nan, np.inf, -np.inf)),
     (4, -0.001), (4, 1.001), (5, -1), (5, MAX_CLASS_NUMBER)],
)  # fmt: skip
def test_impossible_numbers_are_refused(column, value):
    rows = table(CAR, CAR)
    rows[1, column] = value
    with pytest.raises(ValueError, match="not finite, or an impossible score or class"):
        Detections.from_bytes(sent(rows))


@pytest.mark.parametrize("size", [1, 23, 25, 24 * (MAX_OBJECTS_PER_FRAME + 1)])
def test_bytes_that_are_no_list_of_objects_are_refused(size):
    with pytest.raises(ValueError, match=f"{size} bytes are not a list of at most {MAX_OBJECTS_PER_FRAME} objects"):
        Detections.from_bytes(np.zeros(size, np.uint8))


@given(st.binary(max_size=200))
def test_garbage_never_raises_anything_else(data):
    try:
        Detections.from_bytes(np.frombuffer(data, np.uint8))
    except ValueError:
        return


@pytest.mark.parametrize("number", [0, 2])
def test_columns_become_rows(number):
    rows = table(*[CAR] * number)
    made = Detections.from_columns(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
    assert made.table.dtype == np.float32
    assert np.array_equal(made.table, rows)


def test_objects_are_described_in_words_for_people():
    (car,) = Detections(table(CAR)).describe((40, 50), LABELS)
    assert (car.label, car.score, car.box) == ("car", 0.8765, (8.0, 4.0, 20.0, 28.1))
    assert car.box_rel == (0.16, 0.1, 0.4, 0.7025)


def test_an_object_without_an_area_is_left_out():
    thin, behind = (8, 4, 8.01, 28, 0.9, 0), (20, 4, 8, 28, 0.9, 0)
    assert [found.label for found in Detections(table(thin, CAR, behind)).describe((40, 50), LABELS)] == ["car"]
