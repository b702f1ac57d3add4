"""One picture of a camera, to see whether it can be had and what it shows; within a bounded time."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from camera_sources.open_source import open_source
from camera_sources.pictures.view import view
from camera_sources.urls.redaction import Secrets
from shared.errors import DeepThingsError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels

PICTURE_S = 20.0
"""For a picture of a camera; the slowest way to a reason why there is none takes 15 s."""


class HangingError(SourceError):
    """No picture came in time, and what waits for it cannot be ended: the process must be."""


def first_pictures(
    cameras: Mapping[str, CameraSettings], within_s: float = PICTURE_S
) -> dict[str, Pixels | DeepThingsError]:
    """Return a picture of each camera, or why there is none: all are opened at once.

    One whose driver hangs keeps its thread, which ends with the process.
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
    """Connect and return one picture as it is looked at: turned and cropped, uint8 BGR (H, W, 3).

    Raises SourceError and ConfigurationError, without a secret in their words.
    """
    try:
        with closing(open_source(settings).pictures()) as pictures:  # type: ignore[type-var]  # all are generators
            picture = next(pictures)
    except StopIteration:
        raise SourceError("it gives no picture") from None
    except DeepThingsError:
        raise
    except Exception as error:
        said = Secrets(settings.source.get_secret_value()).hide(str(error))  # a source may be anybody's code
        raise SourceError(f"the source failed: {said or type(error).__name__}") from error
    return view(picture, settings.rotate, settings.crop)
