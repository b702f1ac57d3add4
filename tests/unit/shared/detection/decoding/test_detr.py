from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding.detr import (
    decode_probabilities,
    decode_sigmoid,
    decode_softmax,
    doubt_sigmoid,
    doubt_softmax,
)
from shared.model.spec import ModelSpec

SIZE = (64, 96)
QUERIES = 100
BOX = (12, 8, 60, 56)
PARTS = (36 / 96, 32 / 64, 48 / 96, 48 / 64)
SPEC = ModelSpec(name="mine", file="mine.onnx", score_threshold=0.3)


def boxes():
    made = np.tile(np.array([0.5, 0.5, 0.1, 0.2], np.float32), (1, QUERIES, 1))
    made[0, 7] = PARTS
    return made


def logits(columns, at, *, nothing=None):
    """Numbers before the sigmoid or softmax; where `nothing` is the last column says so for the other queries."""
    made = np.full((1, QUERIES, columns), -5.0, np.float32)
    if nothing is not None:
        made[0, :, -1] = nothing
    made[0, 7, at], made[0, 7, -1] = 4.0, made[0, 7, -1] if nothing is None else -5
    return made


def test_boxes_come_back_in_pixels_of_an_input_that_is_no_square():
    found, scores = decode_sigmoid({"logits": logits(5, 3), "pred_boxes": boxes()}, SIZE, SPEC)
    np.testing.assert_allclose(found, [BOX], atol=1e-3)
    assert scores.argmax() == 3
    assert scores.max() == pytest.approx(0.982, abs=1e-3)
    assert found.dtype == scores.dtype == np.float32


def test_no_object_is_no_class():
    found, scores = decode_softmax({"logits": logits(6, 3, nothing=5), "pred_boxes": boxes()}, SIZE, SPEC)
    np.testing.assert_allclose(found, [BOX], atol=1e-3)
    assert scores.shape == (1, 5)
    assert scores.argmax() == 3


@pytest.mark.parametrize("together", [True, False])
def test_probabilities_are_read_as_they_are(together):
    scores = 1 / (1 + np.exp(-logits(5, 3)))
    outputs = {"output0": np.concatenate([boxes(), scores], axis=2)} if together else {"s": scores, "b": boxes()}
    found, read = decode_probabilities(outputs, SIZE, SPEC)
    np.testing.assert_allclose(found, [BOX], atol=1e-3)
    np.testing.assert_allclose(read, scores[0, 7:8])


def test_what_the_last_column_says_tells_softmax_from_sigmoid():
    by_class = {"logits": logits(6, 3), "pred_boxes": boxes()}
    with_nothing = {"logits": logits(6, 3, nothing=5), "pred_boxes": boxes()}
    assert doubt_sigmoid(by_class, SIZE, SPEC) == doubt_softmax(with_nothing, SIZE, SPEC) == ""
    assert "not the likeliest" in doubt_softmax(by_class, SIZE, SPEC)
    assert '"no object"' in doubt_sigmoid(with_nothing, SIZE, SPEC)


def test_boxes_in_pixels_are_doubted():
    assert "not centre and size" in doubt_sigmoid({"l": logits(5, 3), "b": boxes() * 60}, SIZE, SPEC)
