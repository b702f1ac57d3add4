"""What OpenCV has grabbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.decoding import scale_for
from shared.errors import SourceError

if TYPE_CHECKING:
    from shared.letterbox import Pixels


def refuse_too_large(capture: cv2.VideoCapture) -> None:
    """Look at the size that an opened video has, before a picture of it is decoded. Raises LargePictureError."""
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    scale_for(max(width, 0), max(height, 0))


def retrieve(capture: cv2.VideoCapture) -> Pixels:
    """The picture that was grabbed last, uint8 BGR (H, W, 3). Raises SourceError when it cannot be decoded."""
    try:
        there, picture = capture.retrieve()
    except cv2.error:
        there, picture = False, None
    if not there or picture is None or picture.ndim != 3:
        raise SourceError("codec not decodable")
    return cast("Pixels", picture)
