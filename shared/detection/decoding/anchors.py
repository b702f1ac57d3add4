"""Decodes Darknet's detection layers: region (Redmon and Farhadi 2017), yolo (v3 2018; v4, Bochkovskiy 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.decoding.arithmetic import corners, indices_reaching, sigmoid, softmax
from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import AnchorHead, ModelSpec

_BEFORE_CLASSES = 5
"""Channels of an anchor: centre x and y in its cell, logarithms of width and height by the anchor's, objectness."""


def decode(outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> tuple[FloatArray, FloatArray]:
    """Return boxes and scores, see Family. Outputs: for each head a map as AnchorHead describes it."""
    found = [_decode_head(outputs[head.output][0], head, input_size, spec.score_threshold) for head in spec.heads]
    return np.concatenate([boxes for boxes, _ in found]), np.concatenate([scores for _, scores in found])


def _decode_head(
    head_map: FloatArray, head: AnchorHead, input_size: InputSize, threshold: float
) -> tuple[FloatArray, FloatArray]:
    """Return boxes (N, 4) and scores (N, classes) of a map (anchors * (5 + classes), H, W)."""
    _, rows, columns = head_map.shape
    by_anchor = head_map.reshape(len(head.anchors), -1, rows * columns)
    kept = indices_reaching(sigmoid(by_anchor[:, 4]).ravel(), threshold)  # no score is above the objectness
    anchor, cell = np.divmod(kept, rows * columns)
    values = by_anchor[anchor, :, cell]
    row, column = np.divmod(cell, columns)
    stretched = head.scale_x_y * sigmoid(values[:, :2]) - (head.scale_x_y - 1) / 2
    stride = np.array([input_size[1] / columns, input_size[0] / rows], np.float32)
    centres = (stretched + np.stack([column, row], axis=1).astype(np.float32)) * stride
    sizes = np.exp(values[:, 2:4]) * np.array(head.anchors, np.float32)[anchor]
    classes = values[:, _BEFORE_CLASSES:]
    likely = softmax(classes) if head.kind == "region" else sigmoid(classes)
    return corners(centres, sizes), likely * sigmoid(values[:, 4:5])


def doubt(outputs: Outputs, _size: InputSize, spec: ModelSpec) -> str:
    """Return the doubt, see Family: any finite number is possible."""
    finite = all(np.isfinite(outputs[head.output]).all() for head in spec.heads)
    return "" if finite else "its outputs are not finite"


def _classes(shapes: Shapes, _size: InputSize, spec: ModelSpec) -> tuple[int, ...]:
    found = set()
    for head in spec.heads:
        shape = shapes.get(head.output, ())
        if len(shape) != 4 or shape[0] != 1 or shape[1] % len(head.anchors):
            return ()
        found.add(shape[1] // len(head.anchors) - _BEFORE_CLASSES)
    return tuple(found) if len(found) == 1 and min(found) > 0 else ()


def _describe(_size: InputSize) -> str:
    return 'for each of the "heads" in the description an output [1, its anchors * (5 + classes), rows, columns]'


DARKNET = Family(
    name="darknet",
    preprocessing=Preprocessing(channels="rgb", fill=127),
    describe=_describe,
    classes=_classes,
    decode=decode,
    doubt=doubt,
)
