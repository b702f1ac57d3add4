"""Encodes messages as buffers of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.wire.codec import encode_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.wire.header import Header


def encode_buffers(header: Header, payload: Iterable[memoryview]) -> tuple[list[memoryview], int]:
    """Return a message as buffers of bytes, and the number of bytes in its payload."""
    parts = [part.cast("B") for part in payload if part.nbytes]
    size = sum(part.nbytes for part in parts)
    return [encode_start(header, size), *parts], size


def encode_start(header: Header, payload_bytes: int = 0) -> memoryview:
    """Return the prefix and the header of a message, whose payload has this size."""
    encoded = header.encode()
    return memoryview(encode_prefix(header.kind, len(encoded), payload_bytes) + encoded)
