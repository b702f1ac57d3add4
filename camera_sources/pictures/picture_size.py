"""Reads the size of a picture from its first bytes, without decoding it or allocating memory. Pure.

Sources: ITU-T T.81 (JPEG) annex B, ISO/IEC 15948 (PNG) section 11.2.2, the bitmap headers of Windows, RFC 9649 (WebP).
"""

from __future__ import annotations

import struct

PictureSize = tuple[int, int]
"""Width, height in pixels."""

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers of all codings; the three others are tables and extensions."""

_WITHOUT_SEGMENT = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment: restarts, and the start of the image."""

_CORE_HEADER_BYTES = 12
"""Size of the oldest header of a BMP, whose width and height have 16 bits; in all others they have 32."""


def picture_size_of(data: bytes) -> PictureSize | None:
    """Return the width and height of a JPEG, PNG, BMP or WebP; None for other data, and for incomplete headers."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _of_jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _of_png(data)
        if data.startswith(b"BM"):
            return _of_bitmap(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _of_webp(data)
    except (struct.error, IndexError):
        return None
    return None


def _of_jpeg(data: bytes) -> PictureSize | None:
    """Return the size of a JPEG. A thumbnail inside a segment is skipped together with the segment."""
    position = 2
    while True:
        position = data.find(b"\xff", position)
        if position < 0:
            return None
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return _plausible(width, height)
        if marker in {0xD9, 0xDA}:  # the end, or the begin of the pixels: there was no size before
            return None
        if marker not in _WITHOUT_SEGMENT and marker != 0:
            position += max(2, struct.unpack_from(">H", data, position)[0])


def _of_png(data: bytes) -> PictureSize | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return _plausible(width, height)


def _of_bitmap(data: bytes) -> PictureSize | None:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == _CORE_HEADER_BYTES else "<ii", data, 18)
    return _plausible(abs(width), abs(height))  # a negative height: rows from top to bottom


def _of_webp(data: bytes) -> PictureSize | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return _plausible(width & 0x3FFF, height & 0x3FFF)
    return None


def _plausible(width: int, height: int) -> PictureSize | None:
    return (width, height) if width > 0 and height > 0 else None
