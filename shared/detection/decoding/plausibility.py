"""Checks whether outputs have plausible values for a family; each function returns a doubt, "" for none.

The functions check all cells of one picture. Most of these show nothing, so a condition must hold for nearly all cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.detection.decoding.family import InputSize
    from shared.model.arrays import FloatArray

NEARLY_ALL = 0.99
"""Share of boxes that must be finite and in order: a badly trained network makes a few that are not."""

_MOST = 0.9
"""Share of boxes that must have an area, and a centre near the picture; boxes without an object may have neither."""

_ROUNDING = 0.001
"""Allowed distance of a probability below 0 or above 1, from half precision."""

_SILENT, _LOUD = 0.05, 0.2
"""Bounds of a typical score: most cells show nothing, so it is below the first and never reaches the second."""

MAX_RELATIVE_COORDINATE = 1.5
"""Boxes whose coordinates are all below it are in parts of the picture, not in pixels."""


def score_doubt(scores: FloatArray) -> str:
    """Return why scores cannot be probabilities."""
    if not scores.size:
        return ""
    lowest, highest = float(scores.min()), float(scores.max())
    if np.isnan(lowest) or lowest < -_ROUNDING or highest > 1 + _ROUNDING:
        return f"its scores are not from 0 to 1 but from {lowest:.3g} to {highest:.3g}"
    return ""


def tail_doubt(scores: FloatArray) -> str:
    """Return why the last columns of scores (N, classes) cannot be scores.

    An angle or key points behind the classes are large in nearly all cells, while scores are nearly 0.
    """
    typical = np.median(scores, axis=0)
    silent, loud = typical < _SILENT, typical >= _LOUD
    first_loud = int(np.argmax(loud))
    tail = loud.any() and first_loud > 0 and loud[first_loud:].all() and silent[:first_loud].all()
    return "its last numbers are too large for scores (an angle, or key points)" if tail else ""


def logit_doubt(logits: FloatArray) -> str:
    """Return why numbers cannot be logits, the scores before a sigmoid or softmax."""
    lowest, highest = float(logits.min(initial=0)), float(logits.max(initial=0))
    if not np.isfinite([lowest, highest]).all():
        return "its scores are not finite"
    if lowest >= 0 and highest <= 1 + _ROUNDING:
        return "its scores are already probabilities"
    return ""


def whole_number_doubt(numbers: FloatArray) -> str:
    """Return why numbers cannot be class numbers."""
    if numbers.size and not (np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()):
        return "its class numbers are not integers"
    return ""


def box_doubt(boxes: FloatArray, size: InputSize, *, parts: bool = False) -> str:
    """Return why boxes (N, 4), left, top, right, bottom, cannot be in a picture of (height, width) pixels.

    `parts`: the boxes are in parts of the picture, not in pixels.
    """
    if not len(boxes) or not boxes.any():
        return ""
    scale = (1.0, 1.0) if parts else size
    finite = np.isfinite(boxes).all(axis=1)
    if finite.mean() < NEARLY_ALL:
        return "its boxes are not finite"
    kept = boxes[finite]
    if (kept[:, 2:] >= kept[:, :2]).all(axis=1).mean() < NEARLY_ALL:
        return "its boxes end before they begin"
    largest = float(np.abs(kept).max())
    if not parts and largest <= MAX_RELATIVE_COORDINATE and min(size) > 2 * MAX_RELATIVE_COORDINATE:
        return "its boxes all lie within 0 and 1, where pixels are expected"
    centres = (kept[:, :2] + kept[:, 2:]) / 2 / np.array([scale[1], scale[0]], np.float32)
    if ((centres >= -1) & (centres <= 2)).all(axis=1).mean() < _MOST:
        return f"its boxes lie far outside of the picture, up to {largest:.3g}"
    return ""


def area_doubt(boxes: FloatArray) -> str:
    """Return why boxes (N, 4), left, top, right, bottom, cannot each show an object: too many have no area."""
    if not len(boxes) or (boxes[:, 2:] > boxes[:, :2]).all(axis=1).mean() >= _MOST:
        return ""
    return "its boxes have no area"


def row_doubt(table: FloatArray) -> str:
    """Return why rows (N, columns) cannot be cells: each cell has numbers, but most rows are 0."""
    empty = len(table) and (table == 0).all(axis=1).mean() > 0.5
    return "most of its rows are empty, as of finished detections" if empty else ""


def first_doubt(*doubts: str) -> str:
    """Return the first doubt, "" when there is none."""
    return next(filter(None, doubts), "")
