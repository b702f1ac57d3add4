"""Type aliases for arrays and their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int, ...]
"""Lengths of the axes of an array; those of a feature map are (N, C, H, W) with N = 1."""

Array = np.ndarray[Shape, np.dtype[Any]]

FloatArray = np.ndarray[Shape, np.dtype[np.float32]]

FeatureMap = FloatArray
"""A feature map, or a tile's part of one, (1, C, H, W)."""

Pixels = np.ndarray[Shape, np.dtype[np.uint8]]
"""A picture in BGR, or a tile of the network's input, (H, W, 3)."""
