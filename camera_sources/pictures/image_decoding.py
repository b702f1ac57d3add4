"""Decodes JPEG, PNG, BMP and WebP, and checks a picture's size before it is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from camera_sources.pictures.picture_size import picture_size_of
from camera_sources.source import NoPictureError
from shared.errors import SourceError
from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

MAX_PIXELS = 2**26
"""The most pixels of a picture: 67 million, more than a camera of 64 megapixels has. A PNG of them takes 200 MB."""

REDUCTIONS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""OpenCV's flags by the factor by which a picture is made smaller while it is decoded.

A JPEG then only takes the memory of the smaller picture.
"""


class LargePictureError(SourceError):
    """A picture that is too large to decode."""


def decode_picture(data: bytes) -> Pixels:
    """Return the picture, uint8 BGR (H, W, 3); a picture that is too large for a frame is halved until it fits.

    Raises NoPictureError and LargePictureError, with messages that can follow the name of a camera.
    """
    size = picture_size_of(data)
    if size is None:
        raise NoPictureError("codec not decodable: the data is not a picture")
    scale = reduction_for(*size)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCTIONS[scale])
    except cv2.error:
        picture = None
    if picture is None or picture.ndim != 3 or picture.size == 0:
        raise NoPictureError("codec not decodable: the data is not a picture")
    return cast("Pixels", picture)


def reduction_for(width: int, height: int) -> int:
    """Return the factor by which to reduce a picture so that it fits into a frame. Raises LargePictureError."""
    if width * height <= MAX_PIXELS:
        for scale in REDUCTIONS:
            smaller = -(-width // scale), -(-height // scale)
            if max(smaller) <= MAX_PICTURE_SIDE and 3 * smaller[0] * smaller[1] <= MAX_PAYLOAD_BYTES[MessageKind.FRAME]:
                return scale
    raise LargePictureError(
        f"its pictures of {width}x{height} pixels are too large: at most {MAX_PIXELS // 10**6} million pixels, and "
        f"{max(REDUCTIONS) * MAX_PICTURE_SIDE} a side, can be decoded; make them smaller"
    )
