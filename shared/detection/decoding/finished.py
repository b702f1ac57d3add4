"""Decodes the rows (box, score, class number) of detectors whose file includes the post-processing and suppression.

Rows without an object have a score of 0, or come after the number of rows that another output gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import indices_reaching
from shared.detection.decoding.plausibility import box_doubt, first_doubt, score_doubt, whole_number_doubt

if TYPE_CHECKING:
    from shared.detection.decoding.family import InputSize
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

MAX_CLASSES = 2000
"""Larger class numbers are invalid: the largest public list, LVIS, has 1203."""

Rows = tuple["FloatArray", "FloatArray", "FloatArray"]
"""Boxes (N, 4) as left, top, right, bottom in input pixels, scores (N,), class numbers (N,)."""


def boxes_with_scores(rows: Rows, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes (N, 4) and scores (N, classes), see Family; one score in each row is not 0."""
    boxes, scores, numbers = rows
    kept = indices_reaching(scores, spec.score_threshold)
    known = kept[(numbers[kept] >= 0) & (numbers[kept] < MAX_CLASSES)]
    classes = numbers[known].astype(np.int64)
    table = np.zeros((len(known), max(len(spec.labels), int(classes.max(initial=0)) + 1)), np.float32)
    table[np.arange(len(known)), classes] = scores[known]
    return boxes[known], table


def row_doubts(rows: Rows, size: InputSize) -> str:
    """Return the doubt, see Family: rows have probabilities, whole class numbers, boxes in pixels."""
    boxes, scores, numbers = rows
    doubt = first_doubt(score_doubt(scores), whole_number_doubt(numbers), box_doubt(boxes, size))
    return doubt or ("its class numbers are impossible" if np.abs(numbers).max(initial=0) >= MAX_CLASSES else "")
