"""NanoDet: class scores and box distributions by cell (generalised focal loss, Li et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.decoding.arithmetic import reaching, softmax
from gateway.decoding.cells import STRIDES, STRIDES_TO_64, cells, count, counts
from gateway.decoding.family import Array, Family, Shapes, Size, only_table, settle
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec

SIDES = 4

BINS = (8, 11)
"""Of each side, in one output for all: upstream's configurations have 8, NanoDet-g 11."""


def decode(outputs: Mapping[str, Map], input_size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Outputs: scores after the sigmoid, distributions before the softmax.

    A side's distance from the cell's point is the expectation of its bins' numbers, times the stride.
    """
    pieces = _pieces(outputs, input_size, spec)
    first, numbers, distributions, scores = 0, [], [], []
    for score, distribution in pieces:
        kept = reaching(score.max(axis=1), spec.score_threshold)
        numbers.append(kept + first)
        distributions.append(distribution[kept])
        scores.append(score[kept])
        first += len(score)
    strides = counts(input_size)[first]
    boxes = _boxes(np.concatenate(distributions), np.concatenate(numbers), input_size, strides)
    return boxes, np.concatenate(scores)


def _pieces(outputs: Mapping[str, Map], input_size: Size, spec: ModelSpec) -> list[tuple[Array, Array]]:
    """Scores (cells, classes) and distributions (cells, 4 * bins), in the order of the strides."""
    if len(outputs) > 1:
        return [(outputs[f"scores_{stride}"][0], outputs[f"boxes_{stride}"][0]) for stride in STRIDES]
    ((name, table),) = outputs.items()
    classes = settle(_classes({name: table.shape}, input_size, spec), spec)
    return [(table[0, :, :classes], table[0, :, classes:])]


def _boxes(
    distributions: Array,
    numbers: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
    input_size: Size,
    strides: tuple[int, ...],
) -> Array:
    """From distributions (N, 4 * bins) of the cells with these numbers to boxes (N, 4)."""
    every = cells(input_size, strides)
    stride = every.strides[numbers]
    weights = softmax(distributions.reshape(len(numbers), SIDES, distributions.shape[1] // SIDES))
    sides = weights @ np.arange(weights.shape[2], dtype=np.float32) * stride
    inside = 0.0 if strides == STRIDES_TO_64 else 0.5  # NanoDet-Plus measures from a cell's corner, not its middle
    points = (every.places[numbers] + np.float32(inside)) * stride
    return np.hstack([points - sides[:, :2], points + sides[:, 2:]])


def _classes(shapes: Shapes, input_size: Size, _spec: ModelSpec) -> tuple[int, ...]:
    table = only_table(shapes)
    if table is not None:
        return tuple(
            table[1] - SIDES * bins for bins in BINS if table[1] > SIDES * bins and table[0] in counts(input_size)
        )
    found = set()
    for stride in STRIDES:
        scores, boxes = shapes.get(f"scores_{stride}", ()), shapes.get(f"boxes_{stride}", ())
        expected = (1, count(input_size, (stride,)))
        if len(scores) != 3 or len(boxes) != 3 or scores[:2] != expected or boxes[:2] != expected or boxes[2] % SIDES:
            return ()
        found.add((scores[2], boxes[2]))
    return (next(iter(found))[0],) if len(found) == 1 else ()


def _look(input_size: Size) -> str:
    finest = count(input_size, STRIDES[:1])
    rows, bins = " or ".join(map(str, counts(input_size))), " or ".join(map(str, BINS))
    return (
        f"scores_8 [1, {finest}, classes] and boxes_8 [1, {finest}, 4 * bins] and so on for strides 16 and 32, "
        f"or one output [1, {rows}, classes + 4 * {bins}]"
    )


NANODET = Family(
    name="nanodet",
    preprocessing=Preprocessing(channels="bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
    look=_look,
    classes=_classes,
    decode=decode,
)
