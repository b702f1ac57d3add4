"""Formulas that several families share. NaN and infinite values pass through; decode() drops them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray


def sigmoid(values: FloatArray) -> FloatArray:
    """Return the sigmoid of each value, float32."""
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def softmax(values: FloatArray) -> FloatArray:
    """Return the softmax over the last axis, float32."""
    weights = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float32)


def corners(centres: FloatArray, sizes: FloatArray) -> FloatArray:
    """Return boxes (N, 4) of centres (N, 2) as x, y and sizes (N, 2) as width, height."""
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def indices_reaching(scores: FloatArray, threshold: float) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Return the indices of `scores` (N,) that are not below the threshold.

    NaN counts as reaching it: decode() counts such a candidate as invalid, and the detector warns.
    """
    return np.flatnonzero(~(scores < threshold))
