"""The objects in one picture as numbers: compact on the wire, described in words where people read them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.labels import class_label
from shared.payloads.cluster import DetectedObject
from shared.payloads.fields import RelativeBox

if TYPE_CHECKING:
    from shared.model.arrays import Array, FloatArray

MAX_OBJECTS_PER_FRAME = 300
"""More objects in one frame come from a broken model, not from a crowd."""

COLUMNS = 6
"""Numbers of one object: left, top, right, bottom, score, class number."""

MAX_CLASS_NUMBER = 2**16
"""Larger numbers are invalid; every whole number up to here is exact in float32."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects in one picture, best first: float32 (N, 6).

    The columns are left, top, right and bottom in pixels of the picture, the score, and the number of the class.
    """

    table: FloatArray

    @classmethod
    def from_columns(cls, boxes: FloatArray, scores: FloatArray, classes: Array) -> Detections:
        """Return detections with boxes (N, 4), scores (N,) and class numbers (N,)."""
        return cls(np.column_stack([boxes, scores, classes]).astype(np.float32).reshape(-1, COLUMNS))

    @classmethod
    def from_bytes(cls, payload: Array) -> Detections:
        """Return the detections in a received payload, uint8 (bytes,). Raises ValueError for impossible ones."""
        if payload.size % (4 * COLUMNS) or payload.size > 4 * COLUMNS * MAX_OBJECTS_PER_FRAME:
            raise ValueError(f"{payload.size} bytes are not a list of at most {MAX_OBJECTS_PER_FRAME} objects")
        table = payload.view(np.float32).reshape(-1, COLUMNS)
        # Python's floats, here and in describe(): for some ten objects, numpy takes twice as long.
        for left, top, right, bottom, score, number in table.tolist():
            # The sum of finite sides is finite: they are float32, and added as float64.
            if not (isfinite(left + top + right + bottom) and 0 <= score <= 1 and 0 <= number < MAX_CLASS_NUMBER):
                raise ValueError("an object has numbers that are not finite, or an impossible score or class")
        return cls(table)

    def __len__(self) -> int:
        return len(self.table)

    def describe(self, size: tuple[int, int], labels: tuple[str, ...]) -> tuple[DetectedObject, ...]:
        """Return the objects in a picture of (height, width) in words; those without an area are left out."""
        height, width = size
        objects = []
        for *sides, score, number in self.table.tolist():
            left, top, right, bottom = [round(side, 1) for side in sides]
            if right <= left or bottom <= top:  # outside of the picture, or thinner than the rounding
                continue
            box, label = (left, top, right, bottom), class_label(int(number), labels)
            relative = relative_box(box, width, height)
            objects.append(DetectedObject(label=label, score=round(score, 4), box=box, box_rel=relative))
        return tuple(objects)


def relative_box(box: tuple[float, float, float, float], width: int, height: int) -> RelativeBox:
    """Return a box as parts of the picture's size, rounded as for publication."""
    left, top, right, bottom = box
    parts = round(left / width, 5), round(top / height, 5), round(right / width, 5), round(bottom / height, 5)
    return RelativeBox(parts)
