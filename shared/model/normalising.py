"""Turn pixels into the input of a network, by a table of the 256 values of every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FeatureMap, Pixels
    from shared.model.spec import Preprocessing


class PixelTable:
    """The float32 value of every pixel value, by channel, for one preprocessing.

    A look-up is five times as fast as the arithmetic, and gives the same bits.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        pixels = np.arange(256, dtype=np.float32)[:, np.newaxis]
        mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
        self._channels = np.ascontiguousarray(((pixels - mean) / std).T)

    def apply(self, pixels: Pixels) -> FeatureMap:
        """Convert uint8 (H, W, 3) to the network's float32 input (1, 3, H, W)."""
        planes = np.empty((1, 3, *pixels.shape[:2]), np.float32)
        for channel, plane in enumerate(cv2.split(pixels)):
            cv2.LUT(plane, self._channels[channel], planes[0, channel])
        return planes


def normalise(pixels: Pixels, preprocessing: Preprocessing) -> FeatureMap:
    """Convert uint8 (H, W, 3) to the network's float32 input (1, 3, H, W), as a stage's program does."""
    return PixelTable(preprocessing).apply(pixels)
