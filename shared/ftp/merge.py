"""Merge the results of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.stage import Tile
    from shared.model.arrays import FeatureMap


def result_shapes(maps: Sequence[tuple[int, ...]], tile: Tile) -> list[tuple[int, ...]]:
    """Return the shapes (1, C, h, w) of a tile's results, one for each of the maps (1, C, H, W) at the cut."""
    return [(1, shape[1], region.height, region.width) for shape, region in zip(maps, tile.outputs, strict=True)]


class MergedMaps:
    """The maps at a cut, float32 (1, C, H, W), allocated once and filled tile by tile."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], tiles: Sequence[Tile]) -> None:
        self.maps: list[FeatureMap] = [np.zeros(shape, np.float32) for shape in shapes]
        self._shapes = shapes
        self.tiles = tiles
        self._missing = {tile.index for tile in tiles}

    @property
    def missing(self) -> frozenset[int]:
        """Return the indexes of the tiles that have not been placed yet."""
        return frozenset(self._missing)

    @property
    def complete(self) -> bool:
        return not self._missing

    def place(self, index: int, arrays: Sequence[FeatureMap]) -> bool:
        """Copy the result of tile `index` into its place; return False when it was placed already.

        Raises ValueError when the shape of an array differs from that of its region.
        """
        if index not in self._missing:
            return False
        regions, expected = self.tiles[index].outputs, result_shapes(self._shapes, self.tiles[index])
        for whole, region, array, shape in zip(self.maps, regions, arrays, expected, strict=True):
            if array.shape != shape:
                raise ValueError(f"a result of shape {array.shape} for tile {index}, whose region has {shape}")
            whole[:, :, *region.slices] = array
        self._missing.discard(index)
        return True

    def reset(self) -> None:
        """Drop the results but keep the memory for the next frame."""
        self._missing = {tile.index for tile in self.tiles}
