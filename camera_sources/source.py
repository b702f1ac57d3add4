"""Where frames come from: the contract of all sources, also of those that third parties add.

A source is made of CameraSettings by what the entry point group `deepthings.camera_sources` has for the scheme of its
URL; making it does not connect. A recording waits for its reader; a live source does not.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from shared.model.arrays import Pixels

# OpenCV and FFmpeg would write about every broken file to the terminal; errors here say it in one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

FOOTAGE = Path(__file__).parent / "footage" / "vtest-clip.mp4"
"""The clip that comes with the project."""

OPENING_S = 5.0
"""A camera on the local network that has not begun to answer by then is not reachable."""

LONGEST_SILENCE_S = 30.0
"""A stream that has given nothing for so long is opened again, however patient stale_after is: it may be dead."""


class NoPictureError(SourceError):
    """What came is no picture, or a broken one; the next may be a good one."""


class WrongPasswordError(SourceError):
    """A camera refuses our password. Asking again soon makes many cameras lock the user out."""

    def __init__(self, reason: str = "wrong password") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Grab:
    """A picture of a live source: when it was grabbed (seconds since 1970), and how to decode it if it is wanted.

    It must be decoded before the next one is grabbed: uint8 BGR (H, W, 3). Raises NoPictureError for a broken one, and
    SourceError when the source has failed.
    """

    captured_at: float
    decode: Callable[[], Pixels]
    late_s: float = 0.0
    """How old it was when it was grabbed, where that is known: much of it means that this device is too slow."""


class Source(ABC):
    """A recording, or something like one: it waits for its reader."""

    fps: float
    """Pictures per second, as the source has it."""

    @abstractmethod
    def pictures(self) -> Iterator[Pixels]:
        """The pictures once through, uint8 BGR (H, W, 3). Raises SourceError when one cannot be had."""


class LiveSource(Source):
    """A camera: what is not read in time is gone, and what is read is new."""

    fps = 0.0
    """Not known before it is read."""

    opening_s = 2 * OPENING_S
    """Connecting to the camera, and finding out why that fails, ends by itself within this time."""

    @abstractmethod
    def grabs(self) -> Generator[Grab, None, None]:
        """Connect, then give every picture as it comes, and never one from before; closing it disconnects.

        Raises SourceError with a reason that fits behind the camera's name: "wrong password", "not reachable", "no
        picture for 5 s". It may be called again afterwards, and connects anew. Each wait ends by itself: for the first
        picture within `opening_s`, for others within `stale_after`. Who does not keep to it loses his process.
        """

    def pictures(self) -> Iterator[Pixels]:
        with closing(self.grabs()) as grabs:
            for grab in grabs:
                yield grab.decode()


def silence_s(stale_after_s: float) -> float:
    """Seconds without a picture after which a live source gives its connection up: a little before it is stale."""
    return min(0.8 * stale_after_s, LONGEST_SILENCE_S)


def no_picture_for(seconds: float) -> str:
    """The reason for that."""
    return f"no picture for {seconds:.0f} s" if seconds >= 1.5 else f"no picture for {seconds:.1f} s"
