"""http:// and https://: cameras that send Motion JPEG, or one picture for each request."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from camera_sources.http.multipart import MAX_PICTURE_BYTES, PictureStreamParser, boundary_of
from camera_sources.http.web_client import WebClient
from camera_sources.kinds.inbox import PictureInbox
from camera_sources.pictures.image_decoding import decode_picture
from camera_sources.pictures.picture_end import is_complete_picture
from camera_sources.source import OPENING_S, Grab, LiveSource, no_picture_for, silence_s
from camera_sources.urls.locator import Locator
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from camera_sources.camera_settings import CameraSettings

MAX_CHUNK_BYTES = 64 * 1024
"""Bytes of one read; a picture takes several."""

SNAPSHOT_FPS = 1.0
"""Default rate at which snapshots are requested."""

STREAM_KINDS = ("multipart/", "video/x-motion-jpeg", "video/mjpeg", "video/x-jpeg")
"""Prefixes of the Content-Types of Motion JPEG."""

RECEIVER_STOP_TIMEOUT_S = 1.0
"""Time for the receiving thread to end after its connection is shut down."""


class WebCamera(LiveSource):
    """Reads Motion JPEG or snapshots, as the settings say, else by the Content-Type that the camera sends.

    A thread receives continuously, so that no old pictures wait in the connection for a slow reader.
    """

    def __init__(self, settings: CameraSettings) -> None:
        """Read the URL. Raises ConfigurationError if it has no host."""
        self._locator = Locator.parse(settings.source.get_secret_value())
        self._kind = settings.kind
        self._interval_s = 1 / (settings.fps or SNAPSHOT_FPS)
        self._silence_s = silence_s(settings.stale_after)
        self._patience_s = settings.stale_after

    def grabs(self) -> Generator[Grab, None, None]:
        """Yield pictures of Motion JPEG, or snapshots."""
        client, inbox = WebClient(self._locator), PictureInbox()
        receiving = threading.Thread(target=self._receive, args=(client, inbox), name="web camera", daemon=True)
        receiving.start()
        patience_s = max(OPENING_S, self._patience_s)
        try:
            while True:
                # The receiving thread reports a timeout sooner, unless single bytes keep coming.
                found = inbox.take_picture(patience_s)
                if found is None:
                    raise SourceError(no_picture_for(patience_s))
                patience_s = self._patience_s
                captured_at, body = found
                yield Grab(captured_at, lambda: decode_picture(body))  # noqa: B023  (decoded before the next)
        finally:
            client.abort()
            receiving.join(RECEIVER_STOP_TIMEOUT_S)

    def _receive(self, client: WebClient, inbox: PictureInbox) -> None:
        """Put every picture into the inbox until the camera fails or the client is aborted."""
        try:
            with closing(client):
                self._receive_pictures(client, inbox)
        except SourceError as error:
            inbox.fail(error)
        except Exception as error:  # noqa: BLE001  (raised again by the thread that reads the inbox)
            inbox.fail(SourceError(f"the source failed: {type(error).__name__}"))

    def _receive_pictures(self, client: WebClient, inbox: PictureInbox) -> None:
        response = client.get(time.monotonic() + max(OPENING_S, self._silence_s))
        content_type = response.headers.get("Content-Type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if self._kind == "mjpeg" or (self._kind == "auto" and kind.startswith(STREAM_KINDS)):
            self._stream(client, response, PictureStreamParser(boundary_of(content_type)), inbox)
        elif self._kind == "snapshot" or kind.startswith("image/"):
            self._poll(client, response, inbox)
        else:
            kind = kind[:60] or "data without a Content-Type"
            raise SourceError(f"codec not decodable: it sends {kind}, neither MJPEG nor a picture")

    def _stream(
        self, client: WebClient, response: http.client.HTTPResponse, parts: PictureStreamParser, inbox: PictureInbox
    ) -> None:
        until = time.monotonic() + self._silence_s
        while True:
            client.set_deadline(until)
            data = self._read_chunk(response)
            if not data:
                raise SourceError("the stream ended")
            for body in parts.feed(data):
                inbox.put_picture(time.time(), body)
                until = time.monotonic() + self._silence_s
            if time.monotonic() > until:
                raise SourceError(no_picture_for(self._silence_s))

    def _poll(self, client: WebClient, response: http.client.HTTPResponse, inbox: PictureInbox) -> None:
        requested_at = time.monotonic()
        while True:
            inbox.put_picture(time.time(), self._read_answer(client, response, requested_at + self._silence_s))
            begun = time.monotonic()
            if client.aborted.wait(max(0.0, min(requested_at + self._interval_s - begun, self._silence_s / 2))):
                return
            requested_at = time.monotonic()
            response = client.get(begun + self._silence_s)

    def _read_answer(self, client: WebClient, response: http.client.HTTPResponse, until: float) -> bytes:
        """Return the complete body of a response, received by `until`; then the connection is ready for a request."""
        body, length = bytearray(), response.length
        while length is None or len(body) < length:
            client.set_deadline(until)
            data = self._read_chunk(
                response, MAX_CHUNK_BYTES if length is None else min(MAX_CHUNK_BYTES, length - len(body))
            )
            if not data:
                break
            if time.monotonic() > until:
                raise SourceError(no_picture_for(self._silence_s))
            body += data
            if len(body) > MAX_PICTURE_BYTES:
                raise SourceError(f"a picture has more than {MAX_PICTURE_BYTES // 2**20} MiB, or no end")
        broken_off = length is not None and len(body) < length
        if broken_off or response.will_close:
            client.close()
        response.close()
        return b"" if broken_off and not is_complete_picture(bytes(body)) else bytes(body)

    def _read_chunk(self, response: http.client.HTTPResponse, max_bytes: int = MAX_CHUNK_BYTES) -> bytes:
        try:
            return response.read1(max_bytes)
        except TimeoutError:
            raise SourceError(no_picture_for(self._silence_s)) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise SourceError("the connection was interrupted") from None
