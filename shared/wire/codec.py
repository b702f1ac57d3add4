"""Framing of the data plane: encoding and decoding of prefixes, whose lengths are checked against maxima. Pure.

A message is a prefix of 20 bytes, a header (JSON, see shared.wire.headers) and a payload (raw bytes):

    magic 4 | version 1 | kind 1 | reserved 2 | header bytes 4 | payload bytes 8      (big endian)
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from shared.errors import ProtocolError, VersionError
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS

MAGIC = b"DpTh"
"""The first bytes of a message. Magic and version are at the same positions in all versions of the protocol."""

_PREFIX = struct.Struct("!4sBBHIQ")
PREFIX_BYTES = _PREFIX.size

MAX_HEADER_BYTES = 64 * 1024
"""Headers have names and numbers; the longest one, a TILE with all workers, needs half of this."""

_MIB = 1024 * 1024


class MessageKind(IntEnum):
    """Kinds of message; their headers are in shared.wire.headers."""

    CAMERA = 1
    FRAME = 2
    READY = 3
    OUTCOME = 4
    REPORT = 5
    CONTROL = 6
    OFFER = 7
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
    LINK = 26
    TILE_DONE = 27
    FRAME_DONE = 28
    ABSENT = 30
    REFUSED = 31
    TRACE_REQUEST = 40
    TRACE = 41
    MEMBERS_REQUEST = 42
    MEMBERS = 43


MAX_PAYLOAD_BYTES = {
    MessageKind.FRAME: 128 * _MIB,  # an 8K picture in BGR is 95 MiB
    MessageKind.PICTURE: 128 * _MIB,
    MessageKind.TILE: 64 * _MIB,  # a network's whole input, 4096 x 4096 pixels, is 48 MiB
    MessageKind.RESULT: 256 * _MIB,  # the largest map of YOLOv2 at 608 is 45 MiB
    MessageKind.STRIPS: 64 * _MIB,  # a few rows and columns of each map
    MessageKind.BORDER: 64 * _MIB,  # at most half of a map
    MessageKind.SETTINGS: _MIB,  # polygons are the longest part, of at most 200 corners each
    MessageKind.TRACE: 64 * _MIB,  # the compressed spans of 60 nodes are 30 MiB at most
    MessageKind.MEMBERS: _MIB // 4,  # 550 members with the longest names are 120 KB
    MessageKind.PROGRAM: 1024 * _MIB,  # weights of the largest detectors in use are below 400 MiB
}
"""The largest payload of each kind of message; other kinds have no payload."""

_KINDS = {kind.value: kind for kind in MessageKind}
"""Kinds by number: this takes a fifth of the time of calling MessageKind."""


class MessagePrefix(NamedTuple):
    """The kind of a message, and the lengths of its header and payload."""

    kind: MessageKind
    header_bytes: int
    payload_bytes: int


def encode_prefix(kind: MessageKind, header_bytes: int, payload_bytes: int) -> bytes:
    """Encode a prefix. Raises ProtocolError for a length above its maximum, which the receiver would refuse."""
    _check_lengths(kind, header_bytes, payload_bytes)
    return _PREFIX.pack(MAGIC, PROTOCOL, kind, 0, header_bytes, payload_bytes)


def decode_prefix(data: bytes | bytearray | memoryview) -> MessagePrefix:
    """Decode a prefix. Raises VersionError for an unsupported version, ProtocolError for any other invalid data."""
    magic, version, number, _, header_bytes, payload_bytes = _PREFIX.unpack(data)
    if magic != MAGIC:
        raise ProtocolError("not a DeepThings peer")
    if version not in UNDERSTOOD_PROTOCOLS:
        raise VersionError(
            f"it speaks version {version} of the protocol, this side version {PROTOCOL}: "
            "install the same release of deepthings on both"
        )
    kind = _KINDS.get(number)
    if kind is None:
        raise ProtocolError(f"unknown kind of message {number}")
    _check_lengths(kind, header_bytes, payload_bytes)
    return MessagePrefix(kind, header_bytes, payload_bytes)


def _check_lengths(kind: MessageKind, header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"header of {header_bytes} bytes; at most {MAX_HEADER_BYTES} are allowed")
    maximum = MAX_PAYLOAD_BYTES.get(kind, 0)
    if payload_bytes > maximum:
        raise ProtocolError(f"{kind.name} with a payload of {payload_bytes} bytes; at most {maximum} are allowed")
