"""YOLOX: one box for every cell, without anchors (Ge et al. 2021), as its exporter leaves it: not decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.decoding.arithmetic import corners, reaching
from gateway.decoding.cells import STRIDES, cells, count
from gateway.decoding.family import Array, Family, Shapes, Size, only_table
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec

BEFORE_CLASSES = 5
"""Of a cell: centre x and y and the logarithms of width and height, in strides; objectness."""


def decode(outputs: Mapping[str, Map], input_size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Output: (1, cells, 5 + classes), objectness and classes after the sigmoid."""
    (table,) = outputs.values()
    kept = reaching(table[0, :, 4], spec.score_threshold)
    rows, every = table[0, kept], cells(input_size, STRIDES)
    stride = every.strides[kept]
    boxes = corners((rows[:, :2] + every.places[kept]) * stride, np.exp(rows[:, 2:4]) * stride)
    return boxes, rows[:, BEFORE_CLASSES:] * rows[:, 4:5]


def _classes(shapes: Shapes, input_size: Size, _spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    if table is None or table[0] != count(input_size, STRIDES) or table[1] <= BEFORE_CLASSES:
        return ()
    return (table[1] - BEFORE_CLASSES,)


def _look(input_size: Size) -> str:
    return f"one output [1, {count(input_size, STRIDES)}, 5 + classes]"


YOLOX = Family(
    name="yolox",
    preprocessing=Preprocessing(channels="bgr", std=(1.0, 1.0, 1.0), fill=114, align="top-left"),
    look=_look,
    classes=_classes,
    decode=decode,
)
