"""Gets one picture of a camera within a bounded time, to check that it works."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from camera_sources.open_source import open_source
from camera_sources.pictures.view import turn_and_crop
from camera_sources.urls.redaction import UrlSecrets
from shared.errors import DeepThingsError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels

PICTURE_TIMEOUT_S = 20.0
"""Timeout of the first picture; finding out why there is none takes up to 15 s."""


class HangingError(SourceError):
    """No picture came in time, and the waiting thread cannot be stopped: the process must end."""


def first_pictures(
    cameras: Mapping[str, CameraSettings], within_s: float = PICTURE_TIMEOUT_S
) -> dict[str, Pixels | DeepThingsError]:
    """Return, for each camera, a picture or the error. All cameras are opened at the same time.

    A thread of a camera whose driver hangs goes on until the process ends.
    """
    found: dict[str, Pixels | DeepThingsError] = {}

    def attempt(name: str) -> None:
        try:
            found[name] = first_picture(cameras[name])
        except DeepThingsError as error:
            found[name] = error

    threads = [threading.Thread(target=attempt, args=(name,), daemon=True) for name in cameras]
    for thread in threads:
        thread.start()
    until = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = HangingError(f"no picture within {within_s:g} s")
    return {name: found.get(name, late) for name in cameras}


def first_picture(settings: CameraSettings) -> Pixels:
    """Connect and return one picture, turned and cropped, uint8 BGR (H, W, 3).

    Raises SourceError and ConfigurationError, whose messages contain no secrets.
    """
    try:
        with closing(open_source(settings).pictures()) as pictures:  # type: ignore[type-var]  # all are generators
            picture = next(pictures)
    except StopIteration:
        raise SourceError("it sends no picture") from None
    except DeepThingsError:
        raise
    except Exception as error:
        # A source may be third-party code: its message may contain the password.
        text = UrlSecrets(settings.source.get_secret_value()).redact(str(error))
        raise SourceError(f"the source failed: {text or type(error).__name__}") from error
    return turn_and_crop(picture, settings.rotate, settings.crop)
