"""Opening what FFmpeg inside OpenCV decodes, and what was grabbed of it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.decoding import scale_for
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.letterbox import Pixels

OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
USERS_OPTIONS = os.environ.get(OPTIONS_VARIABLE, "")
"""Whoever has set them wants these instead of ours."""

_opening = threading.Lock()


def open_with_ffmpeg(
    location: str, options: Mapping[str, str] | None = None, limits: Sequence[int] = ()
) -> cv2.VideoCapture:
    """Return a capture, opened or not. `limits` are pairs of an OpenCV property and its value.

    FFmpeg reads its `options` from the environment: they are there for this opening alone, since a recording that is
    opened with those of a live stream loses most of its pictures, and since child processes inherit them.
    """
    with _opening:
        if options and not USERS_OPTIONS:
            os.environ[OPTIONS_VARIABLE] = "|".join(f"{name};{value}" for name, value in options.items())
        try:
            return cv2.VideoCapture(location, cv2.CAP_FFMPEG, list(limits))
        finally:
            if not USERS_OPTIONS:
                os.environ.pop(OPTIONS_VARIABLE, None)


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
