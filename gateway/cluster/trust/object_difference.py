"""Compares the objects that a worker found in a frame with those that should be found, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray

MAX_OBJECT_DIFFERENCE = 0.01
"""Allowed difference of a score, or of a box in parts of the picture: exact devices differ by 1e-4 at most."""

MAX_QUANTISED_OBJECT_DIFFERENCE = 0.1
"""The same for a quantised model, whose rounding depends on the processor."""

WRONG_OBJECTS = 1.0
"""The difference of wrong objects: scores, and boxes in parts of the picture, differ by no more."""


def object_difference(
    found: FloatArray, expected: FloatArray, size: tuple[int, int], floor: float, *, quantised: bool
) -> float:
    """Return the largest difference between two tables of objects, see Detections; WRONG_OBJECTS when one is wrong.

    `size` is the picture's (height, width): boxes count in parts of it, scores as they are. An object without
    a counterpart is wrong, unless its score is so close to the `floor` that rounding decides about it.
    """
    limit = MAX_QUANTISED_OBJECT_DIFFERENCE if quantised else MAX_OBJECT_DIFFERENCE
    height, width = size
    units = np.array([width, height, width, height, 1.0], np.float32)
    left, largest = list(expected), 0.0
    for row in found:
        differences = [
            float(np.abs((row[:5] - other[:5]) / units).max()) if row[5] == other[5] else np.inf for other in left
        ]
        nearest = int(np.argmin(differences)) if differences else -1
        if nearest >= 0 and differences[nearest] <= limit:
            largest = max(largest, differences[nearest])
            del left[nearest]
        elif row[4] > floor + limit:
            return WRONG_OBJECTS
    return WRONG_OBJECTS if any(row[4] > floor + limit for row in left) else largest
