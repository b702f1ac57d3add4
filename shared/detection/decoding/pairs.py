"""Decodes boxes in one output and class scores in another: single shot detectors and YOLO-NAS.

SSD (Liu et al. 2016) with its priors in the graph, such as UltraFace's exports, has boxes in parts of the picture and a
background score. YOLO-NAS has boxes in pixels, and no background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import indices_reaching
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes, boxes_and_scores, shapes_of
from shared.detection.decoding.plausibility import area_doubt, box_doubt, first_doubt, score_doubt
from shared.detection.decoding.preprocessings import RGB_FROM_0_TO_1
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

SUM_ROUNDING = 0.01
"""Allowed difference from 1 of the sum of a box's probabilities, the background's included."""


def decode_ssd(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: boxes (1, N, 4) in parts of the input, scores (1, N, 1 + classes).

    The first score is the background's; it is dropped.
    """
    boxes, scores = read_pair(outputs)
    scores = scores[:, 1:]
    kept = indices_reaching(scores.max(axis=1), spec.score_threshold)
    height, width = input_size
    return boxes[kept] * np.array([width, height, width, height], np.float32), scores[kept]


def decode_yolonas(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: boxes (1, N, 4) in pixels, scores (1, N, classes)."""
    boxes, scores = read_pair(outputs)
    kept = indices_reaching(scores.max(axis=1), spec.score_threshold)
    return boxes[kept], scores[kept]


def doubt_ssd(outputs: Outputs, size: InputSize, spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in parts of the picture, the probabilities of each add up to 1."""
    boxes, scores = read_pair(outputs)
    sums = scores.sum(axis=1)
    # Some models have a sigmoid for each class: then only a description that names the decoder shows that the first
    # score is the background's.
    no_background = spec.decoder is None and (np.abs(sums - 1) > SUM_ROUNDING).any()
    return first_doubt(
        score_doubt(scores), box_doubt(boxes, size, parts=True), area_doubt(boxes),
        "the scores of a box do not add up to 1, so no background is among them" if no_background else "",
    )  # fmt: skip


def doubt_yolonas(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in pixels, scores are probabilities."""
    boxes, scores = read_pair(outputs)
    return first_doubt(score_doubt(scores), box_doubt(boxes, size), area_doubt(boxes))


def read_pair(outputs: Outputs) -> tuple[FloatArray, FloatArray]:
    """Return boxes (N, 4) and scores (N, columns), in this order."""
    names = boxes_and_scores(shapes_of(outputs))
    assert names is not None, "the shapes have been checked"
    boxes, scores = (outputs[name][0] for name in names)
    return boxes, scores


def _columns(shapes: Shapes) -> int:
    """Return the number of scores of a box; 0 for other outputs."""
    names = boxes_and_scores(shapes)
    return 0 if names is None else shapes[names[1]][2]


def _classes_ssd(shapes: Shapes, _size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    columns = _columns(shapes)
    return (columns - 1,) if columns > 1 and len(shapes) == 2 else ()


def _classes_yolonas(shapes: Shapes, _size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    columns = _columns(shapes)
    return (columns,) if columns and len(shapes) == 2 else ()


SSD = Family(
    name="ssd",
    preprocessing=Preprocessing(channels="rgb", mean=(127.0,) * 3, std=(128.0,) * 3, fill=127),
    describe=lambda _size: "two outputs, boxes [1, N, 4] and scores [1, N, background + classes]",
    classes=_classes_ssd,
    decode=decode_ssd,
    doubt=doubt_ssd,
    remedy="export it with its priors applied and its boxes decoded",
)
YOLO_NAS = Family(
    name="yolo-nas",
    preprocessing=RGB_FROM_0_TO_1,
    describe=lambda _size: "two outputs, boxes [1, N, 4] in pixels and scores [1, N, classes]",
    classes=_classes_yolonas,
    decode=decode_yolonas,
    doubt=doubt_yolonas,
)
