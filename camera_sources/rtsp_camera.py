"""rtsp:// and rtsps://: most cameras of today, decoded by FFmpeg inside OpenCV."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import cv2

from camera_sources.capture import refuse_too_large, retrieve
from camera_sources.locator import Locator
from camera_sources.rtsp_inquiry import INQUIRY_S, ask_why
from camera_sources.source import OPENING_S, Grab, LiveSource, no_picture_for, silence_s
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from camera_sources.settings import CameraSettings

CAPTURE_OPTIONS = {
    "rtsp_transport": "tcp",  # lost packets of UDP are torn pictures
    "probesize": "200000",  # bytes; by default opening takes 3 s
    "analyzeduration": "500000",  # microseconds
    "fflags": "nobuffer",
}
"""For FFmpeg, which reads them from the environment at the first opening."""

LATE = 0.9
"""A read that took this part of its time-out has run into it: what it returns all the same is old."""


class RtspCamera(LiveSource):
    """Reads are interrupted by FFmpeg itself; where even that hangs, the process ends.

    A camera shows nothing before its first key frame: stale_after must be longer than from one to the next.
    """

    opening_s = OPENING_S + INQUIRY_S + 1.0

    def __init__(self, settings: CameraSettings) -> None:
        """Raises ConfigurationError for a URL without a host."""
        self._locator = Locator.parse(settings.source.get_secret_value())
        self._silence_s = silence_s(settings.stale_after)

    def grabs(self) -> Generator[Grab, None, None]:
        capture = self._open()
        try:
            while True:
                begun = time.monotonic()
                there = capture.grab()
                grabbed_at, took_s = time.time(), time.monotonic() - begun
                if took_s > LATE * self._silence_s:
                    raise SourceError(no_picture_for(self._silence_s))
                if not there:
                    raise SourceError("the stream ended")
                yield Grab(grabbed_at, lambda: retrieve(capture))
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        options = "|".join(f"{name};{value}" for name, value in CAPTURE_OPTIONS.items())
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", options)
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPENING_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(self._silence_s * 1e3),
        ]  # fmt: skip
        capture = cv2.VideoCapture(self._locator.full, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise SourceError(ask_why(self._locator))
        refuse_too_large(capture)
        return capture
