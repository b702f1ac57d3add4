"""Where frames come from."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.letterbox import Pixels

# OpenCV and FFmpeg would write about every broken file to the terminal; errors here say it in one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

FOOTAGE = Path(__file__).parent / "footage" / "vtest-clip.mp4"
"""The clip that comes with the project."""


class Source(ABC):
    """A camera, or something like one."""

    fps: float
    """Pictures per second, as the source has it."""

    @abstractmethod
    def pictures(self) -> Iterator[Pixels]:
        """The pictures once through, uint8 BGR (H, W, 3). Raises SourceError when one cannot be had."""
