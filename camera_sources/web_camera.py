"""http:// and https://: cameras that send Motion JPEG, or a picture whenever they are asked."""

from __future__ import annotations

import http.client
import selectors
import time
from typing import TYPE_CHECKING

from camera_sources.decoding import decode_picture
from camera_sources.locator import Locator
from camera_sources.multipart import PICTURE_CAP_BYTES, Parts, boundary_of
from camera_sources.source import OPENING_S, Grab, LiveSource, no_picture_for, silence_s
from camera_sources.web_client import WebClient
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from camera_sources.settings import CameraSettings

CHUNK_BYTES = 64 * 1024
"""Read at once: a picture is some of these."""

SUPERSEDED_CAP = 16
"""Pictures that are passed over at once because newer ones have come; then one is shown, however old it is."""

SNAPSHOT_FPS = 1.0
"""How often a picture is asked for where the settings do not say."""


class WebCamera(LiveSource):
    """What the camera is, it says by its Content-Type, if the settings do not."""

    def __init__(self, settings: CameraSettings) -> None:
        """Raises ConfigurationError for a URL without a host."""
        self._locator = Locator.parse(settings.source.get_secret_value())
        self._kind = settings.kind
        self._interval_s = 1 / (settings.fps or SNAPSHOT_FPS)
        self._silence_s = silence_s(settings.stale_after)

    def grabs(self) -> Generator[Grab, None, None]:
        """Motion JPEG, or snapshots one after the other."""
        with WebClient(self._locator) as client:
            response = client.get(time.monotonic() + max(OPENING_S, self._silence_s))
            said = response.headers.get("Content-Type", "")
            kind = said.partition(";")[0].strip().lower()
            if self._kind == "mjpeg" or (self._kind == "auto" and kind.startswith("multipart/")):
                yield from self._stream(client, response, Parts(boundary_of(said)))
            elif self._kind == "snapshot" or kind.startswith("image/"):
                yield from self._poll(client, response)
            else:
                kind = kind[:60] or "nothing named"
                raise SourceError(f"codec not decodable: it sends {kind}, neither MJPEG nor a picture")

    def _stream(
        self, client: WebClient, response: http.client.HTTPResponse, parts: Parts
    ) -> Generator[Grab, None, None]:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            while True:
                body = self._newest(client, response, parts, lambda: bool(selector.select(0)))
                yield Grab(time.time(), lambda: decode_picture(body))  # noqa: B023  (decoded before the next)

    def _newest(
        self, client: WebClient, response: http.client.HTTPResponse, parts: Parts, more: Callable[[], bool]
    ) -> bytes:
        """The next picture; if others wait behind it already, the last of them."""
        until = time.monotonic() + self._silence_s
        newest, passed_over = b"", 0
        while not newest or (more() and passed_over < SUPERSEDED_CAP):
            client.allow_until(until)
            data = self._read(response)
            if not data:
                if newest:
                    break
                raise SourceError("the stream ended")
            if not newest and time.monotonic() > until:
                raise SourceError(no_picture_for(self._silence_s))
            found = parts.feed(data)
            passed_over += len(found)
            newest = found[-1] if found else newest
        return newest

    def _poll(self, client: WebClient, response: http.client.HTTPResponse) -> Generator[Grab, None, None]:
        asked = time.monotonic()
        while True:
            body = self._whole(client, response, asked + self._silence_s)
            yield Grab(time.time(), lambda: decode_picture(body))  # noqa: B023  (decoded before the next)
            begun = time.monotonic()
            time.sleep(max(0.0, min(asked + self._interval_s - begun, self._silence_s / 2)))
            asked = time.monotonic()
            response = client.get(begun + self._silence_s)

    def _whole(self, client: WebClient, response: http.client.HTTPResponse, until: float) -> bytes:
        """All of an answer, within its time; the connection is then ready for the next."""
        body, length = bytearray(), response.length
        while length is None or len(body) < length:
            client.allow_until(until)
            data = self._read(response, CHUNK_BYTES if length is None else min(CHUNK_BYTES, length - len(body)))
            if not data:
                break
            if time.monotonic() > until:
                raise SourceError(no_picture_for(self._silence_s))
            body += data
            if len(body) > PICTURE_CAP_BYTES:
                raise SourceError(f"a picture has more than {PICTURE_CAP_BYTES // 2**20} MiB, or never ends")
        response.close()
        return bytes(body)

    def _read(self, response: http.client.HTTPResponse, most: int = CHUNK_BYTES) -> bytes:
        try:
            return response.read1(most)
        except TimeoutError:
            raise SourceError(no_picture_for(self._silence_s)) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise SourceError("the connection broke off") from None
