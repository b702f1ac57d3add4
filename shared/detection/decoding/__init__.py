"""Decodes a network's outputs to boxes and scores, with the decoder of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.family import shapes_of
from shared.detection.decoding.recognition import family_of

if TYPE_CHECKING:
    from shared.detection.decoding.family import Outputs
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

MAX_COORDINATE_PX = 1e6
"""Boxes that reach further from the origin are invalid: no input is that large, and float32 stays exact up to here."""

MAX_SCORE = 1.001
"""Higher scores are invalid: a score is a probability, and half precision rounds to a little above 1."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes (N, 4) as left, top, right, bottom in input pixels, float32; scores (N,) and class numbers (N,).

    `invalid_count` is the number of dropped candidates: not finite, without an area, or with impossible scores.
    """

    boxes: FloatArray
    scores: FloatArray
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    invalid_count: int = 0


def decode(outputs: Outputs, input_size: tuple[int, int], spec: ModelSpec) -> Candidates:
    """Return all candidates that reach the score threshold. Raises ModelError when no decoder fits, see family_of."""
    family = family_of(shapes_of(outputs), input_size, spec)
    with np.errstate(over="ignore", invalid="ignore"):  # the results are dropped below
        boxes, table = family.decode(outputs, input_size, spec)
        sizes = boxes[:, 2:] - boxes[:, :2]
    has_valid_box = (np.abs(boxes).max(axis=1) <= MAX_COORDINATE_PX) & (sizes.min(axis=1) > 0)
    # NaN is not below the threshold either: it must count as invalid, and not as nothing detected.
    cells, classes = np.nonzero(~(table < spec.score_threshold))
    scores = table[cells, classes]
    valid = has_valid_box[cells] & (scores <= MAX_SCORE)
    cells, classes, scores = cells[valid], classes[valid], np.minimum(scores[valid], 1)
    return Candidates(boxes[cells], scores, classes, invalid_count=len(valid) - len(scores))
