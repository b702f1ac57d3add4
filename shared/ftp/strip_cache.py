"""A cache of strips for the tiles that read them. It is bounded in bytes; the oldest frame is dropped first. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from shared.model.arrays import Array

K = TypeVar("K", bound="Hashable")

MAX_CACHE_BYTES = 64 * 2**20
"""Bound for a node. A frame of YOLOv2 at 608 in nine tiles has 1.7 MB of strips, so there is room for more frames than
are under way at once."""


class StripCache(Generic[K]):
    """Arrays by frame and key. A key names the tile that computed them and the tile that reads them."""

    def __init__(self, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[str, dict[K, list[Array]]] = OrderedDict()
        self.bytes = 0

    def put(self, frame: str, key: K, strips: list[Array]) -> None:
        """Store strips; older frames are dropped to make room. Strips that still do not fit are not stored."""
        size = _size(strips)
        growth = size - _size(self._frames.get(frame, {}).get(key, []))
        if size > self._max_bytes:
            return
        while self.bytes + growth > self._max_bytes:
            oldest = next(iter(self._frames))
            if oldest == frame:
                return
            self.drop_frame(oldest)
        self._frames.setdefault(frame, {})[key] = strips
        self.bytes += growth

    def get(self, frame: str, key: K) -> list[Array] | None:
        """Return the strips of a key; None when they are not stored."""
        return self._frames.get(frame, {}).get(key)

    def keys(self, frame: str) -> tuple[K, ...]:
        """Return all keys of a frame, in the order in which they were stored."""
        return tuple(self._frames.get(frame, ()))

    def drop_frame(self, frame: str) -> None:
        """Remove all strips of a frame."""
        self.bytes -= sum(_size(strips) for strips in self._frames.pop(frame, {}).values())


def split_strips(payload: Array, sizes: Mapping[int, int]) -> dict[int, Array]:
    """Split the received strips of several tiles by tile, without copying.

    `payload` is uint8 (bytes,); `sizes` are the bytes of each tile, in order.
    """
    parts, start = {}, 0
    for tile, size in sizes.items():
        parts[tile] = payload[start : start + size]
        start += size
    return parts


def _size(strips: list[Array]) -> int:
    return sum(array.nbytes for array in strips)
