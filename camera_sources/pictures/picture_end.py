"""Finds the end of a picture by its own structure, because lengths in headers may be wrong or missing. Pure.

Sources: ITU-T T.81 (JPEG) annex B, ISO/IEC 15948 (PNG) section 5, RFC 9649 (WebP), the bitmap headers of Windows.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

JPEG_START = b"\xff\xd8\xff"

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
"""Markers of a JPEG, without the 0xFF before them: start and end of the picture, and start of a scan of its pixels."""

_WITHOUT_SEGMENT = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers that no segment follows."""

_MARKER = re.compile(rb"\xff+([^\x00\xff])")

_MARKER_IN_SCAN = re.compile(rb"\xff([\xc4\xcc\xd8-\xdd\xe0-\xef\xfe])")
"""Markers that may follow the pixels of a scan; other bytes behind 0xFF are pixels, or damage that the decoder handles.

All bytes of a stream are searched for this pattern, and with a single 0xFF it is 17 times faster than with several."""


class JpegEnd(NamedTuple):
    """The position of a JPEG's end, and whether the JPEG is complete; a damaged one ends where the damage is found."""

    place: int
    whole: bool


class JpegWalk:
    """Walks from segment to segment through a JPEG that begins at byte 0 of a growing buffer.

    A thumbnail inside a segment is skipped together with the segment.
    """

    def __init__(self) -> None:
        self._position = 2
        self._in_scan = False

    def find_end(self, data: bytes | bytearray) -> JpegEnd | None:
        """Return the end; None if it was not received yet. Later calls do not search the same bytes again."""
        while True:
            if self._in_scan:
                match = _MARKER_IN_SCAN.search(data, self._position)
                if match is None:
                    self._position = max(self._position, len(data) - 1)
                    return None
            else:
                match = _MARKER.match(data, self._position)
                if match is None:
                    more_to_come = bytes(data[self._position : self._position + 2]) in {b"", b"\xff", b"\xff\xff"}
                    return None if more_to_come else JpegEnd(self._position, whole=False)
            marker, behind = match[1][0], match.end()
            if marker == _END:
                return JpegEnd(behind, whole=True)
            if marker == _START:
                return JpegEnd(match.start(), whole=False)
            if marker in _WITHOUT_SEGMENT:
                self._position = behind
                continue
            if len(data) < behind + 2:
                self._position, self._in_scan = match.start(), False
                return None
            (length,) = struct.unpack_from(">H", data, behind)
            if length < 2:
                return JpegEnd(behind, whole=False)
            self._position, self._in_scan = behind + length, marker == _SCAN


def is_complete_picture(data: bytes) -> bool:
    """Return whether a JPEG, PNG, BMP or WebP is complete; True for other formats, which are not checked."""
    if data.startswith(JPEG_START):
        end = JpegWalk().find_end(data)
        return end is not None and end.whole
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" in data[-4096:]  # a few bytes may follow it
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    if data.startswith(b"BM") and len(data) >= 6:
        return len(data) >= int.from_bytes(data[2:6], "little")
    return True
