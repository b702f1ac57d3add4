"""clock://640x360: a camera that shows the time, once a second."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from camera_sources.source import Grab, LiveSource
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator

    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels


class Clock(LiveSource):
    """A live source: a picture that is not read in time is lost."""

    def __init__(self, settings: CameraSettings) -> None:
        """Read the settings; do not connect yet. Raise ConfigurationError for an invalid address."""
        size = re.fullmatch(r"clock://(\d{2,4})x(\d{2,4})", settings.source.get_secret_value())
        if size is None:
            raise ConfigurationError("invalid clock:// address; write for example clock://640x360")
        self._width, self._height = int(size[1]), int(size[2])

    def grabs(self) -> Generator[Grab, None, None]:
        """Connect here if there is something to connect to, then yield each picture when it is there."""
        while True:
            now = time.time()
            yield Grab(now, decode=partial(self._picture, now))
            time.sleep(1 - time.time() % 1)

    def _picture(self, now: float) -> Pixels:
        picture = np.full((self._height, self._width, 3), 90, np.uint8)
        text, place = time.strftime("%H:%M:%S", time.localtime(now)), (self._width // 10, self._height // 2)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, self._width / 200, (255, 255, 255), 2)
        return picture
