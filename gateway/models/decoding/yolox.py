"""YOLOX: one box for every cell, without anchors (Ge et al. 2021), as its exporter leaves it, or decoded already.

YOLOv6 has the same decoded form, with an objectness of 1 everywhere, and other pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.models.decoding.arithmetic import corners, reaching
from gateway.models.decoding.cells import WITH_FINE, cells, count, counts
from gateway.models.decoding.family import Family, Outputs, Shapes, Size, only_table
from gateway.models.decoding.plausibility import box_doubt, first, row_doubt, score_doubt
from gateway.models.decoding.ultralytics import PREPROCESSING as RGB_PARTS
from gateway.models.decoding.ultralytics import decode_v5, doubt_v5
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

BEFORE_CLASSES = 5
"""Of a cell: centre x and y and the logarithms of width and height, in strides; objectness."""

LARGEST_IN_STRIDES = 8.0
"""What most cells' four numbers stay below: e**8 strides are more than any picture has."""


def decode(outputs: Outputs, input_size: Size, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Boxes and scores, see Family. Output: (1, cells, 5 + classes), objectness and classes after the sigmoid."""
    (table,) = outputs.values()
    kept = reaching(table[0, :, 4], spec.score_threshold)
    rows, every = table[0, kept], cells(input_size, counts(input_size, WITH_FINE)[table.shape[1]])
    stride = every.strides[kept]
    boxes = corners((rows[:, :2] + every.places[kept]) * stride, np.exp(rows[:, 2:4]) * stride)
    return boxes, rows[:, BEFORE_CLASSES:] * rows[:, 4:5]


def doubt(outputs: Outputs, _size: Size, _spec: ModelSpec) -> str:
    """Return what cannot be, see Family: small numbers by cell, then probabilities."""
    (table,) = outputs.values()
    typical = float(np.median(np.abs(table[0, :, :4])))
    far = "" if typical <= LARGEST_IN_STRIDES else f"its boxes are decoded already: they are of order {typical:.3g}"
    return first(row_doubt(table[0]), score_doubt(table[0, :, 4:]), far)


def doubt_decoded(outputs: Outputs, size: Size, spec: ModelSpec) -> str:
    """Return what cannot be, see Family: boxes in pixels, probabilities, objectness that differs."""
    (table,) = outputs.values()
    sure = "the objectness of all its boxes is 1, as YOLOv6 has it" if (table[0, :, 4] == 1).all() else ""
    return first(doubt_v5(outputs, size, spec), sure)


def doubt_v6(outputs: Outputs, size: Size, _spec: ModelSpec) -> str:
    """Return what cannot be, see Family: boxes in pixels, an objectness of 1, probabilities."""
    (table,) = outputs.values()
    unsure = "" if (table[0, :, 4] == 1).all() else "the objectness of its boxes is not 1"
    boxes = corners(table[0, :, :2], table[0, :, 2:4])
    return first(unsure, box_doubt(boxes, size), score_doubt(table[0, :, BEFORE_CLASSES:]))


def _classes(shapes: Shapes, input_size: Size, _spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    if table is None or table[0] not in counts(input_size, WITH_FINE) or table[1] <= BEFORE_CLASSES:
        return ()
    return (table[1] - BEFORE_CLASSES,)


def _look(input_size: Size) -> str:
    return f"one output [1, {count(input_size, (8, 16, 32))}, 5 + classes]"


PREPROCESSING = Preprocessing(channels="bgr", std=(1.0, 1.0, 1.0), fill=114, align="top-left")
REMEDY = "export it as its own tools/export_onnx.py does"
YOLOX = Family("yolox", PREPROCESSING, _look, _classes, decode, doubt, REMEDY)
YOLOX_DECODED = Family("yolox-decoded", PREPROCESSING, _look, _classes, decode_v5, doubt_decoded)
YOLOV6 = Family("yolov6", RGB_PARTS, _look, _classes, decode_v5, doubt_v6)
