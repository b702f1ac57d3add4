from __future__ import annotations

import math

import numpy as np
import pytest

from shared.detection.decoding.anchors import decode
from shared.model.spec import AnchorHead, ModelSpec

SIZE = (96, 160)
CLASSES = 3
ANCHORS = ((10, 14), (81, 82), (30, 200))


def head_of(output="layer_9", kind="yolo", anchors=ANCHORS, scale_x_y=1.0):
    return AnchorHead(output=output, kind=kind, anchors=anchors, scale_x_y=scale_x_y)


def spec_of(*heads, score_threshold=0.2):
    return ModelSpec(name="mine", file="mine.weights", heads=heads, score_threshold=score_threshold)


def logit(probability):
    return math.log(probability / (1 - probability))


def map_of(head, stride, objects):
    """The map of a head where `objects` are seen: anchor, row, column -> box in pixels, objectness, class scores."""
    rows, columns = SIZE[0] // stride, SIZE[1] // stride
    made = np.full((1, len(head.anchors) * (5 + CLASSES), rows, columns), -9, np.float32)
    for (anchor, row, column), ((left, top, right, bottom), objectness, scores) in objects.items():
        channel = anchor * (5 + CLASSES)
        x, y = (left + right) / 2 / stride - column, (top + bottom) / 2 / stride - row
        wide, high = head.anchors[anchor]
        stretch = head.scale_x_y
        values = [logit((place + (stretch - 1) / 2) / stretch) for place in (x, y)]
        values += [math.log((right - left) / wide), math.log((bottom - top) / high), logit(objectness)]
        values += [logit(score) if head.kind == "yolo" else math.log(score) + 5 for score in scores]
        made[0, channel : channel + 5 + CLASSES, row, column] = values
    return made


OBJECTS = {
    (0, 0, 0): ((1, 2, 21, 26), 0.9, (0.7, 0.2, 0.1)),
    (2, 1, 4): ((120, 0, 160, 91), 0.8, (0.1, 0.1, 0.8)),
    (1, 2, 3): ((100, 70, 112, 90), 0.5, (0.25, 0.5, 0.25)),
}


def by_place(boxes, scores):
    order = np.lexsort(boxes.T)
    return boxes[order], scores[order]


def expected(objects):
    return by_place(
        np.array([box for box, *_ in objects.values()], np.float32),
        np.array([np.multiply(objectness, scores) for _, objectness, scores in objects.values()], np.float32),
    )


@pytest.mark.parametrize(("kind", "scale_x_y"), [("region", 1), ("yolo", 1), ("yolo", 1.05), ("yolo", 2)])
def test_boxes_come_back_with_objectness_times_class(kind, scale_x_y):
    head = head_of(kind=kind, scale_x_y=scale_x_y)
    boxes, scores = by_place(*decode({"layer_9": map_of(head, 32, OBJECTS)}, SIZE, spec_of(head)))
    np.testing.assert_allclose(boxes, expected(OBJECTS)[0], atol=1e-2)
    np.testing.assert_allclose(scores, expected(OBJECTS)[1], atol=1e-5)
    assert boxes.dtype == scores.dtype == np.float32


def test_a_stretched_centre_reaches_beyond_its_cell():
    head = head_of(scale_x_y=1.2)
    outside = {(0, 1, 1): ((30 - 10, 40, 30 + 10, 60), 0.9, (0.9, 0.1, 0.1))}  # its cell begins at x = 32
    boxes, _ = decode({"layer_9": map_of(head, 32, outside)}, SIZE, spec_of(head))
    np.testing.assert_allclose(boxes, [[20, 40, 40, 60]], atol=1e-3)


def test_several_heads_add_up():
    coarse, fine = head_of("layer_9"), head_of("layer_17", anchors=((5, 6), (20, 20)))
    small = {(1, 5, 9): ((150, 82, 158, 90), 0.7, (0.6, 0.3, 0.2))}
    outputs = {"layer_17": map_of(fine, 16, small), "layer_9": map_of(coarse, 32, OBJECTS)}
    boxes, scores = by_place(*decode(outputs, SIZE, spec_of(coarse, fine)))
    np.testing.assert_allclose(boxes, expected({**OBJECTS, **small})[0], atol=1e-2)
    np.testing.assert_allclose(scores, expected({**OBJECTS, **small})[1], atol=1e-5)


def test_a_region_shares_one_among_its_classes_and_a_yolo_layer_does_not():
    both = {(0, 0, 0): ((1, 2, 21, 26), 0.5, (0.8, 0.8, 0.8))}
    region, yolo = head_of(kind="region"), head_of(kind="yolo")
    _, shared = decode({"layer_9": map_of(region, 32, both)}, SIZE, spec_of(region, score_threshold=0.1))
    _, apart = decode({"layer_9": map_of(yolo, 32, both)}, SIZE, spec_of(yolo))
    np.testing.assert_allclose(shared, [[1 / 6, 1 / 6, 1 / 6]], atol=1e-5)
    np.testing.assert_allclose(apart, [[0.4, 0.4, 0.4]], atol=1e-5)


def test_what_has_less_objectness_than_the_threshold_is_left_out():
    head = head_of()
    boxes, _ = decode({"layer_9": map_of(head, 32, OBJECTS)}, SIZE, spec_of(head, score_threshold=0.6))
    assert len(boxes) == 2


def test_nothing_seen_is_nothing_decoded():
    head = head_of()
    boxes, scores = decode({"layer_9": map_of(head, 32, {})}, SIZE, spec_of(head))
    assert (boxes.shape, scores.shape) == ((0, 4), (0, CLASSES))
