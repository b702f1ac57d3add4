"""A folder of pictures as a camera."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING

from camera_sources.pictures.image_decoding import LargePictureError, decode_picture
from camera_sources.pictures.picture_end import is_complete_picture
from camera_sources.source import NoPictureError, Source
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.model.arrays import Pixels

log = logging.getLogger(__name__)

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})

MAX_PICTURE_FILE_BYTES = 256 * 2**20
"""The largest size of a picture file: slightly more than a BMP of the largest decodable picture has."""


class PictureFolder(Source):
    """Plays the pictures of a folder in the order of their names, one a second."""

    fps = 1.0

    def __init__(self, folder: Path) -> None:
        """Check the folder. Raises SourceError if it contains no picture."""
        self._folder = folder
        self._left_out: dict[Path, str] = {}
        if not self._paths():
            raise SourceError(f"folder {folder} contains no pictures ({', '.join(sorted(PICTURE_ENDINGS))})")

    def pictures(self) -> Iterator[Pixels]:
        """Yield every readable picture; others are logged once and skipped."""
        found = False
        paths = self._paths()
        self._left_out = {path: reason for path, reason in self._left_out.items() if path in set(paths)}
        for path in paths:
            try:
                picture = read_picture(path)
            except SourceError as error:
                if self._left_out.get(path) != str(error):
                    log.warning("%s; it is skipped", error)
                self._left_out[path] = str(error)
                continue
            self._left_out.pop(path, None)
            found = True
            yield picture
        if not found:
            raise SourceError(f"none of the pictures in {self._folder} can be read")

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
        except OSError as error:
            raise SourceError(f"folder {self._folder} cannot be read: {error.strerror}") from error


def read_picture(path: Path) -> Pixels:
    """Return one picture, uint8 BGR (H, W, 3). Raises SourceError if it is missing, not a picture, or too large."""
    data = _read_file(path)
    if not is_complete_picture(data):
        raise NoPictureError(f"picture {path} cannot be decoded: it is broken, or not completely written yet")
    try:
        return decode_picture(data)
    except NoPictureError:
        raise NoPictureError(f"picture {path} cannot be decoded: it is broken, or not a picture") from None
    except LargePictureError as error:
        raise LargePictureError(f"picture {path} cannot be decoded: {error}") from None


def _read_file(path: Path) -> bytes:
    """Return a file's content. Raises SourceError, also for a pipe or a device, which could block for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError(f"picture {path} does not exist; name a picture file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"picture {path} cannot be read: {reason}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"picture {path} cannot be read: it is not a regular file")
    with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor)
        try:
            data = file.read(MAX_PICTURE_FILE_BYTES + 1)
        except OSError as error:
            raise SourceError(f"picture {path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_PICTURE_FILE_BYTES:
        raise SourceError(f"picture {path} cannot be read: it has more than {MAX_PICTURE_FILE_BYTES // 2**20} MiB")
    return data
