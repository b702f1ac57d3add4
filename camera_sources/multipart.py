"""Taking a stream of pictures apart: multipart/x-mixed-replace, as MJPEG cameras send it. Pure."""

from __future__ import annotations

import re

from shared.errors import SourceError

PICTURE_CAP_BYTES = 32 * 1024 * 1024
"""The largest JPEG of a camera is a tenth of that."""

HEAD_CAP_BYTES = 16 * 1024
"""Headers of a part: a few lines."""

_LENGTH = re.compile(rb"^content-length\s*:\s*(\d{1,12})\s*$", re.IGNORECASE | re.MULTILINE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def boundary_of(content_type: str) -> bytes:
    """The mark between parts, without dashes: cameras do not agree on who writes them. Raises SourceError."""
    match = re.search(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', content_type, re.IGNORECASE)
    mark = (match[1] or match[2]).strip("-").encode("latin-1", "replace") if match else b""
    if not mark:
        raise SourceError("it sends multipart without saying where parts end")
    return b"--" + mark


class Parts:
    """Bytes in, bodies of whole parts out."""

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._buffer = bytearray()
        self._body: int | None = None
        self._length: int | None = None
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that these bytes complete. Raises SourceError when the stream cannot be what it should be."""
        self._buffer += data
        found = []
        while (body := self._next()) is not None:
            found.append(body)
        if len(self._buffer) > PICTURE_CAP_BYTES + HEAD_CAP_BYTES:
            raise SourceError(f"a picture has more than {PICTURE_CAP_BYTES // 2**20} MiB, or never ends")
        return found

    def _next(self) -> bytes | None:
        if self._body is None and not self._find_head():
            return None
        assert self._body is not None
        end = self._find_end(self._body)
        if end is None:
            return None
        body = bytes(self._buffer[self._body : end])
        del self._buffer[:end]
        self._body = self._length = None
        return body

    def _find_head(self) -> bool:
        """Pass over the boundary and the headers behind it."""
        begin = self._buffer.find(self._boundary)
        if begin < 0:
            if len(self._buffer) > HEAD_CAP_BYTES:
                raise SourceError("it sends multipart whose parts do not begin as it said")
            return False
        head_end = _HEAD_END.search(self._buffer, begin)
        if head_end is None:
            if len(self._buffer) - begin > HEAD_CAP_BYTES:
                raise SourceError("the headers of a picture never end")
            return False
        length = _LENGTH.search(self._buffer[begin : head_end.start()].replace(b"\r\n", b"\n"))
        self._length = int(length[1]) if length else None
        self._body = self._searched = head_end.end()
        if self._length is not None and self._length > PICTURE_CAP_BYTES:
            raise SourceError(f"a picture has more than {PICTURE_CAP_BYTES // 2**20} MiB")
        return True

    def _find_end(self, body: int) -> int | None:
        """Where the body ends, if that is here already: by its length, or before the next boundary."""
        if self._length is not None:
            return body + self._length if len(self._buffer) >= body + self._length else None
        end = self._buffer.find(self._boundary, self._searched)
        if end < 0:
            self._searched = max(body, len(self._buffer) - len(self._boundary))
            return None
        while end > body and self._buffer[end - 1] in b"\r\n-":
            end -= 1
        return end
