"""Decodes finished detections in one table.

Its columns are left, top, right, bottom, score, class (YOLOv10, YOLO26, Ultralytics' nms=True). YOLOv7's end2end and
YOLO-NAS' flat format have the picture's number in front, and class and score in different orders. PaddleDetection has
class and score in front of the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.family import ANY_NUMBER, Family, InputSize, Outputs, Shapes, masked_table, shapes_of
from shared.detection.decoding.finished import Rows, boxes_with_scores, row_doubts
from shared.detection.decoding.preprocessings import IMAGENET, RGB_FROM_0_TO_1

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec


def decode(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Output: (1, N, 6), (1, N, 7) or the same without the first axis."""
    return boxes_with_scores(_rows(outputs), spec)


def decode_paddle(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: (N, 6) as class, score, box; the number of rows by picture."""
    return boxes_with_scores(_paddle_rows(outputs), spec)


def _rows(outputs: Outputs) -> Rows:
    name, columns = _table(shapes_of(outputs))
    table = outputs[name].reshape(-1, outputs[name].shape[-1])[:, :columns]
    if columns == 6:
        return table[:, :4], table[:, 4], table[:, 5]
    are_integers = [bool((table[:, column] == np.round(table[:, column])).all()) for column in (5, 6)]
    score, number = (6, 5) if are_integers == [True, False] else (5, 6)
    return table[:, 1:5], table[:, score], table[:, number]


def _paddle_rows(outputs: Outputs) -> Rows:
    table = next(value for value in outputs.values() if value.ndim == 2)
    real = table[table[:, 0] >= 0]
    return real[:, 2:], real[:, 1], real[:, 0]


def _table(shapes: Shapes) -> tuple[str, int]:
    """Return the table's name and its number of columns without those for masks; 0 columns for other outputs."""
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):
            return name, shape[-1] if shape[-1] in {6, 7} else 0
    found = masked_table(shapes)
    if found is None or shapes[found[0]][2] - found[1] != 6:
        return "", 0
    return found[0], 6


def _is_paddle(shapes: Shapes) -> bool:
    tables = [shape for shape in shapes.values() if len(shape) == 2 and shape[1] == 6]
    return len(shapes) == 2 and len(tables) == 1 and (1,) in shapes.values()


END2END = Family(
    name="end2end",
    preprocessing=RGB_FROM_0_TO_1,
    describe=lambda _size: "one output [1, N, 6] as left, top, right, bottom, score, class",
    classes=lambda shapes, _size, _spec: (ANY_NUMBER,) if _table(shapes)[1] else (),
    decode=decode,
    doubt=lambda outputs, size, _spec: row_doubts(_rows(outputs), size),
    overlapping=False,
)
PADDLE = Family(
    name="paddle",
    preprocessing=IMAGENET,
    describe=lambda _size: "two outputs, [N, 6] as class, score, left, top, right, bottom, and their number [1]",
    classes=lambda shapes, _size, _spec: (ANY_NUMBER,) if _is_paddle(shapes) else (),
    decode=decode_paddle,
    doubt=lambda outputs, size, _spec: row_doubts(_paddle_rows(outputs), size),
    overlapping=False,
)
