"""A folder of pictures as a camera."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import cv2

from camera_sources.source import Source
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.letterbox import Pixels

log = logging.getLogger(__name__)

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class PictureFolder(Source):
    """One picture a second, in the order of their names."""

    fps = 1.0

    def __init__(self, folder: Path) -> None:
        """Raises SourceError when the folder holds no picture."""
        self._folder = folder
        if not self._paths():
            raise SourceError(f"folder {folder} holds no pictures ({', '.join(sorted(ENDINGS))})")

    def pictures(self) -> Iterator[Pixels]:
        """Every picture that can be read; others are named in the log and left out."""
        found = False
        for path in self._paths():
            try:
                yield read_picture(path)
                found = True
            except SourceError as error:
                log.warning("%s; left out", error)
        if not found:
            raise SourceError(f"none of the pictures in {self._folder} can be read")

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix.lower() in ENDINGS)
        except OSError as error:
            raise SourceError(f"folder {self._folder} cannot be read: {error.strerror}") from error


def read_picture(path: Path) -> Pixels:
    """One picture, uint8 BGR (H, W, 3). Raises SourceError when it is not there or not a picture."""
    if not path.is_file():
        raise SourceError(f"picture {path} does not exist")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"picture {path} cannot be decoded: it is broken, or no picture")
    return cast("Pixels", picture)
