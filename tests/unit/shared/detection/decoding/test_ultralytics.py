from __future__ import annotations

import numpy as np

from shared.detection.decoding.ultralytics import decode_v5, decode_v8
from shared.model.spec import ModelSpec

SIZE = (64, 96)
CELLS = 96 + 24 + 6
CLASSES = 3

BOXES = {7: (-4, 2, 30, 50), 100: (10, 20, 11, 60.5), 125: (0, 0, 96, 64)}
"""Number of the row -> left, top, right, bottom in pixels of the input."""


def spec_of(score_threshold=0.3):
    return ModelSpec(name="mine", file="mine.onnx", score_threshold=score_threshold)


def centre_and_size(box):
    left, top, right, bottom = box
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def v5(objectness=0.8):
    table = np.full((1, 3 * CELLS, 5 + CLASSES), 0.01, np.float32)
    for number, box in BOXES.items():
        table[0, 2 * number, :4] = centre_and_size(box)
        table[0, 2 * number, 4] = objectness
        table[0, 2 * number, 5 + number % CLASSES] = 0.9
    return {"output": table}


def v8(score=0.6):
    table = np.full((1, 4 + CLASSES, CELLS), 0.01, np.float32)
    for number, box in BOXES.items():
        table[0, :4, number] = centre_and_size(box)
        table[0, 4 + number % CLASSES, number] = score
    return {"output": table}


def test_v5_boxes_come_back_with_objectness_times_class():
    boxes, scores = decode_v5(v5(), SIZE, spec_of())
    np.testing.assert_allclose(boxes, list(BOXES.values()), atol=1e-4)
    assert scores.argmax(axis=1).tolist() == [1, 1, 2]
    np.testing.assert_allclose(scores.max(axis=1), 0.72, rtol=1e-6)
    assert boxes.dtype == scores.dtype == np.float32
    assert scores.shape == (3, CLASSES)


def test_v5_rows_of_less_objectness_than_the_threshold_are_left_out():
    assert decode_v5(v5(objectness=0.29), SIZE, spec_of())[0].shape == (0, 4)


def test_v8_boxes_come_back_with_their_classes():
    boxes, scores = decode_v8(v8(), SIZE, spec_of())
    np.testing.assert_allclose(boxes, list(BOXES.values()), atol=1e-4)
    assert scores.argmax(axis=1).tolist() == [1, 1, 2]
    np.testing.assert_allclose(scores.max(axis=1), 0.6, rtol=1e-6)
    assert boxes.dtype == scores.dtype == np.float32
    assert scores.shape == (3, CLASSES)


def test_v8_cells_below_the_threshold_are_left_out():
    boxes, scores = decode_v8(v8(score=0.29), SIZE, spec_of())
    assert (boxes.shape, scores.shape) == ((0, 4), (0, CLASSES))
