"""Detection transformers (Carion et al. 2020): a fixed number of queries, each with one box and one object or none.

RF-DETR, D-FINE and RT-DETR have a sigmoid for each class; DETR itself, Conditional DETR and YOLOS a softmax over the
classes and, last, "no object". Boxes are centre and size in parts of the picture. Nothing overlaps, so nothing is
suppressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import corners, indices_reaching, sigmoid, softmax
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes, boxes_and_scores, only_table
from shared.detection.decoding.pairs import SUM_ROUNDING, read_pair
from shared.detection.decoding.plausibility import (
    NEARLY_ALL,
    area_doubt,
    box_doubt,
    first_doubt,
    logit_doubt,
    score_doubt,
)
from shared.detection.decoding.preprocessings import IMAGENET, RGB_FROM_0_TO_1

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

COCO_IDS = 91
"""COCO's category numbers, some of them unused: DETR and RF-DETR use them as class numbers."""

MAX_QUERIES = 1000
"""Public models have 100 to 900 queries; more boxes come from cells or priors."""

QUERIES_STEP = 50
"""The number of queries is a multiple of this, which distinguishes a table of queries from one of cells."""

RF_DETR_NAMES = frozenset(["dets", "labels"])


def decode_softmax(outputs: Outputs, size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: boxes (1, N, 4), logits of a softmax (1, N, classes + 1)."""
    boxes, logits = read_pair(outputs)
    return _reaching_threshold(boxes, softmax(logits)[:, :-1], size, spec)


def decode_sigmoid(outputs: Outputs, size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: boxes (1, N, 4), logits of a sigmoid (1, N, classes)."""
    boxes, logits = read_pair(outputs)
    return _reaching_threshold(boxes, sigmoid(logits), size, spec)


def decode_probabilities(outputs: Outputs, size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output: (1, N, 4 + classes), box and probabilities; or two outputs."""
    return _reaching_threshold(*_boxes_and_probabilities(outputs), size, spec)


def _boxes_and_probabilities(outputs: Outputs) -> tuple[FloatArray, FloatArray]:
    if len(outputs) > 1:
        return read_pair(outputs)
    (table,) = outputs.values()
    return table[0, :, :4], table[0, :, 4:]


def doubt_softmax(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family. Most queries show no object, so their last column is the largest."""
    boxes, logits = read_pair(outputs)
    last = "" if _last_is_likeliest(logits) else 'its last class is not the likeliest, as "no object" is'
    return first_doubt(_box_doubt(boxes, size), logit_doubt(logits), last)


def doubt_sigmoid(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family."""
    boxes, logits = read_pair(outputs)
    has_no_object_class = logits.shape[1] > 1 and _last_is_likeliest(logits) and np.median(logits[:, -1]) > 0
    last = 'its last class is the likeliest everywhere, as "no object" is' if has_no_object_class else ""
    return first_doubt(_box_doubt(boxes, size), logit_doubt(logits), last)


def doubt_probabilities(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family. Boxes must not be corners, and there must be no background class."""
    boxes, scores = _boxes_and_probabilities(outputs)
    corner = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1).mean() >= NEARLY_ALL
    background = np.allclose(scores.sum(axis=1), 1, atol=SUM_ROUNDING)
    return first_doubt(
        score_doubt(scores), _box_doubt(boxes, size), "its boxes are corners, not centre and size" if corner else "",
        "the scores of each box add up to 1, as with a background" if background else "",
    )  # fmt: skip


def _reaching_threshold(
    boxes: FloatArray, scores: FloatArray, size: InputSize, spec: ModelSpec
) -> tuple[FloatArray, FloatArray]:
    """Return the boxes whose scores reach the threshold, as corners in input pixels, and their scores."""
    kept = indices_reaching(scores.max(axis=1), spec.score_threshold)
    scale = np.array([size[1], size[0]], np.float32)
    return corners(boxes[kept, :2] * scale, boxes[kept, 2:] * scale), scores[kept]


def _last_is_likeliest(logits: FloatArray) -> bool:
    """Return whether the last class is the likeliest in most queries."""
    return bool((logits[:, -1] > logits[:, :-1].max(axis=1)).mean() >= 0.5)


def _box_doubt(boxes: FloatArray, size: InputSize) -> str:
    inside = ((boxes >= -1) & (boxes <= 2)).all(axis=1).mean() >= NEARLY_ALL
    beyond = "" if inside else "its boxes are not centre and size in parts of the picture"
    sides = corners(boxes[:, :2], boxes[:, 2:])
    return first_doubt(beyond, box_doubt(sides, size, parts=True), area_doubt(sides))


def _columns(shapes: Shapes) -> int:
    names = boxes_and_scores(shapes)
    return 0 if names is None or shapes[names[1]][1] > MAX_QUERIES else shapes[names[1]][2]


def _is_rf_detr(shapes: Shapes) -> bool:
    return RF_DETR_NAMES.issubset(shapes) or _columns(shapes) == COCO_IDS


def _classes_softmax(shapes: Shapes, _size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    columns = _columns(shapes)
    return (columns - 1,) if columns > 1 else ()


def _classes_rf_detr(shapes: Shapes, _size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    columns = _columns(shapes) if _is_rf_detr(shapes) or spec.decoder == "rf-detr" else 0
    return (columns,) if columns else ()


def _classes_d_fine(shapes: Shapes, _size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    columns = 0 if _is_rf_detr(shapes) and spec.decoder != "d-fine" else _columns(shapes)
    return (columns,) if columns else ()


def _classes_probabilities(shapes: Shapes, _size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    if _columns(shapes):
        return (_columns(shapes),)
    table = only_table(shapes)
    if table is None or table[0] > MAX_QUERIES or table[0] % QUERIES_STEP or table[1] <= 4:
        return ()
    return (table[1] - 4,)


def _describe(scores: str) -> str:
    return f"two outputs, boxes [1, queries, 4] and {scores} before the {'softmax' if '+' in scores else 'sigmoid'}"


_REMEDY = "export it without post-processing: boxes and logits"
DETR = Family(
    "detr", IMAGENET, lambda _size: _describe("logits [1, queries, classes + 1]"), _classes_softmax, decode_softmax,
    doubt_softmax, _REMEDY, overlapping=False,
)  # fmt: skip
RF_DETR = Family(
    "rf-detr", IMAGENET, lambda _size: _describe("logits [1, queries, classes]"), _classes_rf_detr, decode_sigmoid,
    doubt_sigmoid, _REMEDY, overlapping=False,
)  # fmt: skip
D_FINE = Family(
    "d-fine", RGB_FROM_0_TO_1, lambda _size: _describe("logits [1, queries, classes]"), _classes_d_fine, decode_sigmoid,
    doubt_sigmoid, _REMEDY, overlapping=False,
)  # fmt: skip
RT_DETR = Family(
    "rt-detr", RGB_FROM_0_TO_1,
    lambda _size: "boxes [1, queries, 4] and scores [1, queries, classes], in one output or two",
    _classes_probabilities, decode_probabilities, doubt_probabilities, _REMEDY, overlapping=False,
)  # fmt: skip
