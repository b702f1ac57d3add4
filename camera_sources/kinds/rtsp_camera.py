"""rtsp:// and rtsps://: most network cameras, decoded by FFmpeg inside OpenCV."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import cv2

from camera_sources.kinds.capture import check_video_size, decode_grabbed, open_with_ffmpeg
from camera_sources.kinds.lag import LATE_S, StreamLag
from camera_sources.kinds.unread import unread_bytes
from camera_sources.rtsp.rtsp_inquiry import INQUIRY_TIMEOUT_S, RTSP_PORTS, check_login, no_stream_reason
from camera_sources.source import OPENING_S, Grab, LiveSource, no_picture_for, silence_s
from camera_sources.urls.locator import Locator
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from camera_sources.camera_settings import CameraSettings

CAPTURE_OPTIONS = {
    "probesize": "200000",  # bytes; by default opening takes 3 s
    "analyzeduration": "500000",  # microseconds
    "fflags": "nobuffer",
}
"""Options for FFmpeg, so that opening is quick and pictures are not delayed."""

_TRANSPORT_OPTIONS = {
    "auto": {"rtsp_flags": "prefer_tcp"},  # UDP only if the camera refuses TCP: its lost packets spoil pictures
    "tcp": {"rtsp_transport": "tcp"},
    "udp": {"rtsp_transport": "udp"},
}

LATE_READ_SHARE = 0.9
"""A read that took this share of its timeout has timed out; a picture that it returns anyway is old."""

MIN_UNREAD_BYTES = 4096
"""A process that reads too slowly has at least this much unread data; with less, the stream's own time is wrong."""


class RtspCamera(LiveSource):
    """Reads RTSP streams. FFmpeg limits its own waits; if it hangs nevertheless, the agent's process is ended.

    No picture comes before the first key frame, so stale_after must be longer than the time between key frames.
    Pictures cannot be skipped without decoding them, so on a device that is too slow for the stream, they get older and
    older. Then the stream is opened again, which begins with the newest picture.

    A single thread decodes, which uses less CPU and delays pictures less than several threads. If it is too slow, the
    stream is opened again with one thread for each core.
    """

    opening_s = 2 * (OPENING_S + INQUIRY_TIMEOUT_S) + 1.0

    def __init__(self, settings: CameraSettings) -> None:
        """Read the URL. Raises ConfigurationError if it has no host."""
        self._locator = Locator.parse(settings.source.get_secret_value())
        self._transport = settings.transport
        self._silence_s = silence_s(settings.stale_after)
        self._one_thread = True

    def grabs(self) -> Generator[Grab, None, None]:
        while True:
            capture = self._open()
            try:
                yield from self._until_late(capture)
            finally:
                capture.release()

    def _until_late(self, capture: cv2.VideoCapture) -> Generator[Grab, None, None]:
        """Yield pictures until they come so late that the stream must be opened again."""
        lag = StreamLag()
        while True:
            begun = time.monotonic()
            grabbed = capture.grab()
            now = time.monotonic()
            if now - begun > LATE_READ_SHARE * self._silence_s:
                raise SourceError(no_picture_for(self._silence_s))
            if not grabbed:
                raise SourceError("the stream ended")
            late_s = lag.lateness_s(now, capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
            if late_s > LATE_S and not self._has_unread():
                lag.reset()
                late_s = 0.0
            if late_s > LATE_S and self._one_thread:
                self._one_thread = False
                return
            yield Grab(time.time() - late_s, lambda: decode_grabbed(capture), late_s)
            if late_s > LATE_S:
                return

    def _has_unread(self) -> bool:
        """Return whether there is unread data, which confirms that pictures are late; True if it is not known."""
        unread = unread_bytes(self._locator.port or RTSP_PORTS[self._locator.scheme])
        return unread is None or unread >= MIN_UNREAD_BYTES or self._transport == "udp"

    def _open(self) -> cv2.VideoCapture:
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPENING_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(self._silence_s * 1e3),
        ]  # fmt: skip
        if self._one_thread:
            limits += [cv2.CAP_PROP_N_THREADS, 1]
        with check_login(self._locator, OPENING_S) or nullcontext() as inquiry:
            options = {**CAPTURE_OPTIONS, **_TRANSPORT_OPTIONS[self._transport]}
            capture = open_with_ffmpeg(self._locator.full, options, limits)
            if not capture.isOpened():
                capture.release()
                raise SourceError(no_stream_reason(self._locator, self._transport, inquiry))
        check_video_size(capture)
        return capture
