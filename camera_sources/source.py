"""Where frames come from."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.letterbox import Pixels

# FFmpeg would write about every broken file to the terminal; errors here say it in one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

FOOTAGE = Path(__file__).parent / "footage" / "vtest-clip.mp4"
"""The clip that comes with the project."""


class Source(ABC):
    """A camera, or something like one."""

    fps: float
    """Pictures per second, as the source has it."""

    @abstractmethod
    def pictures(self) -> Iterator[Pixels]:
        """The pictures once through, uint8 BGR (H, W, 3). Raises SourceError when one cannot be had."""


def open_source(uri: str) -> Source:
    """A video file or a folder of pictures, by path or file:// URI.

    Raises SourceError when it is not there or cannot be read, ConfigurationError for another kind of URI.
    """
    from camera_sources.picture_folder import PictureFolder  # noqa: PLC0415  (they need this module)
    from camera_sources.video_file import VideoFile  # noqa: PLC0415

    parsed = urlparse(uri)
    if parsed.scheme not in {"", "file"}:
        raise ConfigurationError(
            f"camera source {parsed.scheme}://... is not supported by this release; name a video file or a folder"
        )
    path = Path(unquote(parsed.path)) if parsed.scheme else Path(uri)
    if not path.exists():
        raise SourceError(f"camera source {path} does not exist; name a video file or a folder of pictures")
    return PictureFolder(path) if path.is_dir() else VideoFile(path)
