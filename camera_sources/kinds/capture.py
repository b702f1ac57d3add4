"""Opening what FFmpeg inside OpenCV decodes, and what was grabbed of it."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.pictures.image_decoding import scale_for
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.model.arrays import Pixels

OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
USERS_OPTIONS = os.environ.get(OPTIONS_VARIABLE, "")
"""Whoever has set them wants these instead of ours."""


class _Environment:
    """FFmpeg's options: openings with the same ones go on at once, one with others waits for these."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._options = ""
        self._openings = 0

    @contextmanager
    def holding(self, options: str) -> Iterator[None]:
        """Have the environment hold these options, none if empty."""
        with self._turn:
            self._turn.wait_for(lambda: not self._openings or self._options == options)
            self._options = options
            self._openings += 1
            if options:
                os.environ[OPTIONS_VARIABLE] = options
        try:
            yield
        finally:
            with self._turn:
                self._openings -= 1
                if not self._openings:
                    os.environ.pop(OPTIONS_VARIABLE, None)
                    self._turn.notify_all()


_environment = _Environment()


def open_with_ffmpeg(
    location: str, options: Mapping[str, str] | None = None, limits: Sequence[int] = ()
) -> cv2.VideoCapture:
    """Return a capture, opened or not. `limits` are pairs of an OpenCV property and its value.

    FFmpeg reads its `options` from the environment: they are there for this opening alone, since a recording that is
    opened with those of a live stream loses most of its pictures, and since child processes inherit them.
    """
    ours = "|".join(f"{name};{value}" for name, value in (options or {}).items())
    with nullcontext() if USERS_OPTIONS else _environment.holding(ours):
        return cv2.VideoCapture(location, cv2.CAP_FFMPEG, list(limits))


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
