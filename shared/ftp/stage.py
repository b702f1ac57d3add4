"""Data classes for stages, their tiles, and the edges of their graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.ftp.grid import Grid
    from shared.ftp.region import Region
    from shared.model.network import Layer

Pads = tuple[int, int, int, int]
"""(top, left, bottom, right) in cells: a positive number is a border to add, a negative one are cells to crop."""

FormKind = tuple[
    tuple[Pads, ...], tuple[tuple[int, int, int, int], ...], tuple[tuple[int, int, int, int, int, int], ...]
]
"""Pads, strips taken and strips given, as in Form."""

NO_PADS: Pads = (0, 0, 0, 0)
"""The pads of a layer that needs none."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One use of a map: by a layer, or as a result at the cut when `layer` is None.

    The edge from a layer to its own output crops cells that the layer produces beyond the needed region.
    """

    tensor: str
    layer: str | None


@dataclass(frozen=True, slots=True)
class Strip:
    """Cells of the map at a joint of the stage, which one tile computes (the giver) and another one reads (the reader).

    `joint` is an index of Stage.joints. `tile` is the tile at the other end: the giver in Tile.taken, the reader in
    Tile.given. `side` is the side of the reader on which the cells lie: 0 above, 1 below, 2 left, 3 right. `region` is
    in cells of the whole map; `origin` is the (top, left) of the giver's part of the map.
    """

    joint: int
    side: int
    tile: int
    region: Region
    origin: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Form:
    """The data of a tile that an engine needs. Tiles whose forms are of one `kind` are computed by the same program.

    `sizes` are the (height, width) of the inputs. `pads` are, for each edge of the stage in order, the cells to add to
    the map or crop from it before the layer reads it. `taken` are (joint, side, height, width) of the strips that the
    tile reads; `given` are (joint, side, top, left, bottom, right) of those that it computes for others, in cells of
    its own part of the map.
    """

    sizes: tuple[tuple[int, int], ...]
    pads: tuple[Pads, ...]
    taken: tuple[tuple[int, int, int, int], ...] = ()
    given: tuple[tuple[int, int, int, int, int, int], ...] = ()

    @property
    def cells(self) -> int:
        """Return the number of cells, or pixels, of all inputs."""
        return sum(height * width for height, width in self.sizes)

    @property
    def kind(self) -> FormKind:
        """Return the form without the sizes of the tile."""
        return self.pads, self.taken, self.given


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a stage: the region that it reads of each input, and computes of each map at the cut.

    `pads` as in Form; `macs` are its multiply-accumulate operations. `taken` are the strips that it reads instead of
    computing them, `given` those that it computes for others; both in order of joint and side.
    """

    index: int
    inputs: tuple[Region, ...]
    outputs: tuple[Region, ...]
    pads: tuple[Pads, ...]
    macs: int
    taken: tuple[Strip, ...] = ()
    given: tuple[Strip, ...] = ()

    @property
    def form(self) -> Form:
        taken = tuple((strip.joint, strip.side, strip.region.height, strip.region.width) for strip in self.taken)
        given = tuple((strip.joint, strip.side, *strip.region.relative_to(*strip.origin).sides) for strip in self.given)
        return Form(tuple((region.height, region.width) for region in self.inputs), self.pads, taken, given)


@dataclass(frozen=True, slots=True)
class Stage:
    """Fused layers that are computed tile by tile, or a whole network.

    `edges` are the edges of the graph at which any tile has pads or crops. With reuse, `joints` are the maps of which
    strips are exchanged, and `reusing` has, by index, the tiles that are computed from strips of their neighbours (None
    for independent tiles).
    """

    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    cut: tuple[str, ...]
    grid: Grid
    edges: tuple[Edge, ...]
    tiles: tuple[Tile, ...]
    joints: tuple[str, ...] = ()
    reusing: tuple[Tile | None, ...] = ()

    @property
    def whole(self) -> bool:
        """Return whether this is a whole network: one tile without output regions, because outputs have any shape."""
        return not self.tiles[0].outputs

    @property
    def all_tiles(self) -> tuple[Tile, ...]:
        """Return all tiles as computed without reuse, then the tiles as computed from strips."""
        return (*self.tiles, *(tile for tile in self.reusing if tile is not None))

    @property
    def forms(self) -> tuple[Form, ...]:
        """Return one form of every kind of tile."""
        return tuple({tile.form.kind: tile.form for tile in self.all_tiles}.values())
