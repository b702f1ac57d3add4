"""Framing of the data plane, pure: bytes to prefix and back, every length checked against its cap.

A message is a prefix of 20 bytes, a header (JSON, see shared.wire.headers) and a payload (raw bytes):

    magic 4 | version 1 | kind 1 | reserved 2 | header bytes 4 | payload bytes 8      (big endian)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from shared.errors import ProtocolError, VersionError
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS

MAGIC = b"DpTh"
"""Magic and version keep their place for ever."""

_PREFIX = struct.Struct("!4sBBHIQ")
PREFIX_BYTES = _PREFIX.size

MAX_HEADER_BYTES = 64 * 1024
"""A header holds names and numbers; a tile's pads, the longest part, are below 32 KiB."""

_MIB = 1024 * 1024


class MessageKind(IntEnum):
    """What a message is. The names of the headers are in shared.wire.headers."""

    CAMERA = 1
    FRAME = 2
    READY = 3
    OUTCOME = 4
    REPORT = 5
    CONTROL = 6
    TAKE = 10
    TILE = 11
    RESULT = 12
    STRIPS = 13
    STRIPS_REQUEST = 14
    BORDER = 15
    PROGRAM_REQUEST = 20
    PROGRAM = 21
    PICTURE_REQUEST = 22
    PICTURE = 23
    SETTINGS_REQUEST = 24
    SETTINGS = 25
    ABSENT = 30
    REFUSED = 31


MAX_PAYLOAD_BYTES = {
    MessageKind.FRAME: 128 * _MIB,  # an 8K picture in BGR is 95 MiB
    MessageKind.PICTURE: 128 * _MIB,
    MessageKind.TILE: 64 * _MIB,  # a network's whole input, 4096 x 4096 pixels, is 48 MiB
    MessageKind.RESULT: 256 * _MIB,  # the largest map of YOLOv2 at 608 is 45 MiB
    MessageKind.STRIPS: 64 * _MIB,  # a few rows of each map
    MessageKind.BORDER: 64 * _MIB,  # half of a map at the most
    MessageKind.SETTINGS: _MIB,  # the longest part are polygons, and each has some hundred corners at the most
    MessageKind.PROGRAM: 1024 * _MIB,  # weights of the largest detectors in use are below 400 MiB
}
"""Kinds that are not named here carry no payload."""


@dataclass(frozen=True, slots=True)
class MessagePrefix:
    """What follows: a header and a payload of these lengths."""

    kind: MessageKind
    header_bytes: int
    payload_bytes: int


def encode_prefix(kind: MessageKind, header_bytes: int, payload_bytes: int) -> bytes:
    """Raises ProtocolError when a length is over its cap: the receiver would refuse it."""
    _check_lengths(kind, header_bytes, payload_bytes)
    return _PREFIX.pack(MAGIC, PROTOCOL, kind, 0, header_bytes, payload_bytes)


def decode_prefix(data: bytes | bytearray | memoryview) -> MessagePrefix:
    """Raises VersionError for a version that is not understood, ProtocolError for anything else that is not ours."""
    magic, version, number, _, header_bytes, payload_bytes = _PREFIX.unpack(data)
    if magic != MAGIC:
        raise ProtocolError("not a DeepThings peer")
    if version not in UNDERSTOOD_PROTOCOLS:
        raise VersionError(
            f"it speaks version {version} of the protocol, this side version {PROTOCOL}: "
            "install the same release of deepthings on both"
        )
    try:
        kind = MessageKind(number)
    except ValueError:
        raise ProtocolError(f"unknown kind of message {number}") from None
    _check_lengths(kind, header_bytes, payload_bytes)
    return MessagePrefix(kind, header_bytes, payload_bytes)


def _check_lengths(kind: MessageKind, header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"header of {header_bytes} bytes; at most {MAX_HEADER_BYTES} are allowed")
    cap = MAX_PAYLOAD_BYTES.get(kind, 0)
    if payload_bytes > cap:
        raise ProtocolError(f"{kind.name} with a payload of {payload_bytes} bytes; at most {cap} are allowed")
