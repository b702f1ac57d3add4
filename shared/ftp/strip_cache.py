"""Strips that wait for whoever computes their reader, pure: bounded in bytes, the oldest frame goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from shared.model.arrays import Array

K = TypeVar("K", bound="Hashable")

MAX_CACHE_BYTES = 64 * 2**20
"""Of a node: some twenty frames of YOLOv2 at 608 in nine tiles, 1.7 MB each; more frames than are under way at once."""


class StripCache(Generic[K]):
    """Arrays by frame and key. A key says whose they are and for whom."""

    def __init__(self, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[str, dict[K, list[Array]]] = OrderedDict()
        self.bytes = 0

    def put(self, frame: str, key: K, strips: list[Array]) -> None:
        """Keep strips; whole older frames make room for them, and where that is not enough, they are not kept."""
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
        """What was put there; None when it never was, or has been dropped."""
        return self._frames.get(frame, {}).get(key)

    def keys(self, frame: str) -> tuple[K, ...]:
        """All keys of a frame, in the order in which they came."""
        return tuple(self._frames.get(frame, ()))

    def drop_frame(self, frame: str) -> None:
        """The frame is finished."""
        self.bytes -= sum(_size(strips) for strips in self._frames.pop(frame, {}).values())


def split_strips(payload: Array, sizes: Mapping[int, int]) -> dict[int, Array]:
    """Strips as they came over the wire, one tile's after the other's, by that tile; without copying.

    `payload` is uint8 (bytes,), as long as `sizes` say.
    """
    parts, start = {}, 0
    for tile, size in sizes.items():
        parts[tile] = payload[start : start + size]
        start += size
    return parts


def _size(strips: list[Array]) -> int:
    return sum(array.nbytes for array in strips)
