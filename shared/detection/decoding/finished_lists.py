"""Decodes finished detections in separate outputs: boxes, scores and classes, perhaps with their count.

Such outputs come from D-FINE and RT-DETR with their post-processing, torchvision, YOLO-NAS' batch format and TensorRT's
suppression. MMDeploy (MMDetection) has boxes and scores in one output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.family import ANY_NUMBER, Family, InputSize, Outputs, Shapes, shapes_of
from shared.detection.decoding.finished import Rows, boxes_with_scores, row_doubts
from shared.detection.decoding.preprocessings import RGB_FROM_0_TO_1
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

CLASS_WORDS = ("class", "label")
"""Parts of names of the output with classes, in lower case."""


def decode(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: boxes (1, N, 4), scores (1, N), classes (1, N), perhaps a count."""
    return boxes_with_scores(_rows(outputs), spec)


def decode_mmdeploy(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: (1, N, 5) as left, top, right, bottom, score; labels (1, N)."""
    return boxes_with_scores(_mmdeploy_rows(outputs), spec)


def _rows(outputs: Outputs) -> Rows:
    boxes_name, lists, count_name = _names(shapes_of(outputs))
    boxes = outputs[boxes_name].reshape(-1, 4)
    classes_name = next(
        (name for name in lists if any(word in name.lower() for word in CLASS_WORDS)),
        next((name for name in lists if outputs[name].dtype.kind in "iu"), lists[-1]),
    )
    scores_name = next(name for name in lists if name != classes_name)
    scores, numbers = (outputs[name].reshape(-1).astype(np.float32) for name in (scores_name, classes_name))
    if count_name:
        count = int(outputs[count_name].reshape(-1)[0])
        boxes, scores, numbers = boxes[:count], scores[:count], numbers[:count]
    return boxes, scores, numbers


def _mmdeploy_rows(outputs: Outputs) -> Rows:
    boxes, labels = _mmdeploy_names(shapes_of(outputs))
    table = outputs[boxes][0]
    return table[:, :4], table[:, 4], outputs[labels][0].astype(np.float32)


def _names(shapes: Shapes) -> tuple[str, list[str], str]:
    """Return the names of the boxes, of the two lists of scores and classes, and of the count; "" for a missing one."""
    found = {
        name: [other for other, rows in shapes.items() if rows == shape[:-1]]
        for name, shape in shapes.items()
        if shape[-1:] == (4,) and len(shape) in {2, 3}
    }
    boxes = [name for name, lists in found.items() if len(lists) > 1]
    if len(boxes) != 1:
        return "", [], ""
    lists = found[boxes[0]]
    rest = [name for name in shapes if name not in {boxes[0], *lists}]
    if len(lists) == 3:  # with one row, the count has the same shape
        rest = [name for name in lists if "num" in name.lower()]
        lists = [name for name in lists if name not in rest]
    if len(lists) != 2 or len(rest) > 1 or any(shapes[name] not in {(1,), (1, 1)} for name in rest):
        return "", [], ""
    return boxes[0], lists, rest[0] if rest else ""


def _mmdeploy_names(shapes: Shapes) -> tuple[str, str]:
    """Return the names of the boxes with scores, and of the labels; "" for other outputs. Masks are ignored."""
    boxes = [name for name, shape in shapes.items() if len(shape) == 3 and shape[0] == 1 and shape[2] == 5]
    labels = [name for name, shape in shapes.items() if boxes and shape == shapes[boxes[0]][:2]]
    masks = [name for name, shape in shapes.items() if len(shape) == 4]
    fits = len(boxes) == len(labels) == 1 and len(shapes) == 2 + len(masks)
    return (boxes[0], labels[0]) if fits else ("", "")


DETECTION_LISTS = Family(
    name="detections",
    preprocessing=RGB_FROM_0_TO_1,
    describe=lambda _size: "three outputs, boxes [1, N, 4] in pixels, scores [1, N], classes [1, N]",
    classes=lambda shapes, _size, _spec: (ANY_NUMBER,) if _names(shapes)[0] else (),
    decode=decode,
    doubt=lambda outputs, size, _spec: row_doubts(_rows(outputs), size),
    overlapping=False,
)
MMDEPLOY = Family(
    name="mmdeploy",
    preprocessing=Preprocessing(
        channels="bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395), fill=114, align="top-left"
    ),
    describe=lambda _size: "two outputs, dets [1, N, 5] as left, top, right, bottom, score, and labels [1, N]",
    classes=lambda shapes, _size, _spec: (ANY_NUMBER,) if _mmdeploy_names(shapes)[0] else (),
    decode=decode_mmdeploy,
    doubt=lambda outputs, size, _spec: row_doubts(_mmdeploy_rows(outputs), size),
    overlapping=False,
)
