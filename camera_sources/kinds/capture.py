"""Opens streams and files with FFmpeg inside OpenCV, and decodes grabbed pictures."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.pictures.image_decoding import reduction_for
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.model.arrays import Pixels

FFMPEG_OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
USER_FFMPEG_OPTIONS = os.environ.get(FFMPEG_OPTIONS_VARIABLE, "")
"""Options of FFmpeg that the user has set; they replace ours."""


class _FfmpegOptions:
    """Sets FFmpeg's options, which are global for the process.

    Sources with the same options can be opened at the same time; those with other options wait.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._options = ""
        self._openings = 0

    @contextmanager
    def holding(self, options: str) -> Iterator[None]:
        """Put these options into the environment until the context ends; "" stands for no options."""
        with self._turn:
            self._turn.wait_for(lambda: not self._openings or self._options == options)
            self._options = options
            self._openings += 1
            if options:
                os.environ[FFMPEG_OPTIONS_VARIABLE] = options
        try:
            yield
        finally:
            with self._turn:
                self._openings -= 1
                if not self._openings:
                    os.environ.pop(FFMPEG_OPTIONS_VARIABLE, None)
                    self._turn.notify_all()


_ffmpeg_options = _FfmpegOptions()


def open_with_ffmpeg(
    location: str, options: Mapping[str, str] | None = None, limits: Sequence[int] = ()
) -> cv2.VideoCapture:
    """Return a capture, whether opening it succeeded or not. `limits` are OpenCV properties, each with its value.

    FFmpeg reads its `options` from the environment. They are removed after opening, because a recording that is opened
    with the options of a live stream loses most of its pictures, and because child processes would inherit them.
    """
    ours = "|".join(f"{name};{value}" for name, value in (options or {}).items())
    with nullcontext() if USER_FFMPEG_OPTIONS else _ffmpeg_options.holding(ours):
        return cv2.VideoCapture(location, cv2.CAP_FFMPEG, list(limits))


def check_video_size(capture: cv2.VideoCapture) -> None:
    """Check the size of an opened video before a picture of it is decoded. Raises LargePictureError."""
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    reduction_for(max(width, 0), max(height, 0))


def decode_grabbed(capture: cv2.VideoCapture) -> Pixels:
    """Return the picture that was grabbed last, uint8 BGR (H, W, 3). Raises SourceError if it cannot be decoded."""
    try:
        decoded, picture = capture.retrieve()
    except cv2.error:
        decoded, picture = False, None
    if not decoded or picture is None or picture.ndim != 3:
        raise SourceError("codec not decodable")
    return cast("Pixels", picture)
