"""Decodes NanoDet and PicoDet: class scores and box distributions by cell (generalised focal loss, Li et al. 2020).

PicoDet, as PaddleDetection exports it without post-processing, has the shapes of NanoDet-Plus in eight outputs, but it
measures from the middle of a cell. Only the names that Paddle gives to outputs distinguish the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import indices_reaching, softmax
from shared.detection.decoding.cells import (
    FINE_STRIDES,
    STRIDES,
    STRIDES_TO_64,
    USUAL_STRIDES,
    cell_count,
    make_cells,
    strides_by_cell_count,
)
from shared.detection.decoding.family import (
    Family,
    InputSize,
    Outputs,
    Shapes,
    choose_class_count,
    only_table,
    shapes_of,
)
from shared.detection.decoding.plausibility import score_doubt
from shared.detection.decoding.preprocessings import IMAGENET
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.detection.decoding.cells import Cells
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

_SIDES = 4
"""A box has a distribution for each of its sides."""

_BINS = (8, 11)
"""Possible numbers of bins for each side of a box: NanoDet's configurations have 8, that of NanoDet-g 11."""

BOX_WORDS = ("box", "dis", "reg")
"""Parts of names of outputs with distributions: boxes_8, dis_pred_stride_8, reg_8."""

SCORE_WORDS = ("cls", "class", "score")
"""Parts of names of outputs with scores: cls_pred_stride_8."""

PADDLE_WORD = ".tmp_"
"""Part of the names that Paddle gives to outputs: transpose_0.tmp_0."""


def decode(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: scores after the sigmoid, distributions before the softmax.

    The distance of a side from the cell's point is the expectation of its bins' indices, times the stride.
    """
    pieces = _pieces(outputs, input_size, spec)
    first, numbers, distributions, scores = 0, [], [], []
    for score, distribution in pieces:
        kept = indices_reaching(score.max(axis=1), spec.score_threshold)
        numbers.append(kept + first)
        distributions.append(distribution[kept])
        scores.append(score[kept])
        first += len(score)
    strides = strides_by_cell_count(input_size, FINE_STRIDES)[first]
    # NanoDet-Plus, which has stride 64, measures from a cell's corner, not its middle.
    offset = 0.0 if strides == STRIDES_TO_64 and not _is_picodet(outputs, spec) else 0.5
    boxes = _boxes(np.concatenate(distributions), np.concatenate(numbers), make_cells(input_size, strides), offset)
    return boxes, np.concatenate(scores)


def doubt(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> str:
    """Return the doubt, see Family: scores are probabilities, distributions are finite."""
    pieces = _pieces(outputs, input_size, spec)
    scores = np.concatenate([score for score, _ in pieces])
    finite = all(np.isfinite(distribution).all() for _, distribution in pieces)
    return score_doubt(scores) or ("" if finite else "its boxes are not finite")


def _pieces(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> list[tuple[FloatArray, FloatArray]]:
    """Return scores (cells, classes) and distributions (cells, 4 * bins), in the order of the strides."""
    if len(outputs) > 1:
        pairs = _pairs(shapes_of(outputs), input_size)
        return [(outputs[scores][0], outputs[boxes][0]) for scores, boxes in pairs]
    ((name, table),) = outputs.items()
    classes = choose_class_count(_classes({name: table.shape}, input_size, spec), spec)
    return [(table[0, :, :classes], table[0, :, classes:])]


def _boxes(
    distributions: FloatArray, numbers: np.ndarray[tuple[int, ...], np.dtype[np.intp]], cells: Cells, offset: float
) -> FloatArray:
    """Return boxes (N, 4) of distributions (N, 4 * bins), for the N of all `cells` that have these numbers.

    Sides are measured from the point of a cell that is `offset` of its side right of and below its corner.
    """
    stride = cells.strides[numbers]
    weights = softmax(distributions.reshape(len(numbers), _SIDES, distributions.shape[1] // _SIDES))
    sides = weights @ np.arange(weights.shape[2], dtype=np.float32) * stride
    points = (cells.places[numbers] + np.float32(offset)) * stride
    return np.hstack([points - sides[:, :2], points + sides[:, 2:]])


def _is_picodet(names: Iterable[str], spec: ModelSpec) -> bool:
    """Return whether outputs with these names are PicoDet's: the description says so, or Paddle has named them."""
    return spec.decoder == PICODET.name or (spec.decoder is None and any(PADDLE_WORD in name for name in names))


def _classes(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    if _is_picodet(shapes, spec):
        return ()
    table = only_table(shapes)
    if table is not None:
        return tuple(
            table[1] - _SIDES * bins
            for bins in _BINS
            if table[1] > _SIDES * bins and table[0] in strides_by_cell_count(input_size, FINE_STRIDES)
        )
    return _classes_of_pairs(shapes, input_size)


def _classes_picodet(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    return _classes_of_pairs(shapes, input_size) if _is_picodet(shapes, spec) else ()


def _classes_of_pairs(shapes: Shapes, input_size: InputSize) -> tuple[int, ...]:
    pairs = _pairs(shapes, input_size)
    widths = {(shapes[scores][2], shapes[boxes][2]) for scores, boxes in pairs}
    return (next(iter(widths))[0],) if len(widths) == 1 else ()


def _pairs(shapes: Shapes, input_size: InputSize) -> list[tuple[str, str]]:
    """Return the outputs with scores and with distributions of each stride, fine strides first, else []."""
    strides = next((usual for usual in USUAL_STRIDES if 2 * len(usual) == len(shapes) and usual[0] == STRIDES[0]), ())
    pairs = []
    for stride in strides:
        names = [name for name, shape in shapes.items() if shape[:2] == (1, cell_count(input_size, (stride,)))]
        boxes = [name for name in names if _has_distributions(name, shapes[name])]
        if len(names) != 2 or len(boxes) != 1 or any(len(shapes[name]) != 3 for name in names):
            return []
        pairs.append((next(name for name in names if name not in boxes), boxes[0]))
    return pairs


def _has_distributions(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether an output has distributions, by its name, else by its number of columns."""
    words = name.lower()
    if any(word in words for word in BOX_WORDS):
        return shape[-1] % _SIDES == 0
    return not any(word in words for word in SCORE_WORDS) and shape[-1] in {_SIDES * bins for bins in _BINS}


def _describe(input_size: InputSize) -> str:
    finest = cell_count(input_size, STRIDES[:1])
    rows = " or ".join(str(cell_count(input_size, strides)) for strides in (STRIDES, STRIDES_TO_64))
    bins = " or ".join(map(str, _BINS))
    return (
        f"scores_8 [1, {finest}, classes] and boxes_8 [1, {finest}, 4 * bins] and so on for strides 16 and 32, "
        f"or one output [1, {rows}, classes + 4 * {bins}]"
    )


NANODET = Family(
    name="nanodet",
    preprocessing=Preprocessing(channels="bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
    describe=_describe,
    classes=_classes,
    decode=decode,
    doubt=doubt,
    remedy="export it as its own tools/export_onnx.py does",
)
PICODET = Family(
    name="picodet",
    preprocessing=IMAGENET,
    describe=lambda _size: (
        "scores [1, N, classes] and distributions [1, N, 4 * 8] for each of the strides 8, 16, 32, 64"
    ),
    classes=_classes_picodet,
    decode=decode,
    doubt=doubt,
)
