"""Pictures out of bytes: JPEG, PNG and what else OpenCV knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from shared.errors import SourceError

if TYPE_CHECKING:
    from shared.letterbox import Pixels


def decode_picture(data: bytes) -> Pixels:
    """uint8 BGR (H, W, 3). Raises SourceError when the bytes are no picture."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise SourceError("codec not decodable: what it sends is no picture")
    return cast("Pixels", picture)
