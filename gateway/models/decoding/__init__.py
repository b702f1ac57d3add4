"""From a network's outputs to boxes and scores, by the decoder of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway.models.decoding.family import shapes_of
from gateway.models.decoding.recognition import family_of

if TYPE_CHECKING:
    from gateway.models.decoding.family import Outputs
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

MAX_COORDINATE_PX = 1e6
"""How far from the origin a box may reach: no network sees so far, and boxes up to there compare exactly enough."""

MAX_SCORE = 1.001
"""A score is a probability; what is above 1 by more than rounding in half precision is something else."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes (N, 4) as left, top, right, bottom in input pixels, float32; scores (N,) and class numbers (N,).

    `invalid_count` is how many more there were that are none: not finite, without an area, or with impossible scores.
    """

    boxes: FloatArray
    scores: FloatArray
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    invalid_count: int = 0


def decode(outputs: Outputs, input_size: tuple[int, int], spec: ModelSpec) -> Candidates:
    """Everything that reaches the score threshold. Raises ModelError when no decoder fits, see family_of."""
    family = family_of(shapes_of(outputs), input_size, spec)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is dropped below
        boxes, table = family.decode(outputs, input_size, spec)
        sizes = boxes[:, 2:] - boxes[:, :2]
    whole = (np.abs(boxes).max(axis=1) <= MAX_COORDINATE_PX) & (sizes.min(axis=1) > 0)
    cells, classes = np.nonzero(~(table < spec.score_threshold))
    scores = table[cells, classes]
    sound = whole[cells] & (scores <= MAX_SCORE)
    cells, classes, scores = cells[sound], classes[sound], np.minimum(scores[sound], 1)
    return Candidates(boxes[cells], scores, classes, invalid_count=len(sound) - len(scores))
