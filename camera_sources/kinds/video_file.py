"""A video file as a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.kinds.capture import check_video_size, open_with_ffmpeg
from camera_sources.source import Source
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.model.arrays import Pixels

PLAUSIBLE_FPS = (0.1, 240.0)
"""Bounds of the frame rates that are believed."""

FALLBACK_FPS = 10.0
"""The rate for files without a frame rate, or with an implausible one."""


class VideoFile(Source):
    """Plays a file in any format that FFmpeg inside OpenCV decodes."""

    def __init__(self, path: Path) -> None:
        """Open the file and decode its first picture. Raises SourceError."""
        self._path = path
        capture = self._open()
        try:
            if not capture.read()[0]:
                raise SourceError(f"video {path} contains no picture that can be decoded")
            fps = float(capture.get(cv2.CAP_PROP_FPS))
        finally:
            capture.release()
        self.fps = fps if PLAUSIBLE_FPS[0] <= fps <= PLAUSIBLE_FPS[1] else FALLBACK_FPS

    def pictures(self) -> Iterator[Pixels]:
        """Yield the pictures in order; an incomplete file ends where it breaks off."""
        capture = self._open()
        try:
            while True:
                decoded, picture = capture.read()
                if not decoded:
                    return
                yield cast("Pixels", picture)
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        one_thread = [cv2.CAP_PROP_N_THREADS, 1]  # each further thread keeps more decoded pictures in memory
        capture = open_with_ffmpeg(str(self._path), limits=one_thread)
        if not capture.isOpened():
            raise SourceError(f"video {self._path} cannot be decoded: it is broken, or not a video")
        check_video_size(capture)
        return capture
