from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding.pairs import decode_ssd as decode
from shared.detection.decoding.pairs import decode_yolonas, doubt_ssd, doubt_yolonas
from shared.model.spec import ModelSpec

SIZE = (240, 320)
PRIORS = 50


def spec_of(score_threshold=0.4):
    return ModelSpec(name="faces", file="faces.onnx", score_threshold=score_threshold)


def outputs_of(objects, classes=1, names=("scores", "boxes")):
    """`objects`: row -> box in pixels, class, score. The background gets what the classes leave."""
    scores = np.zeros((1, PRIORS, 1 + classes), np.float32)
    scores[0, :, 0] = 1
    boxes = np.random.default_rng(1).random((1, PRIORS, 4)).astype(np.float32)
    for row, ((left, top, right, bottom), number, score) in objects.items():
        scores[0, row, 0] = 1 - score
        scores[0, row, 1 + number] = score
        boxes[0, row] = left / 320, top / 240, right / 320, bottom / 240
    return {names[0]: scores, names[1]: boxes}


OBJECTS = {3: ((10, 20, 110, 220), 0, 0.9), 49: ((-5, 0, 300, 239), 0, 0.5)}


@pytest.mark.parametrize("names", [("scores", "boxes"), ("a", "b")])
def test_boxes_come_back_in_pixels_of_the_input(names):
    boxes, scores = decode(outputs_of(OBJECTS, names=names), SIZE, spec_of())
    np.testing.assert_allclose(boxes, [box for box, *_ in OBJECTS.values()], atol=1e-3)
    np.testing.assert_allclose(scores, [[0.9], [0.5]])
    assert boxes.dtype == scores.dtype == np.float32


def test_the_order_of_the_outputs_does_not_matter():
    outputs = outputs_of(OBJECTS)
    swapped = dict(reversed(outputs.items()))
    np.testing.assert_array_equal(decode(swapped, SIZE, spec_of())[0], decode(outputs, SIZE, spec_of())[0])


def test_the_background_is_no_class():
    boxes, scores = decode(outputs_of({}), SIZE, spec_of())
    assert (boxes.shape, scores.shape) == ((0, 4), (0, 1))


def test_of_three_classes_a_name_tells_boxes_from_scores():
    objects = {0: ((10, 10, 20, 20), 2, 0.8)}
    boxes, scores = decode(outputs_of(objects, classes=3, names=("scores", "pred_Boxes")), SIZE, spec_of())
    np.testing.assert_allclose(boxes, [[10, 10, 20, 20]], atol=1e-3)
    np.testing.assert_allclose(scores, [[0, 0, 0.8]])


def yolonas_of(objects, classes=3):
    """The same in pixels, and without a background."""
    scores = np.full((1, PRIORS, classes), 0.01, np.float32)
    boxes = np.tile(np.array([20, 20, 40, 60], np.float32), (1, PRIORS, 1))
    for row, (box, number, score) in objects.items():
        boxes[0, row], scores[0, row, number] = box, score
    return {"scores": scores, "boxes": boxes}


def test_yolo_nas_has_boxes_in_pixels_and_no_background():
    boxes, scores = decode_yolonas(yolonas_of(OBJECTS), SIZE, spec_of())
    np.testing.assert_allclose(boxes, [box for box, *_ in OBJECTS.values()])
    np.testing.assert_allclose(scores, [[0.9, 0.01, 0.01], [0.5, 0.01, 0.01]])


def ssd_of_cells(**changes):
    outputs = outputs_of({})
    outputs["boxes"][...] = [0.1, 0.1, 0.3, 0.4]
    return {name: changes.get(name, value) for name, value in outputs.items()}


def test_numbers_tell_ssd_from_yolo_nas():
    assert doubt_ssd(ssd_of_cells(), SIZE, spec_of()) == doubt_yolonas(yolonas_of({}), SIZE, spec_of()) == ""
    assert "within 0 and 1" in doubt_yolonas(ssd_of_cells(), SIZE, spec_of())
    assert "far outside of the picture" in doubt_ssd(yolonas_of({}), SIZE, spec_of())


OFFSETS = np.random.default_rng(2).standard_normal((1, PRIORS, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"boxes": OFFSETS}, "end before they begin"),
        ({"scores": np.full((1, PRIORS, 2), -3.0, np.float32)}, "not from 0 to 1 but from -3 to -3"),
        ({"scores": np.full((1, PRIORS, 2), 0.9, np.float32)}, "no background is among them"),
    ],
)
def test_ssd_without_its_post_processing_is_doubted(changes, doubt):
    assert doubt in doubt_ssd(ssd_of_cells(**changes), SIZE, spec_of())
