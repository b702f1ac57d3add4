"""Rotates a picture, then crops it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from camera_sources.camera_settings import PicturePart
    from shared.model.arrays import Pixels

ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turn_and_crop(picture: Pixels, rotate: int, crop: PicturePart | None) -> Pixels:
    """Return the picture, uint8 (H, W, 3), turned clockwise by `rotate` degrees, then cropped; contiguous.

    `crop` is left, top, right, bottom in parts of the turned picture; pixels that are partly inside are included.
    """
    if rotate:
        picture = cast("Pixels", cv2.rotate(picture, ROTATIONS[rotate]))
    if crop is not None:
        height, width = picture.shape[:2]
        left, top, right, bottom = crop
        rows = slice(int(top * height), max(int(top * height) + 1, round_up(bottom * height)))
        columns = slice(int(left * width), max(int(left * width) + 1, round_up(right * width)))
        picture = picture[rows, columns]
    return np.ascontiguousarray(picture)


def round_up(pixels: float) -> int:
    """Return the number of pixels rounded up, but ignore a fraction that is only a rounding error."""
    return int(np.ceil(pixels - 1e-6))
