"""The interface of all camera sources, also of those that third parties add.

A third party adds a source by an entry point in the group `deepthings.camera_sources`, whose name is the scheme of the
URL. It is called with CameraSettings, and returns a Source that is not connected yet. A recording waits for its reader;
a live source does not.
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

# OpenCV and FFmpeg would print many lines about every broken file; our errors have the reason.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

FOOTAGE = Path(__file__).parent / "footage" / "vtest-clip.mp4"
"""The video that comes with the project."""

OPENING_S = 5.0
"""A camera on the local network that has not begun to answer within this time is not reachable."""

LONGEST_SILENCE_S = 30.0
"""A silent stream is opened again after this time, even if stale_after is longer: the connection may be broken."""


class NoPictureError(SourceError):
    """The data is not a picture, or a broken one; the next picture may be good."""


class WrongPasswordError(SourceError):
    """A camera refuses our password. Many cameras lock the user out after a few attempts."""

    def __init__(self, reason: str = "wrong password") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Grab:
    """A picture of a live source: the time when it was grabbed (seconds since 1970), and a function that decodes it.

    `decode` returns uint8 BGR (H, W, 3). Call it before the next picture is grabbed. It raises NoPictureError for a
    broken picture, and SourceError when the source has failed.
    """

    captured_at: float
    decode: Callable[[], Pixels]
    late_s: float = 0.0
    """Its age in seconds when it was grabbed, if known: if large, this device is too slow for the stream."""


class Source(ABC):
    """A recording, or another source that waits for its reader."""

    fps: float
    """Pictures per second of the recording."""

    @abstractmethod
    def pictures(self) -> Iterator[Pixels]:
        """Yield all pictures once, uint8 BGR (H, W, 3). Raises SourceError when one cannot be read."""


class LiveSource(Source):
    """A camera: pictures that are not read in time are lost, and those that are read are current."""

    fps = 0.0
    """The rate of a camera is not known before it is read."""

    opening_s = 2 * OPENING_S
    """Longest time, in seconds, to connect to the camera and, if that fails, to find out why."""

    @abstractmethod
    def grabs(self) -> Generator[Grab, None, None]:
        """Connect, then yield each picture when it comes, but no old ones; closing the generator disconnects.

        Raises SourceError with a reason that can follow the camera's name: "wrong password", "not reachable", "no
        picture for 5 s". After that it may be called again, and connects again. Each wait must end by itself: for the
        first picture within `opening_s`, for others within `stale_after`; otherwise the agent's process is ended.
        """

    def pictures(self) -> Iterator[Pixels]:
        with closing(self.grabs()) as grabs:
            for grab in grabs:
                yield grab.decode()


def silence_s(stale_after_s: float) -> float:
    """Return the seconds without a picture after which a live source closes its connection, before it is stale."""
    return min(0.8 * stale_after_s, LONGEST_SILENCE_S)


def no_picture_for(seconds: float) -> str:
    """Return the reason to report when no picture has come for this many seconds."""
    return f"no picture for {seconds:.0f} s" if seconds >= 1.5 else f"no picture for {seconds:.1f} s"
