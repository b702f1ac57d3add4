from __future__ import annotations

import numpy as np
import pytest

from gateway.decoding.nanodet import decode
from shared.errors import ModelError

BINS = 11


def empty_outputs(height=64, width=96, classes=2):
    """Outputs of a network that saw nothing: scores of 0, all distances equally likely."""
    outputs = {}
    for stride in (8, 16, 32):
        cells = (height // stride) * (width // stride)
        outputs[f"scores_{stride}"] = np.zeros((1, cells, classes), np.float32)
        outputs[f"boxes_{stride}"] = np.zeros((1, cells, 4 * BINS), np.float32)
    return outputs


def set_sides(outputs, stride, cell, sides):
    """Make the distances of one cell certain: left, top, right, bottom in strides."""
    logits = np.full((4, BINS), -100, np.float32)
    logits[range(4), sides] = 100
    outputs[f"boxes_{stride}"][0, cell] = logits.ravel()


def test_a_cell_tells_the_distances_of_its_centre_to_the_sides():
    outputs = empty_outputs()
    set_sides(outputs, stride=16, cell=8, sides=[1, 0, 2, 3])  # row 1, column 2 of 4x6: the centre is (40, 24)
    boxes, _ = decode(outputs, (64, 96))
    first_of_16 = 8 * 12
    np.testing.assert_allclose(boxes[first_of_16 + 8], [40 - 16, 24 - 0, 40 + 32, 24 + 48], atol=1e-4)


def test_a_distance_is_the_expectation_of_its_bins():
    outputs = empty_outputs()
    logits = np.full(BINS, -100, np.float32)
    logits[[2, 6]] = np.log([0.75, 0.25])  # 0.75 * 2 + 0.25 * 6 = 3
    outputs["boxes_32"][0, 0] = np.tile(logits, 4)
    boxes, _ = decode(outputs, (64, 96))
    np.testing.assert_allclose(boxes[8 * 12 + 4 * 6], [16 - 96, 16 - 96, 16 + 96, 16 + 96], atol=1e-3)


def test_equal_bins_mean_the_middle_distance():
    boxes, _ = decode(empty_outputs(), (64, 96))
    np.testing.assert_allclose(boxes[0], [4 - 40, 4 - 40, 4 + 40, 4 + 40], atol=1e-4)


def test_boxes_and_scores_come_in_the_order_of_the_strides():
    outputs = empty_outputs()
    for number, stride in enumerate((8, 16, 32)):
        outputs[f"scores_{stride}"][0, 0, 1] = (number + 1) / 10
    boxes, scores = decode(outputs, (64, 96))
    assert (boxes.shape, scores.shape) == ((96 + 24 + 6, 4), (126, 2))
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_allclose(scores[[0, 96, 120], 1], [0.1, 0.2, 0.3])


def test_logits_of_any_size_are_no_overflow():
    outputs = empty_outputs()
    outputs["boxes_8"][0, 0] = 3e38
    boxes, _ = decode(outputs, (64, 96))
    assert np.isfinite(boxes).all()


def test_sizes_that_are_no_multiple_of_the_stride_are_rounded_up():
    outputs = empty_outputs(96, 96)
    boxes, _ = decode(outputs, (90, 95))
    assert boxes.shape == (144 + 36 + 9, 4)


@pytest.mark.parametrize("name", ["scores_8", "boxes_16", "boxes_32"])
def test_a_missing_output_is_refused_with_what_there_is(name):
    outputs = empty_outputs()
    del outputs[name]
    with pytest.raises(ModelError, match=rf"not NanoDet's at stride {name.split('_')[1]}: .*\[1, 96, "):
        decode(outputs, (64, 96))


def test_outputs_for_another_input_size_are_refused():
    with pytest.raises(ModelError, match="stride 8"):
        decode(empty_outputs(64, 96), (64, 64))
