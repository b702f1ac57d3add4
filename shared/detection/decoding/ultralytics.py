"""Decodes the outputs of Ultralytics' exporter: boxes as centre and size in input pixels.

Models for segmentation (-seg) have numbers for masks behind the classes; these are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import corners, indices_reaching
from shared.detection.decoding.cells import strides_by_cell_count
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes, masked_table, shapes_of
from shared.detection.decoding.plausibility import (
    MAX_RELATIVE_COORDINATE,
    box_doubt,
    first_doubt,
    row_doubt,
    score_doubt,
    tail_doubt,
)
from shared.detection.decoding.preprocessings import RGB_FROM_0_TO_1

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

ANCHORS = 3
"""Boxes for each cell of YOLOv5 to v7."""


def decode_v5(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output: (1, boxes, 5 + classes): x, y, width, height, objectness, scores."""
    table = _table(outputs)
    rows = table[indices_reaching(table[:, 4], spec.score_threshold)]
    return corners(rows[:, :2], rows[:, 2:4]), rows[:, 5:] * rows[:, 4:5]


def decode_v8(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output: (1, 4 + classes, cells) as x, y, width, height, classes."""
    table = _table(outputs, by_column=True)
    rows = table[indices_reaching(table[:, 4:].max(axis=1), spec.score_threshold)]
    return corners(rows[:, :2], rows[:, 2:4]), rows[:, 4:]


def decode_v8_parts(outputs: Outputs, size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output as for decode_v8, with boxes in parts of the input."""
    boxes, scores = decode_v8(outputs, size, spec)
    return boxes * np.array([size[1], size[0]] * 2, np.float32), scores


def doubt_v5(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in pixels, probabilities behind them."""
    table = _table(outputs)
    boxes = corners(table[:, :2], table[:, 2:4])
    return first_doubt(row_doubt(table), box_doubt(boxes, size), score_doubt(table[:, 4:]))


def doubt_v8(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in pixels, probabilities behind them."""
    table = _table(outputs, by_column=True)
    boxes = corners(table[:, :2], table[:, 2:4])
    return first_doubt(score_doubt(table[:, 4:]), tail_doubt(table[:, 4:]), box_doubt(boxes, size))


def doubt_v8_parts(outputs: Outputs, size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family: boxes are in parts of the picture, probabilities behind them."""
    table = _table(outputs, by_column=True)
    boxes = table[:, :4]
    relative = 0 < boxes.max(initial=0) <= MAX_RELATIVE_COORDINATE
    beyond = "" if relative else "its boxes are not in parts of the picture"
    return first_doubt(
        score_doubt(table[:, 4:]),
        tail_doubt(table[:, 4:]),
        beyond,
        box_doubt(corners(boxes[:, :2], boxes[:, 2:4]), size, parts=True),
    )


def _table(outputs: Outputs, *, by_column: bool = False) -> FloatArray:
    """Return the rows of all boxes, without numbers for masks."""
    found = masked_table(shapes_of(outputs))
    assert found is not None, "the shapes have been checked"
    name, masks = found
    table: FloatArray = outputs[name][0].T if by_column else outputs[name][0]
    return table[:, : table.shape[1] - masks]


def _classes_v5(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    found = masked_table(shapes)
    if found is None:
        return ()
    (_, rows, columns), masks = shapes[found[0]], found[1]
    # One box in each cell may be YOLOX's, too, so the description must name the decoder.
    anchors = (ANCHORS, 1) if spec.decoder == "yolov5" else (ANCHORS,)
    fits = any(rows == number * cells for number in anchors for cells in strides_by_cell_count(input_size))
    return (columns - masks - 5,) if fits and columns - masks > 5 else ()


def _classes_v8(shapes: Shapes, input_size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    found = masked_table(shapes)
    if found is None:
        return ()
    (_, rows, columns), masks = shapes[found[0]], found[1]
    return (rows - masks - 4,) if rows - masks > 4 and columns in strides_by_cell_count(input_size) else ()


def _classes_v8_parts(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    classes = _classes_v8(shapes, input_size, spec)
    # With more classes than cells, it is more likely a transposed table of a family whose numbers are all from 0 to 1.
    return tuple(number for number in classes if number + 4 <= max(shape[-1] for shape in shapes.values()))


def _describe_v5(input_size: InputSize) -> str:
    rows = " or ".join(str(ANCHORS * cells) for cells in _usual(input_size))
    return f"one output [1, {rows}, 5 + classes]"


def _describe_v8(input_size: InputSize) -> str:
    columns = " or ".join(str(cells) for cells in _usual(input_size))
    return f"one output [1, 4 + classes, {columns}]"


def _usual(input_size: InputSize) -> list[int]:
    """Return the numbers of cells with the two likeliest choices of strides, likeliest first."""
    return list(strides_by_cell_count(input_size))[-2:][::-1]


WITH_GRID = "export it with its boxes decoded (YOLOv5 and v7: export.py --include onnx or --grid)"
DETECTING = "export a detector (task detect) with its boxes decoded"

YOLOV5 = Family("yolov5", RGB_FROM_0_TO_1, _describe_v5, _classes_v5, decode_v5, doubt_v5, WITH_GRID)
YOLOV8 = Family("yolov8", RGB_FROM_0_TO_1, _describe_v8, _classes_v8, decode_v8, doubt_v8, DETECTING)
YOLOV8_PARTS = Family(
    "yolov8-parts", RGB_FROM_0_TO_1, _describe_v8, _classes_v8_parts, decode_v8_parts, doubt_v8_parts, DETECTING
)
