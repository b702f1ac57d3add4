"""Decodes YOLOX: one box for every cell, without anchors (Ge et al. 2021), as exported, or with decoded boxes.

YOLOv6 has the same decoded form, with an objectness of 1 everywhere, and another preprocessing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import corners, indices_reaching
from shared.detection.decoding.cells import FINE_STRIDES, cell_count, make_cells, strides_by_cell_count
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes, only_table
from shared.detection.decoding.plausibility import box_doubt, first_doubt, row_doubt, score_doubt
from shared.detection.decoding.preprocessings import RGB_FROM_0_TO_1
from shared.detection.decoding.ultralytics import decode_v5, doubt_v5
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

_BEFORE_CLASSES = 5
"""Numbers of a cell: centre x and y and the logarithms of width and height, in strides; objectness."""

MAX_TYPICAL_STRIDES = 8.0
"""Bound of the median absolute value of undecoded box numbers: a side of e**8 strides exceeds any picture."""


def decode(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output: (1, cells, 5 + classes), all scores after the sigmoid."""
    (table,) = outputs.values()
    kept = indices_reaching(table[0, :, 4], spec.score_threshold)
    rows = table[0, kept]
    cells = make_cells(input_size, strides_by_cell_count(input_size, FINE_STRIDES)[table.shape[1]])
    stride = cells.strides[kept]
    boxes = corners((rows[:, :2] + cells.places[kept]) * stride, np.exp(rows[:, 2:4]) * stride)
    return boxes, rows[:, _BEFORE_CLASSES:] * rows[:, 4:5]


def doubt(outputs: Outputs, _size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: a cell has four small numbers, then probabilities."""
    (table,) = outputs.values()
    typical = float(np.median(np.abs(table[0, :, :4])))
    far = "" if typical <= MAX_TYPICAL_STRIDES else f"its boxes are already decoded: they are of order {typical:.3g}"
    return first_doubt(row_doubt(table[0]), score_doubt(table[0, :, 4:]), far)


def doubt_decoded(outputs: Outputs, size: InputSize, spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in pixels, scores are probabilities, objectness is not always 1."""
    (table,) = outputs.values()
    is_v6 = "the objectness of all its boxes is 1, as YOLOv6 has it" if (table[0, :, 4] == 1).all() else ""
    return first_doubt(doubt_v5(outputs, size, spec), is_v6)


def doubt_v6(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in pixels, objectness is 1, scores are probabilities."""
    (table,) = outputs.values()
    not_v6 = "" if (table[0, :, 4] == 1).all() else "the objectness of its boxes is not 1"
    boxes = corners(table[0, :, :2], table[0, :, 2:4])
    return first_doubt(not_v6, box_doubt(boxes, size), score_doubt(table[0, :, _BEFORE_CLASSES:]))


def _classes(shapes: Shapes, input_size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    if table is None or table[0] not in strides_by_cell_count(input_size, FINE_STRIDES) or table[1] <= _BEFORE_CLASSES:
        return ()
    return (table[1] - _BEFORE_CLASSES,)


def _describe(input_size: InputSize) -> str:
    return f"one output [1, {cell_count(input_size, (8, 16, 32))}, 5 + classes]"


_PREPROCESSING = Preprocessing(channels="bgr", std=(1.0, 1.0, 1.0), fill=114, align="top-left")
_REMEDY = "export it as its own tools/export_onnx.py does"
YOLOX = Family("yolox", _PREPROCESSING, _describe, _classes, decode, doubt, _REMEDY)
YOLOX_DECODED = Family("yolox-decoded", _PREPROCESSING, _describe, _classes, decode_v5, doubt_decoded)
YOLOV6 = Family("yolov6", RGB_FROM_0_TO_1, _describe, _classes, decode_v5, doubt_v6)
