from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding.nanodet import decode
from shared.model.spec import ModelSpec

BINS = 11
SURELY = 50


def spec_of(classes=2, score_threshold=0.05):
    labels = tuple(f"class {number}" for number in range(classes))
    return ModelSpec(name="mine", file="mine.onnx", labels=labels, score_threshold=score_threshold)


def empty_outputs(height=64, width=96, classes=2):
    """Outputs of a network that saw nothing: scores of 0, all distances equally likely."""
    outputs = {}
    for stride in (8, 16, 32):
        cells = -(-height // stride) * -(-width // stride)
        outputs[f"scores_{stride}"] = np.zeros((1, cells, classes), np.float32)
        outputs[f"boxes_{stride}"] = np.zeros((1, cells, 4 * BINS), np.float32)
    return outputs


def set_sides(outputs, stride, cell, sides):
    """See something in one cell, with certain distances: left, top, right, bottom in strides."""
    logits = np.full((4, BINS), -SURELY, np.float32)
    logits[range(4), sides] = SURELY
    outputs[f"boxes_{stride}"][0, cell] = logits.ravel()
    outputs[f"scores_{stride}"][0, cell, 0] = 0.9


def one_output(height, width, strides, found, classes=3, bins=8):
    """Upstream's one output where `found` is seen: stride, row, column -> class, and its sides in strides."""
    rows = []
    for stride in strides:
        for row in range(-(-height // stride)):
            for column in range(-(-width // stride)):
                number, *sides = found.get((stride, row, column), (0, 0, 0, 0, 0))
                scores = [0.01] * classes
                if (stride, row, column) in found:
                    scores[number] = 0.7
                logits = []
                for side in sides:  # the two bins around a distance share it
                    weights = [1e-9] * bins
                    weights[int(side)] = 1 - side % 1
                    if side % 1:
                        weights[int(side) + 1] = side % 1
                    logits += np.log(weights).tolist()
                rows.append(scores + logits)
    return {"output": np.array([rows], np.float32)}


def test_a_cell_tells_the_distances_of_its_centre_to_the_sides():
    outputs = empty_outputs()
    set_sides(outputs, stride=16, cell=8, sides=[1, 0, 2, 3])  # row 1, column 2 of 4x6: the centre is (40, 24)
    boxes, scores = decode(outputs, (64, 96), spec_of())
    np.testing.assert_allclose(boxes, [[40 - 16, 24 - 0, 40 + 32, 24 + 48]], atol=1e-4)
    np.testing.assert_allclose(scores, [[0.9, 0]])


def test_a_distance_is_the_expectation_of_its_bins():
    outputs = empty_outputs()
    logits = np.full(BINS, -SURELY, np.float32)
    logits[[2, 6]] = np.log([0.75, 0.25])  # 0.75 * 2 + 0.25 * 6 = 3
    set_sides(outputs, 32, 0, [0, 0, 0, 0])
    outputs["boxes_32"][0, 0] = np.tile(logits, 4)
    boxes, _ = decode(outputs, (64, 96), spec_of())
    np.testing.assert_allclose(boxes, [[16 - 96, 16 - 96, 16 + 96, 16 + 96]], atol=1e-3)


def test_equal_bins_mean_the_middle_distance():
    outputs = empty_outputs()
    outputs["scores_8"][0, 0, 0] = 0.5
    boxes, _ = decode(outputs, (64, 96), spec_of())
    np.testing.assert_allclose(boxes, [[4 - 40, 4 - 40, 4 + 40, 4 + 40]], atol=1e-4)


def test_boxes_and_scores_come_in_the_order_of_the_strides():
    outputs = empty_outputs()
    for number, stride in enumerate((8, 16, 32)):
        outputs[f"scores_{stride}"][0, 0, 1] = (number + 1) / 10
    boxes, scores = decode(outputs, (64, 96), spec_of())
    assert (boxes.shape, scores.shape) == ((3, 4), (3, 2))
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_allclose(scores[:, 1], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(boxes[:, 2] + boxes[:, 0], [8, 16, 32], atol=1e-3)


def test_only_cells_that_reach_the_threshold_are_decoded():
    outputs = empty_outputs()
    outputs["scores_8"][0, :3, 1] = 0.3, 0.5, 0.4
    _, scores = decode(outputs, (64, 96), spec_of(score_threshold=0.4))
    np.testing.assert_allclose(scores[:, 1], [0.5, 0.4])


def test_logits_of_any_size_are_no_overflow():
    outputs = empty_outputs()
    set_sides(outputs, 8, 0, [1, 1, 1, 1])
    outputs["boxes_8"][0, 0] = 3e38
    boxes, _ = decode(outputs, (64, 96), spec_of())
    assert np.isfinite(boxes).all()


def test_sizes_that_are_no_multiple_of_the_stride_are_rounded_up():
    outputs = empty_outputs(90, 95)
    set_sides(outputs, 32, 8, [1, 1, 1, 1])  # the last of 3x3, whose centre is at (80, 80)
    boxes, _ = decode(outputs, (90, 95), spec_of())
    np.testing.assert_allclose(boxes, [[48, 48, 112, 112]], atol=1e-3)


FOUND = {
    (8, 0, 0): (1, 0, 0, 3.5, 2),
    (8, 7, 11): (2, 6.25, 7, 0, 0.5),
    (16, 2, 1): (0, 1.5, 2, 2.75, 1),
    (32, 1, 2): (2, 2, 1.25, 0.5, 0.5),
}


def boxes_of(found, inside):
    boxes = []
    for (stride, row, column), (_, left, top, right, bottom) in found.items():
        x, y = (column + inside) * stride, (row + inside) * stride
        boxes.append([x - left * stride, y - top * stride, x + right * stride, y + bottom * stride])
    return boxes


@pytest.mark.parametrize("bins", [8, 11])
def test_upstreams_one_output_measures_from_the_middle_of_a_cell(bins):
    outputs = one_output(64, 96, (8, 16, 32), FOUND, bins=bins)
    boxes, scores = decode(outputs, (64, 96), spec_of(classes=3))
    np.testing.assert_allclose(boxes, boxes_of(FOUND, inside=0.5), atol=1e-2)
    assert scores.argmax(axis=1).tolist() == [1, 2, 0, 2]
    np.testing.assert_allclose(scores.max(axis=1), 0.7)


def test_nanodet_plus_measures_from_the_corner_of_a_cell():
    found = {**FOUND, (64, 0, 1): (1, 1, 0.5, 0.25, 0.75)}
    outputs = one_output(64, 96, (8, 16, 32, 64), found)
    boxes, scores = decode(outputs, (64, 96), spec_of(classes=3))
    np.testing.assert_allclose(boxes, boxes_of(found, inside=0), atol=1e-2)
    assert scores.argmax(axis=1).tolist() == [1, 2, 0, 2, 1]


def test_one_output_of_nothing_holds_nothing():
    boxes, scores = decode(one_output(64, 96, (8, 16, 32), {}), (64, 96), spec_of(classes=3))
    assert (boxes.shape, scores.shape) == ((0, 4), (0, 3))
