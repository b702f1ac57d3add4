"""Finding the source that a URI means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from camera_sources.picture_folder import PictureFolder
from camera_sources.video_file import VideoFile
from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from camera_sources.source import Source


def open_source(uri: str) -> Source:
    """A video file or a folder of pictures, by path or file:// URI.

    Raises SourceError when it is not there or cannot be read, ConfigurationError for another kind of URI.
    """
    parsed = urlparse(uri)
    if parsed.scheme not in {"", "file"}:
        raise ConfigurationError(
            f"camera source {parsed.scheme}://... is not supported by this release; name a video file or a folder"
        )
    path = Path(unquote(parsed.path)) if parsed.scheme else Path(uri)
    if not path.exists():
        raise SourceError(f"camera source {path} does not exist; name a video file or a folder of pictures")
    return PictureFolder(path) if path.is_dir() else VideoFile(path)
