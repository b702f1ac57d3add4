"""Codes pixels for a slow link: as PNG, without loss, in about half of the bytes.

A fast setting is used. With pictures of cameras, stronger compression takes twice as long, and gives the same size.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import Array, Pixels

_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)

_HEADER = struct.Struct(">8sI4sIIBB")
"""The signature, the length and name of the first chunk, width, height, bits, and kind of colour."""

_SIGNATURE, _FIRST_CHUNK, _BITS, _RGB = b"\x89PNG\r\n\x1a\n", (13, b"IHDR"), 8, 2
"""The values that these fields have in our pictures; all others are refused."""


def encode_png(pixels: Pixels) -> Array:
    """Return the PNG, uint8 (bytes,), of pixels, uint8 (h, w, 3), which must be at least one."""
    coded, data = cv2.imencode(".png", pixels, _FAST)
    assert coded, "pixels of this type can always be coded"
    return data.reshape(-1)


def decode_png(data: Array, height: int, width: int) -> Pixels | None:
    """Return the pixels of a PNG, uint8 (height, width, 3); None for other data, and for another size.

    The size is checked before memory for the pixels is allocated.
    """
    if data.size < _HEADER.size:
        return None
    signature, length, chunk, wide, high, bits, colour = _HEADER.unpack(data[: _HEADER.size].tobytes())
    if (signature, (length, chunk), bits, colour) != (_SIGNATURE, _FIRST_CHUNK, _BITS, _RGB):
        return None
    if (high, wide) != (height, width):
        return None
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if pixels is None or pixels.shape != (height, width, 3) else pixels.astype(np.uint8, copy=False)
