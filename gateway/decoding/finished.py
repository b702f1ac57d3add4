"""Detectors whose file does everything, suppression included: boxes in pixels, each with a score and a class number.

One table: left, top, right, bottom, score, class (YOLOv10, YOLO26, Ultralytics' nms=True); with the picture's number
in front, seven columns (YOLOv7's end2end, YOLO-NAS' flat format, which have class and score in another order); or
class and score in front (PaddleDetection). Or outputs of their own for boxes, scores and classes (D-FINE, RT-DETR,
torchvision, YOLO-NAS' batch format). Rows that hold nothing have a score of 0, or lie behind the count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.decoding.arithmetic import reaching
from gateway.decoding.detr import IMAGENET, PARTS
from gateway.decoding.family import ANY_NUMBER, Array, Family, Outputs, Shapes, Size, masked_table
from gateway.decoding.plausibility import box_doubt, first, score_doubt, whole_number_doubt

if TYPE_CHECKING:
    from shared.model.spec import ModelSpec

MOST_CLASSES = 2000
"""Class numbers from there on are no such: the largest public list, LVIS, has 1203."""

CLASS_WORDS = ("class", "label")

Rows = tuple[Array, Array, Array]
"""Boxes (N, 4), scores (N,), class numbers (N,)."""


def decode_table(outputs: Outputs, _size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Output: (1, N, 6), (1, N, 7) or the same without the first axis."""
    return _scattered(_rows_of_table(outputs), spec)


def decode_paddle(outputs: Outputs, _size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Outputs: (N, 6) as class, score, box; and how many rows are each picture's."""
    return _scattered(_rows_of_paddle(outputs), spec)


def decode_apart(outputs: Outputs, _size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Outputs: boxes (1, N, 4), scores (1, N), classes (1, N), perhaps a count."""
    return _scattered(_rows_apart(outputs), spec)


def _doubt(rows: Rows, size: Size) -> str:
    boxes, scores, numbers = rows
    doubt = first(score_doubt(scores), whole_number_doubt(numbers), box_doubt(boxes, size))
    return doubt or ("its class numbers are impossible" if np.abs(numbers).max(initial=0) >= MOST_CLASSES else "")


def _scattered(rows: Rows, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes, and a table of scores with one that is not 0 in each row."""
    boxes, scores, numbers = rows
    kept = reaching(scores, spec.score_threshold)
    known = kept[(numbers[kept] >= 0) & (numbers[kept] < MOST_CLASSES)]
    classes = numbers[known].astype(np.int64)
    table = np.zeros((len(known), max(len(spec.labels), int(classes.max(initial=0)) + 1)), np.float32)
    table[np.arange(len(known)), classes] = scores[known]
    return boxes[known], table


def _rows_of_table(outputs: Outputs) -> Rows:
    shapes = {name: value.shape for name, value in outputs.items()}
    name, columns = _table(shapes)
    table = outputs[name].reshape(-1, outputs[name].shape[-1])[:, :columns]
    if columns == 6:
        return table[:, :4], table[:, 4], table[:, 5]
    whole = (table[:, 5] == np.round(table[:, 5])).all()
    score, number = (6, 5) if whole and not (table[:, 6] == np.round(table[:, 6])).all() else (5, 6)
    return table[:, 1:5], table[:, score], table[:, number]


def _rows_of_paddle(outputs: Outputs) -> Rows:
    table = next(value for value in outputs.values() if value.ndim == 2)
    real = table[table[:, 0] >= 0]
    return real[:, 2:], real[:, 1], real[:, 0]


def _rows_apart(outputs: Outputs) -> Rows:
    boxes_name, lists, count_name = _apart({name: value.shape for name, value in outputs.items()})
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


def _table(shapes: Shapes) -> tuple[str, int]:
    """The table's name and its columns, without those for masks; no columns: there is none."""
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):
            return name, shape[-1] if shape[-1] in {6, 7} else 0
    found = masked_table(shapes)
    if found is None or shapes[found[0]][2] - found[1] != 6:
        return "", 0
    return found[0], 6


def _apart(shapes: Shapes) -> tuple[str, list[str], str]:
    """The names of the boxes, of the lists of scores and classes, and of the count; "" for what there is not."""
    boxes = [name for name, shape in shapes.items() if shape[-1:] == (4,) and len(shape) in {2, 3}]
    if len(boxes) != 1:
        return "", [], ""
    rows = shapes[boxes[0]][:-1]
    lists = [name for name, shape in shapes.items() if shape == rows and name != boxes[0]]
    rest = [name for name in shapes if name not in {boxes[0], *lists}]
    if len(lists) == 3:  # of one row, a count looks like the others
        rest = [name for name in lists if "num" in name.lower()]
        lists = [name for name in lists if name not in rest]
    if len(lists) != 2 or len(rest) > 1 or any(shapes[name] not in {(1,), (1, 1)} for name in rest):
        return "", [], ""
    return boxes[0], lists, rest[0] if rest else ""


def _is_paddle(shapes: Shapes) -> bool:
    tables = [shape for shape in shapes.values() if len(shape) == 2 and shape[1] == 6]
    return len(shapes) == 2 and len(tables) == 1 and (1,) in shapes.values()


FINISHED = Family(
    "end2end",
    PARTS,
    lambda _size: "one output [1, N, 6] as left, top, right, bottom, score, class",
    lambda shapes, _size, _spec: (ANY_NUMBER,) if _table(shapes)[1] else (),
    decode_table,
    lambda outputs, size, _spec: _doubt(_rows_of_table(outputs), size),
    overlapping=False,
)
PADDLE = Family(
    "paddle",
    IMAGENET,
    lambda _size: "two outputs, [N, 6] as class, score, left, top, right, bottom, and their number [1]",
    lambda shapes, _size, _spec: (ANY_NUMBER,) if _is_paddle(shapes) else (),
    decode_paddle,
    lambda outputs, size, _spec: _doubt(_rows_of_paddle(outputs), size),
    overlapping=False,
)
APART = Family(
    "detections",
    PARTS,
    lambda _size: "three outputs, boxes [1, N, 4] in pixels, scores [1, N], classes [1, N]",
    lambda shapes, _size, _spec: (ANY_NUMBER,) if _apart(shapes)[0] else (),
    decode_apart,
    lambda outputs, size, _spec: _doubt(_rows_apart(outputs), size),
    overlapping=False,
)
