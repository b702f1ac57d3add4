"""rtsp:// and rtsps://: most cameras of today, decoded by FFmpeg inside OpenCV."""

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
"""For FFmpeg."""

_TRANSPORT_OPTIONS = {
    "auto": {"rtsp_flags": "prefer_tcp"},  # UDP if the camera refuses it; lost packets of UDP are torn pictures
    "tcp": {"rtsp_transport": "tcp"},
    "udp": {"rtsp_transport": "udp"},
}

LATE_READ_SHARE = 0.9
"""A read that took this part of its time-out has run into it: what it returns all the same is old."""

MIN_UNREAD_BYTES = 4096
"""So much waits at least for a process that is late: it would else be the stream's own time that is wrong."""


class RtspCamera(LiveSource):
    """Reads are interrupted by FFmpeg itself; where even that hangs, the process ends.

    A camera shows nothing before its first key frame: stale_after must be longer than from one to the next. A device
    that is too slow for the stream gets ever older pictures, since none may be left out before it is decoded: then the
    stream is opened again, which begins with the newest.

    One thread decodes, which takes less of the processor than several and shows pictures sooner; a stream that is too
    much for it is opened again with as many as there are cores.
    """

    opening_s = 2 * (OPENING_S + INQUIRY_TIMEOUT_S) + 1.0

    def __init__(self, settings: CameraSettings) -> None:
        """Raises ConfigurationError for a URL without a host."""
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
        lag = StreamLag()
        while True:
            begun = time.monotonic()
            there = capture.grab()
            now = time.monotonic()
            if now - begun > LATE_READ_SHARE * self._silence_s:
                raise SourceError(no_picture_for(self._silence_s))
            if not there:
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
        """Return whether more waits to be read, as it does behind a late picture; where nobody knows, it may."""
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
