"""Decodes YuNet, a detector of faces (Wu et al. 2023), as in OpenCV's model zoo. Landmarks are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import corners, indices_reaching
from shared.detection.decoding.cells import STRIDES, cell_count, make_cells
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes
from shared.detection.decoding.plausibility import first_doubt, score_doubt
from shared.detection.decoding.yolox import MAX_TYPICAL_STRIDES
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec

_WIDTHS = {"cls": 1, "obj": 1, "bbox": 4}
"""Outputs of each stride, cls_8 and so on, with their numbers for each cell; kps_8 and so on are ignored."""


def decode(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family.

    The four numbers of a cell, in strides: the centre's x and y relative to the cell, logarithms of width and height.
    """
    scores, boxes = _scores(outputs), _joined(outputs, "bbox")
    kept = indices_reaching(scores[:, 0], spec.score_threshold)
    cells = make_cells(input_size, STRIDES)
    stride = cells.strides[kept]
    centres = (boxes[kept, :2] + cells.places[kept]) * stride
    return corners(centres, np.exp(boxes[kept, 2:]) * stride), scores[kept]


def doubt(outputs: Outputs, _size: InputSize, _spec: ModelSpec) -> str:
    """Return the doubt, see Family."""
    typical = float(np.median(np.abs(_joined(outputs, "bbox"))))
    far = "" if typical <= MAX_TYPICAL_STRIDES else f"its boxes are of order {typical:.3g}, not in strides"
    return first_doubt(score_doubt(_joined(outputs, "cls")), score_doubt(_joined(outputs, "obj")), far)


def _joined(outputs: Outputs, part: str) -> FloatArray:
    return np.concatenate([outputs[f"{part}_{stride}"][0] for stride in STRIDES])


def _scores(outputs: Outputs) -> FloatArray:
    """Return the geometric mean of class score and objectness, (N, 1)."""
    return np.asarray(np.sqrt(np.clip(_joined(outputs, "cls"), 0, 1) * np.clip(_joined(outputs, "obj"), 0, 1)))


def _classes(shapes: Shapes, input_size: InputSize, _spec: ModelSpec) -> tuple[int, ...]:
    expected = {
        f"{part}_{stride}": (1, cell_count(input_size, (stride,)), width)
        for part, width in _WIDTHS.items()
        for stride in STRIDES
    }
    return (1,) if expected.items() <= dict(shapes).items() else ()


YUNET = Family(
    name="yunet",
    preprocessing=Preprocessing(channels="bgr", std=(1.0, 1.0, 1.0), align="top-left"),
    describe=lambda _size: "outputs cls_8 [1, N, 1], obj_8 [1, N, 1], bbox_8 [1, N, 4] and so on for strides 16 and 32",
    classes=_classes,
    decode=decode,
    doubt=doubt,
)
