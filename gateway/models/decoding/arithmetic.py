"""Formulas that several families share. Not a number and infinite values pass through them; decode() drops them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray


def sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def softmax(values: FloatArray) -> FloatArray:
    """Over the last axis."""
    weights = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float32)


def corners(centres: FloatArray, sizes: FloatArray) -> FloatArray:
    """From centres (N, 2) as x, y and sizes (N, 2) as width, height to boxes (N, 4)."""
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def indices_reaching(scores: FloatArray, threshold: float) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Which of `scores` (N,) are not below the threshold: not a number counts, so that somebody hears of it."""
    return np.flatnonzero(~(scores < threshold))
