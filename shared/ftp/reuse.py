"""Reuse of overlapping data: tiles take the overlap with their neighbours as strips instead of computing it again.

Tiles whose row and column add up to an even number are independent: they are computed with their whole halo. The other
tiles lie between them. Of every map, such a dependent tile computes only the cells that none of its neighbours has, and
reads strips of the neighbours' maps, as wide as the next layer's kernel needs. The results are equal with and without
reuse.
Source: paper, section III-C (reuse-aware work scheduling), for graphs with branches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.ftp.macs import macs_of_regions
from shared.ftp.propagation import Propagation, edges_of, pads_of
from shared.ftp.region import Region
from shared.ftp.stage import Strip, Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.grid import Grid
    from shared.ftp.propagation import TileRegions
    from shared.ftp.stage import Pads, Stage
    from shared.model.network import Layer, Network

ABOVE, BELOW, LEFT, RIGHT = range(4)


def is_independent(grid: Grid, index: int) -> bool:
    """Return whether a tile is independent of its neighbours; if so, the neighbours on its four sides are not."""
    row, column = divmod(index, grid.columns)
    return (row + column) % 2 == 0


def neighbour_tiles(grid: Grid, index: int) -> dict[int, int]:
    """Return the indexes of the tiles above, below, left and right, by side; sides at the border are missing."""
    row, column = divmod(index, grid.columns)
    sides = {
        ABOVE: (row > 0, index - grid.columns),
        BELOW: (row + 1 < grid.rows, index + grid.columns),
        LEFT: (column > 0, index - 1),
        RIGHT: (column + 1 < grid.columns, index + 1),
    }
    return {side: tile for side, (exists, tile) in sides.items() if exists}


def with_reuse(network: Network, stage: Stage) -> Stage:
    """Return the stage with the strips that dependent tiles take from their neighbours.

    A stage whose tiles share nothing is returned unchanged.
    """
    propagation = Propagation(network, stage.layers, stage.inputs)
    without_reuse = [propagation.propagate(dict(zip(stage.cut, tile.outputs, strict=True))) for tile in stage.tiles]
    readers = [
        _Reader(network, stage, tile, without_reuse)
        for tile in stage.tiles
        if not is_independent(stage.grid, tile.index)
    ]
    taken = {name for reader in readers for name, _ in reader.parts}
    joints = tuple(layer.outputs[0] for layer in stage.layers if layer.outputs[0] in taken)
    pads = [pads_of(stage.layers, regions) for regions in without_reuse]
    reusing_pads = [pads_of(stage.layers, reader.regions) for reader in readers]
    edges = edges_of([*pads, *reusing_pads])
    reusing: list[Tile | None] = [None] * stage.grid.count
    given: dict[int, list[Strip]] = {tile.index: [] for tile in stage.tiles}
    for reader, own_pads in zip(readers, reusing_pads, strict=True):
        tile = reader.reusing_tile(joints, tuple(own_pads[edge] for edge in edges))
        if tile.taken:
            reusing[tile.index] = tile
        for strip in tile.taken:
            given[strip.tile].append(replace(strip, tile=tile.index))
    tiles = (
        replace(
            tile,
            pads=tuple(pads[tile.index][edge] for edge in edges),
            given=tuple(sorted(given[tile.index], key=lambda strip: (strip.joint, strip.side))),
        )
        for tile in stage.tiles
    )
    if not joints:
        return stage
    return replace(stage, edges=edges, tiles=tuple(tiles), joints=joints, reusing=tuple(reusing))


def longest_chain(stage: Stage, devices: int) -> int:
    """Return the MACs until the last tile of a frame is done, when `devices` equal devices share the tiles.

    Independent tiles come first, large ones before small ones. Transfers are assumed to take no time.
    """
    reusing = {tile.index: tile for tile in stage.reusing if tile is not None}
    free = [0] * devices
    done: dict[int, int] = {}
    for tile in sorted(stage.tiles, key=lambda tile: (tile.index in reusing, -tile.macs)):
        own = reusing.get(tile.index, tile)
        ready = max((done[strip.tile] for strip in own.taken), default=0)
        free.sort()
        free[0] = done[tile.index] = max(free[0], ready) + own.macs
    return max(free)


class _Reader:
    """A dependent tile: its `regions`, and the `parts` of its neighbours' maps that it reads, by map and side."""

    def __init__(self, network: Network, stage: Stage, tile: Tile, without_reuse: Sequence[TileRegions]) -> None:
        self._tile = tile
        self._inputs = stage.inputs
        self._without_reuse = without_reuse
        self._beside = neighbour_tiles(stage.grid, tile.index)
        self.parts: dict[tuple[str, int], Region] = {}
        outputs = dict(zip(stage.cut, tile.outputs, strict=True))
        self.regions = Propagation(network, stage.layers, stage.inputs).propagate(outputs, reduce_box=self._reduce_box)
        self._macs = macs_of_regions(network, stage.layers, self.regions.computed)

    def _reduce_box(self, layer: Layer, box: Region) -> Region:
        """Return the part of `box` that this tile must compute, at least one cell; record the rest in `parts`.

        A neighbour that overlaps the box does so along the whole side: rows and columns are propagated independently,
        so tiles of one row have the same rows of every map, and tiles of one column the same columns.
        """
        # Instead of the output of a DequantizeLinear, its quantised input is reused: one byte for each cell, not four.
        if len(layer.outputs) > 1 or layer.op == "DequantizeLinear":
            return box
        (name,) = layer.outputs
        top, left, bottom, right = box.sides
        if (above := self._map(name, ABOVE)) and above.top <= top < above.bottom:
            top = min(above.bottom, bottom - 1)
        if (below := self._map(name, BELOW)) and below.top < bottom <= below.bottom:
            bottom = max(below.top, top + 1)
        if (beside := self._map(name, LEFT)) and beside.left <= left < beside.right:
            left = min(beside.right, right - 1)
        if (beside := self._map(name, RIGHT)) and beside.left < right <= beside.right:
            right = max(beside.left, left + 1)
        around = {
            ABOVE: Region(box.top, box.left, top, box.right),
            BELOW: Region(bottom, box.left, box.bottom, box.right),
            LEFT: Region(top, box.left, bottom, left),
            RIGHT: Region(top, right, bottom, box.right),
        }
        self.parts.update({(name, side): region for side, region in around.items() if region.area})
        return Region(top, left, bottom, right)

    def _map(self, name: str, side: int) -> Region | None:
        """Return the region of a map that the neighbour on this side computes; None if there is none."""
        return self._without_reuse[self._beside[side]].boxes.get(name) if side in self._beside else None

    def reusing_tile(self, joints: Sequence[str], pads: tuple[Pads, ...]) -> Tile:
        """Return the tile as it is computed from strips."""
        strips = []
        for number, name in enumerate(joints):
            for side in (ABOVE, BELOW, LEFT, RIGHT):
                if (name, side) in self.parts:
                    giver = self._beside[side]
                    box = self._without_reuse[giver].boxes[name]
                    strips.append(Strip(number, side, giver, self.parts[name, side], (box.top, box.left)))
        inputs = tuple(self.regions.boxes[tensor] for tensor in self._inputs)
        return Tile(self._tile.index, inputs, self._tile.outputs, pads, self._macs, tuple(strips))
