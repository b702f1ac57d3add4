"""/dev/videoN: cameras connected to this machine, through Video4Linux."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from camera_sources.kinds.capture import decode_grabbed
from camera_sources.source import Grab, LiveSource, no_picture_for, silence_s
from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from camera_sources.camera_settings import CameraSettings

MAX_BUFFERED_PICTURES = 1
"""Pictures that the driver keeps: only the newest."""


class UsbCamera(LiveSource):
    """Reads a Video4Linux device. A driver that hangs cannot be interrupted: then the agent's process is ended."""

    def __init__(self, settings: CameraSettings) -> None:
        """Read the path. Raises ConfigurationError if it is not a video device."""
        self._path = settings.source.get_secret_value()
        if not re.fullmatch(r"/dev/(video\d{1,3}|v4l/by-(id|path)/[\w.:+-]+)", self._path):
            raise ConfigurationError(
                f"camera source {self._path} is not a video device; write /dev/video0, /dev/v4l/by-id/..."
            )
        self._silence_s = silence_s(settings.stale_after)

    def grabs(self) -> Generator[Grab, None, None]:
        if not Path(self._path).exists():
            raise SourceError(f"not reachable: {self._path} does not exist")
        capture = cv2.VideoCapture(self._path, cv2.CAP_V4L2)
        try:
            if not capture.isOpened():
                raise SourceError(
                    f"{self._path} cannot be opened: it is not a camera, in use, or not permitted (group video)"
                )
            capture.set(cv2.CAP_PROP_BUFFERSIZE, MAX_BUFFERED_PICTURES)
            while True:
                begun = time.monotonic()
                grabbed = capture.grab()
                if time.monotonic() - begun > self._silence_s:
                    raise SourceError(no_picture_for(self._silence_s))
                if not grabbed:
                    raise SourceError("it sends no more pictures: unplugged, or in use")
                yield Grab(time.time(), lambda: decode_grabbed(capture))
        finally:
            capture.release()
