"""Splits a stream into pictures: Motion JPEG, which cameras send as multipart/x-mixed-replace. Pure.

A JPEG's own markers show its beginning and end. The boundaries and lengths around it are often wrong or missing, so
they are used only for pictures in other formats.
"""

from __future__ import annotations

import re

from camera_sources.pictures.picture_end import JPEG_START, JpegWalk
from shared.errors import SourceError

MAX_PICTURE_BYTES = 32 * 1024 * 1024
"""The largest size of a picture: ten times that of the largest JPEG of a camera."""

MAX_JUNK_BYTES = 1024 * 1024
"""A picture must begin within this many bytes; the headers before it have only a few lines."""

OTHER_FORMATS = (b"\x89PNG", b"RIFF", b"BM")
"""First bytes of pictures in other formats, which end at the next boundary."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")


def boundary_of(content_type: str) -> bytes:
    """Return the boundary in a Content-Type, with two leading dashes; empty if there is none.

    Other dashes around it are removed, as cameras do not agree on them.
    """
    match = re.search(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', content_type, re.IGNORECASE)
    mark = (match[1] or match[2]).strip("-").encode("latin-1", "replace") if match else b""
    return b"--" + mark if mark else b""


class PictureStreamParser:
    """Splits received bytes into pictures; an incomplete picture becomes empty bytes, so that it can be counted."""

    def __init__(self, boundary: bytes = b"") -> None:
        self._boundary = boundary
        self._buffer = bytearray()
        self._walk: JpegWalk | None = None
        self._searched = 0
        self._ends_seen = False
        """Some cameras never send the end marker. If one was seen, a JPEG without it is incomplete."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pictures that these bytes complete. Raises SourceError for too many bytes without a picture."""
        self._buffer += data
        found = []
        while (body := self._next()) is not None:
            found.append(body)
        if self._walk is None and not self._holds_other_format() and len(self._buffer) > MAX_JUNK_BYTES:
            raise SourceError("codec not decodable: the data is not a picture")
        if len(self._buffer) > MAX_PICTURE_BYTES:
            raise SourceError(f"a picture has more than {MAX_PICTURE_BYTES // 2**20} MiB, or no end")
        return found

    def _next(self) -> bytes | None:
        if self._walk is None:
            start = self._buffer.find(JPEG_START)
            other = self._next_other_format(start)
            if other is not None:
                return other
            if start < 0 or self._holds_other_format():
                return None
            self._discard(start)
            self._walk = JpegWalk()
        end = self._walk.find_end(self._buffer)
        if end is None:
            return None
        picture = bytes(self._buffer[: end.place])
        self._discard(max(end.place, len(JPEG_START) - 1))
        self._walk = None
        self._ends_seen |= end.whole
        return picture if end.whole or not self._ends_seen else b""

    def _next_other_format(self, start: int) -> bytes | None:
        """Return the first part if it is complete and not a JPEG. `start` is the position of the next JPEG, or -1."""
        body = self._body_start()
        if body is None:
            return None
        end = self._buffer.find(self._boundary, max(body, self._searched))
        if end < 0:
            self._searched = max(body, len(self._buffer) - len(self._boundary))
            return None
        if 0 <= start < end and not self._holds_other_format():
            return None
        part = bytes(self._buffer[body:end]).rstrip(b"\r\n-")
        self._discard(end)
        return part

    def _body_start(self) -> int | None:
        """Return the position of the first part's content, behind the boundary and headers; None if not received."""
        begin = self._buffer.find(self._boundary, 0, MAX_JUNK_BYTES) if self._boundary else -1
        head_end = _HEAD_END.search(self._buffer, begin, begin + MAX_JUNK_BYTES) if begin >= 0 else None
        return head_end.end() if head_end else None

    def _holds_other_format(self) -> bool:
        body = self._body_start()
        return body is not None and self._buffer.startswith(OTHER_FORMATS, body)

    def _discard(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0
