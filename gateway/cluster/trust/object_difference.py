"""Compares the objects that a worker found in a frame with the expected ones. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray

MAX_OBJECT_DIFFERENCE = 0.01
"""Allowed difference of a score, or of a box's side as a fraction of the picture. Correct devices differ by 1e-4."""

MAX_QUANTISED_OBJECT_DIFFERENCE = 0.1
"""The same for a quantised model, whose rounding depends on the processor."""

WRONG_OBJECTS = 1.0
"""The difference that counts for a missing or unexpected object: the largest one that scores and fractions can have."""


def object_difference(
    found: FloatArray, expected: FloatArray, size: tuple[int, int], floor: float, *, quantised: bool
) -> float:
    """Return the largest difference between two tables of objects, float32 (N, 6), see Detections.

    `size` is the picture's (height, width); the sides of boxes are compared as fractions of it. Return WRONG_OBJECTS if
    an object has no counterpart in the other table, unless its score is so close to the `floor`, below which objects
    are left out, that rounding decides.
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
