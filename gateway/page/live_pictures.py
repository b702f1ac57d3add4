"""Fetches pictures of cameras while browsers wait for them; each is fetched and encoded once for all viewers."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2

from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cluster.cluster_listener import FetchPicture
    from shared.model.arrays import Pixels

log = logging.getLogger(__name__)

MAX_LIVE_WIDTH, LIVE_QUALITY = 800, 70
"""Width in pixels and quality of a JPEG: enough for a column of a desktop's screen, and some 50 kB."""

LIVE_PERIOD_S = 0.2
"""Shortest time between two pictures of a camera."""

PICTURES_PER_S = 12.0
"""Pictures that are sent per second to all viewers together; with more viewers, each one gets fewer."""

FRESH_S = 1.0
"""A picture that is older is not sent to a new viewer, who then waits for the next one."""

IN_VAIN_S = 60.0
"""After a viewer has waited in vain, the next picture within this time is fetched and kept for the next request. A
camera with a still scene sends only two pictures a minute, and programs give up sooner."""

MAX_WATCHED_CAMERAS = 256
"""Cameras that are watched at the same time: as many as have a scene."""


@dataclass(frozen=True, slots=True)
class LivePicture:
    """The picture of a frame as JPEG, and its `view`, the frame as JSON. `at` is in monotonic seconds."""

    frame: str
    view: bytes
    jpeg: bytes
    at: float

    @property
    def body(self) -> bytes:
        """Return the body of a response: the length of the JSON (4 bytes, big-endian), the JSON, the JPEG."""
        return len(self.view).to_bytes(4, "big") + self.view + self.jpeg


class LivePictures:
    """Gives the next picture of a camera to all viewers that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[LivePicture]] = {}
        self._viewers: dict[str, int] = {}
        self._newest: dict[str, LivePicture] = {}
        self._due: dict[str, float] = {}
        self._in_vain_at: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wanted(self, camera: str) -> bool:
        """Return whether a picture of this camera is to be fetched now.

        It is if a viewer waits for one, or has waited in vain, and LIVE_PERIOD_S is over.
        """
        now = time.monotonic()
        in_vain = now - self._in_vain_at.get(camera, -math.inf) < IN_VAIN_S
        return (camera in self._waiting or in_vain) and camera not in self._tasks and now >= self._due.get(camera, 0.0)

    def newest(self, camera: str) -> LivePicture | None:
        """Return the last picture of a camera that was fetched, however old; None if there is none."""
        return self._newest.get(camera)

    async def next(self, camera: str, after: str, timeout_s: float) -> LivePicture | None:
        """Return the newest picture of a camera, if it is not that of the frame `after`, else the next one.

        None if none came within `timeout_s`.
        """
        newest = self._newest.get(camera)
        if newest is not None and newest.frame != after and time.monotonic() - newest.at < FRESH_S:
            return newest
        if camera not in self._waiting and len(self._waiting) >= MAX_WATCHED_CAMERAS:
            return None
        future = self._waiting.setdefault(camera, asyncio.get_running_loop().create_future())
        self._viewers[camera] = self._viewers.get(camera, 0) + 1
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except TimeoutError:
            if newest is None or time.monotonic() - newest.at >= IN_VAIN_S:
                self._in_vain_at[camera] = time.monotonic()
            return None
        finally:
            self._remove_viewer(camera, future)

    def _remove_viewer(self, camera: str, future: asyncio.Future[LivePicture]) -> None:
        """Remove a viewer; without viewers, no picture is wanted any more."""
        left = self._viewers.pop(camera, 1) - 1
        if left > 0:
            self._viewers[camera] = left
        elif self._waiting.get(camera) is future:
            del self._waiting[camera]

    def take(self, camera: str, frame: str, view: Callable[[], dict[str, Any]], fetch: FetchPicture) -> None:
        """Start to fetch the picture of a frame that is wanted; `view()` describes the frame."""
        period = max(LIVE_PERIOD_S, sum(self._viewers.values()) / PICTURES_PER_S)
        if len(self._due) > MAX_WATCHED_CAMERAS:
            self._due.clear()
            self._in_vain_at.clear()
        self._due[camera] = time.monotonic() + period
        task = self._tasks[camera] = asyncio.create_task(self._fetch(camera, frame, view(), fetch))
        task.add_done_callback(lambda _: self._tasks.pop(camera))

    async def _fetch(self, camera: str, frame: str, view: dict[str, Any], fetch: FetchPicture) -> None:
        try:
            jpeg = await asyncio.to_thread(encode_live, await fetch())
        except DeepThingsError as error:  # the owner is gone, or has the picture no more; the next frame is tried
            log.debug("no live picture of camera %s: %s", camera, error)
            return
        except Exception:  # a missing picture must not end the gateway
            log.exception("no live picture of camera %s", camera)
            return
        found = LivePicture(frame, json.dumps(view, separators=(",", ":")).encode(), jpeg, time.monotonic())
        future = self._waiting.pop(camera, None)
        self._in_vain_at.pop(camera, None)
        self._newest = {camera: found, **{name: other for name, other in self._newest.items() if name != camera}}
        while len(self._newest) > MAX_WATCHED_CAMERAS:
            self._newest.popitem()
        if future is not None and not future.done():
            future.set_result(found)

    async def close(self) -> None:
        """Cancel the pictures that are being fetched, and end the waiting of all viewers."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for future in self._waiting.values():
            future.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._newest.clear()


def encode_live(picture: Pixels) -> bytes:
    """Return a picture, uint8 BGR (H, W, 3), as JPEG, not wider than MAX_LIVE_WIDTH. It takes milliseconds."""
    height, width = picture.shape[:2]
    if width > MAX_LIVE_WIDTH:
        size = MAX_LIVE_WIDTH, max(1, round(height * MAX_LIVE_WIDTH / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, LIVE_QUALITY))
    return data.tobytes()
