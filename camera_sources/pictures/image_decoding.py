"""Pictures out of bytes: JPEG, PNG, BMP and WebP, whose size is looked at before anything is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from camera_sources.pictures.picture_size import size_of
from camera_sources.source import NoPictureError
from shared.errors import SourceError
from shared.payloads.frames import LONGEST_SIDE
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

LARGEST_PIXELS = 2**26
"""67 million, more than phones' cameras of 64 megapixels have; 200 MB when a PNG of it is decoded."""

SCALES = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""How many times smaller a picture can be decoded, which a JPEG of that size is without ever being larger."""


class LargePictureError(SourceError):
    """A picture that is too large to decode."""


def decode_picture(data: bytes) -> Pixels:
    """Return the picture, uint8 BGR (H, W, 3); one that is too large for a frame is halved until it is not.

    Raises NoPictureError and LargePictureError, whose reasons fit behind the name of a camera.
    """
    size = size_of(data)
    if size is None:
        raise NoPictureError("codec not decodable: what it sends is no picture")
    scale = scale_for(*size)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), SCALES[scale])
    except cv2.error:
        picture = None
    if picture is None or picture.ndim != 3 or picture.size == 0:
        raise NoPictureError("codec not decodable: what it sends is no picture")
    return cast("Pixels", picture)


def scale_for(width: int, height: int) -> int:
    """Return how many times smaller a picture must be to be a frame. Raises LargePictureError."""
    if width * height <= LARGEST_PIXELS:
        for scale in SCALES:
            smaller = -(-width // scale), -(-height // scale)
            if max(smaller) <= LONGEST_SIDE and 3 * smaller[0] * smaller[1] <= MAX_PAYLOAD_BYTES[MessageKind.FRAME]:
                return scale
    raise LargePictureError(
        f"its pictures of {width}x{height} pixels are too large: at most {LARGEST_PIXELS // 10**6} million pixels, and "
        f"{max(SCALES) * LONGEST_SIDE} a side, can be decoded; make them smaller"
    )
