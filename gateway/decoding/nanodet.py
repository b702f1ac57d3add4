"""NanoDet: class scores and box distributions on three strides (generalised focal loss, Li et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

STRIDES = (8, 16, 32)
SIDES = 4


def decode(outputs: Mapping[str, Map], input_size: tuple[int, int]) -> tuple[Array, Array]:
    """Boxes (N, 4) as left, top, right, bottom in input pixels, and scores (N, classes), float32.

    Takes scores_s (1, cells, classes) after the sigmoid and boxes_s (1, cells, 4 * bins) before the softmax for each
    stride s; a side's distance is the expectation of its bins' numbers, times the stride.
    Raises ModelError for outputs of other names or shapes.
    """
    boxes, scores = [], []
    for stride in STRIDES:
        rows, columns = -(-input_size[0] // stride), -(-input_size[1] // stride)
        score, distribution = outputs.get(f"scores_{stride}"), outputs.get(f"boxes_{stride}")
        cells = rows * columns
        if score is None or distribution is None or score.shape[1] != cells or distribution.shape[1] != cells:
            found = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
            raise ModelError(f"these outputs are not NanoDet's at stride {stride}: {found}")
        boxes.append(_boxes(distribution[0], columns, stride))
        scores.append(score[0])
    return np.concatenate(boxes), np.concatenate(scores)


def _boxes(distribution: Array, columns: int, stride: int) -> Array:
    """From distributions (cells, 4 * bins) to boxes (cells, 4)."""
    logits = distribution.reshape(len(distribution), SIDES, -1)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(logits.shape[2], dtype=np.float32)
    left, top, right, bottom = ((weights @ bins) / weights.sum(axis=2) * stride).T
    row, column = np.divmod(np.arange(len(distribution)), columns)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    return np.stack([x - left, y - top, x + right, y + bottom], axis=1).astype(np.float32)
