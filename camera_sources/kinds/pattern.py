"""test://: computed pictures, for trials without a camera."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import cv2
import numpy as np

from camera_sources.source import Source
from shared.errors import ConfigurationError
from shared.payloads.frames import MAX_PICTURE_SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels

DEFAULT_PATTERN_FPS = 10.0
"""Frames a second of a pattern whose address names no rate."""

ROUND_FRAMES = 100
"""Frames for one round of the square."""


class Pattern(Source):
    """test://WIDTHxHEIGHT?fps=10: a white square moving in a circle over a colour gradient; every run is the same."""

    def __init__(self, settings: CameraSettings) -> None:
        """Read the URL. Raises ConfigurationError for an invalid size or rate."""
        url = settings.source.get_secret_value()
        match = re.fullmatch(r"test://(\d{1,5})x(\d{1,5})/?(?:\?(.*))?", url)
        self._size = (int(match[2]), int(match[1])) if match else (0, 0)
        try:
            self.fps = float(parse_qs(match[3] or "").get("fps", [str(DEFAULT_PATTERN_FPS)])[-1]) if match else 0.0
        except ValueError:
            self.fps = 0.0
        if not (min(self._size) >= 16 and max(self._size) <= MAX_PICTURE_SIDE and 0 < self.fps <= 240):
            raise ConfigurationError(
                "camera source test:// has an invalid size or frame rate; write for example test://640x360?fps=10"
            )

    def pictures(self) -> Iterator[Pixels]:
        number = 0
        while True:
            yield self._picture(number)
            number += 1

    def _picture(self, number: int) -> Pixels:
        height, width = self._size
        across, down = np.linspace(40, 160, width), np.linspace(40, 160, height)
        picture = np.empty((height, width, 3), np.uint8)
        picture[..., 0], picture[..., 1], picture[..., 2] = across, down[:, None], 90
        angle = 2 * np.pi * number / ROUND_FRAMES
        side = max(4, min(height, width) // 6)
        left = round(width / 2 + (width / 2 - side) * np.cos(angle) - side / 2)
        top = round(height / 2 + (height / 2 - side) * np.sin(angle) - side / 2)
        cv2.rectangle(picture, (left, top), (left + side, top + side), (255, 255, 255), cv2.FILLED)
        return picture
