"""Detectors that Ultralytics' exporter decoded already: boxes as centre and size in input pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.decoding.arithmetic import corners, reaching
from gateway.decoding.cells import counts
from gateway.decoding.family import Array, Family, Shapes, Size, only_table
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec

ANCHORS = 3
"""Boxes for each cell of YOLOv5 to v7."""

PREPROCESSING = Preprocessing(channels="rgb", fill=114)


def decode_v5(outputs: Mapping[str, Map], _size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Output: (1, boxes, 5 + classes) as x, y, width, height, objectness, classes."""
    (table,) = outputs.values()
    rows = table[0, reaching(table[0, :, 4], spec.score_threshold)]
    return corners(rows[:, :2], rows[:, 2:4]), rows[:, 5:] * rows[:, 4:5]


def decode_v8(outputs: Mapping[str, Map], _size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Output: (1, 4 + classes, cells) as x, y, width, height, classes."""
    (table,) = outputs.values()
    rows = table[0][:, reaching(table[0, 4:].max(axis=0), spec.score_threshold)].T
    return corners(rows[:, :2], rows[:, 2:4]), rows[:, 4:]


def _classes_v5(shapes: Shapes, input_size: Size, spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    if table is None or table[1] <= 5:
        return ()
    # One box a cell is YOLOX's as well; only who names the decoder can say that it is decoded already.
    anchors = (ANCHORS, 1) if spec.decoder == YOLOV5.name else (ANCHORS,)
    fits = any(table[0] == number * cells for number in anchors for cells in counts(input_size))
    return (table[1] - 5,) if fits else ()


def _classes_v8(shapes: Shapes, input_size: Size, _spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    return (table[0] - 4,) if table is not None and table[0] > 4 and table[1] in counts(input_size) else ()


def _look_v5(input_size: Size) -> str:
    rows = " or ".join(str(ANCHORS * cells) for cells in counts(input_size))
    return f"one output [1, {rows}, 5 + classes]"


def _look_v8(input_size: Size) -> str:
    columns = " or ".join(str(cells) for cells in counts(input_size))
    return f"one output [1, 4 + classes, {columns}]"


YOLOV5 = Family("yolov5", PREPROCESSING, _look_v5, _classes_v5, decode_v5)
YOLOV8 = Family("yolov8", PREPROCESSING, _look_v8, _classes_v8, decode_v8)
