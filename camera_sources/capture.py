"""What OpenCV has grabbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2

from shared.errors import SourceError

if TYPE_CHECKING:
    from shared.letterbox import Pixels


def retrieve(capture: cv2.VideoCapture) -> Pixels:
    """The picture that was grabbed last, uint8 BGR (H, W, 3). Raises SourceError when it cannot be decoded."""
    try:
        there, picture = capture.retrieve()
    except cv2.error:
        there, picture = False, None
    if not there or picture is None or picture.ndim != 3:
        raise SourceError("codec not decodable")
    return cast("Pixels", picture)
