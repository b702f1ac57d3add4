from __future__ import annotations

import math

import numpy as np
import pytest

from shared.detection.decoding.yolox import decode
from shared.model.spec import ModelSpec

CLASSES = 4


def spec_of(score_threshold=0.3):
    return ModelSpec(name="mine", file="mine.onnx", score_threshold=score_threshold)


def outputs_of(height, width, objects):
    """The raw output where `objects` are seen: stride, row, column -> box in pixels, objectness, class, its score."""
    rows = []
    for stride in (8, 16, 32):
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                values = [0.0] * (5 + CLASSES)
                if (stride, row, column) in objects:
                    (left, top, right, bottom), objectness, number, score = objects[stride, row, column]
                    values[0] = (left + right) / 2 / stride - column
                    values[1] = (top + bottom) / 2 / stride - row
                    values[2] = math.log((right - left) / stride)
                    values[3] = math.log((bottom - top) / stride)
                    values[4] = objectness
                    values[5 + number] = score
                rows.append(values)
    return {"output": np.array([rows], np.float32)}


OBJECTS = {
    (8, 0, 0): ((-3, 1, 20, 9), 0.9, 0, 0.8),
    (8, 7, 11): ((80, 50, 97.5, 66), 0.7, 3, 0.9),
    (16, 1, 4): ((60, 3, 90, 40), 0.8, 1, 0.5),
    (32, 1, 2): ((0, 0, 96, 64), 1.0, 2, 0.95),
}


def test_boxes_come_back_from_where_they_were_put():
    boxes, scores = decode(outputs_of(64, 96, OBJECTS), (64, 96), spec_of())
    np.testing.assert_allclose(boxes, [box for box, *_ in OBJECTS.values()], atol=1e-3)
    assert scores.argmax(axis=1).tolist() == [0, 3, 1, 2]
    np.testing.assert_allclose(scores.max(axis=1), [0.72, 0.63, 0.4, 0.95], rtol=1e-6)
    assert boxes.dtype == scores.dtype == np.float32
    assert scores.shape == (4, CLASSES)


@pytest.mark.parametrize("size", [(64, 64), (32, 416), (416, 32)])
def test_rows_and_columns_are_not_mixed_up(size):
    box = (5, 6, 11, 30)
    place = (8, size[0] // 8 - 1, 0)
    boxes, _ = decode(outputs_of(*size, {place: (box, 1, 0, 1)}), size, spec_of())
    np.testing.assert_allclose(boxes, [box], atol=1e-3)


def test_cells_of_less_objectness_than_the_threshold_are_left_out():
    _, scores = decode(outputs_of(64, 96, OBJECTS), (64, 96), spec_of(score_threshold=0.75))
    assert len(scores) == 3


def test_nothing_seen_is_nothing_decoded():
    boxes, scores = decode(outputs_of(64, 96, {}), (64, 96), spec_of())
    assert (boxes.shape, scores.shape) == ((0, 4), (0, CLASSES))
