"""Propagates the tiles of many cuts back through a network at once, as arrays. Pure.

The regions are those of `shared.ftp.propagation`, which follows one tile of one cut at a time. A search of plans needs
those of thousands; here, a layer takes a few operations on arrays for all tiles of all cuts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from shared.ftp.axes import Window
from shared.ftp.operators import axes_of_layer, check_tileable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.ftp.axes import Axis
    from shared.ftp.region import Region
    from shared.model.network import Layer, Network

    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

CutMaps = tuple[str, ...]
"""The names of the maps at a cut."""


@dataclass(frozen=True, slots=True)
class RegionArrays:
    """Regions of one map, half open, in arrays of one shape. One that begins at the map's end and ends at 0 is empty.

    So the hull of an empty region and another one is the other one.
    """

    top: Integers
    left: Integers
    bottom: Integers
    right: Integers

    @classmethod
    def empty(cls, size: Sequence[int], shape: tuple[int, ...]) -> RegionArrays:
        """Return empty regions of a map of this size (height, width)."""
        return cls(*(np.full(shape, side, np.int64) for side in (*size, 0, 0)))

    @property
    def area(self) -> Integers:
        """Return the numbers of cells."""
        return self.common_area(self)

    def at(self, cut: int) -> RegionArrays:
        """Return the regions of the tiles of one cut, given by number."""
        return RegionArrays(self.top[cut], self.left[cut], self.bottom[cut], self.right[cut])

    def by_row(self) -> RegionArrays:
        """Return the regions of tiles as a column, for operations of each with each of a row."""
        return RegionArrays(self.top[:, None], self.left[:, None], self.bottom[:, None], self.right[:, None])

    def hull(self, other: RegionArrays) -> RegionArrays:
        """Return the smallest regions that contain both, place by place."""
        return RegionArrays(
            np.minimum(self.top, other.top),
            np.minimum(self.left, other.left),
            np.maximum(self.bottom, other.bottom),
            np.maximum(self.right, other.right),
        )

    def common_area(self, other: RegionArrays) -> Integers:
        """Return the numbers of cells that are in both."""
        rows = np.minimum(self.bottom, other.bottom) - np.maximum(self.top, other.top)
        columns = np.minimum(self.right, other.right) - np.maximum(self.left, other.left)
        area: Integers = np.maximum(rows, 0) * np.maximum(columns, 0)
        return area


@dataclass(frozen=True, slots=True)
class _AxisTable:
    """The input cells that an axis needs, within the map: `first` by the first output cell, `end` by the end.

    A range of output cells needs what its first and its last cell need, and all between. For an empty range, these are
    an empty one. None: the same cells.
    """

    first: Integers | None = None
    end: Integers | None = None

    @classmethod
    def of(cls, axis: Axis, cells: int, inputs: int) -> _AxisTable:
        """Return the table of an axis from `inputs` cells to `cells`."""
        if axis == Window() and cells == inputs:
            return cls()
        needed = np.array([axis.input_range(cell, cell + 1) for cell in range(cells)])
        firsts, ends = needed[:, 0].clip(0, inputs - 1), needed[:, 1].clip(1, inputs)
        return cls(np.append(firsts, inputs), np.insert(ends, 0, 0))

    def first_of(self, cells: Integers) -> Integers:
        return cells if self.first is None else self.first[cells]

    def end_of(self, cells: Integers) -> Integers:
        return cells if self.end is None else self.end[cells]


class RegionTables:
    """The cells that each of some layers needs for each cell of its output."""

    def __init__(self, network: Network, layers: Sequence[Layer], inputs: Sequence[str] = ()) -> None:
        """Make the tables; `inputs` are the maps that the first layers read, by default the picture.

        Raises CutError for a layer that cannot be tiled.
        """
        for layer in layers:
            check_tileable(layer, network.shapes)
        self.network = network
        self.inputs = tuple(inputs) or (network.input,)
        self.layers = tuple(layers)
        self._known: dict[tuple[Axis, int, int], _AxisTable] = {}
        self._tables = [self._tables_of(layer) for layer in self.layers]

    def needed_of(self, number: int, box: RegionArrays) -> RegionArrays:
        """Return the regions of its inputs that the layer of this number needs for these of its outputs."""
        rows, columns = self._tables[number]
        return RegionArrays(
            rows.first_of(box.top), columns.first_of(box.left), rows.end_of(box.bottom), columns.end_of(box.right)
        )

    def _tables_of(self, layer: Layer) -> tuple[_AxisTable, _AxisTable]:
        shapes = self.network.shapes
        made, read = shapes[layer.outputs[0]][2:], shapes[layer.inputs[0]][2:]
        rows, columns = (
            self._table(axis, cells, inputs)
            for axis, cells, inputs in zip(axes_of_layer(layer, shapes), made, read, strict=True)
        )
        return rows, columns

    def _table(self, axis: Axis, cells: int, inputs: int) -> _AxisTable:
        key = axis, cells, inputs
        if key not in self._known:
            self._known[key] = _AxisTable.of(axis, cells, inputs)
        return self._known[key]


class CutRegions:
    """The regions that tiles behind cuts need of all maps before, back to the picture; arrays are by cut and tile.

    `made` are the tiles' own regions of the maps at their cuts; `areas`, by layer, cut and tile, the cells that are
    computed of each layer; `heads`, by layer and cut, whether the layer is before the cut.
    """

    def __init__(
        self, tables: RegionTables, cuts: Sequence[CutMaps], tiles: Sequence[Sequence[Sequence[Region]]]
    ) -> None:
        """`tiles` are, by cut and tile, the regions of the cut's maps. All cuts have the same number of tiles."""
        self.cuts = tuple(cuts)
        self._tables = tables
        self._shape = (len(self.cuts), len(tiles[0]))
        self.made = self._made(tiles)
        # By map, the regions that each of its readers needs; reader -1 is the cut itself.
        self._wants: dict[str, list[tuple[int, RegionArrays]]] = {name: [(-1, box)] for name, box in self.made.items()}
        self.areas = np.zeros((len(tables.layers), *self._shape), np.int64)
        for number in reversed(range(len(tables.layers))):
            layer = tables.layers[number]
            wanted = [region for name in layer.outputs for _, region in self._wants.get(name, ())]
            if not wanted:
                continue  # no layer before these cuts reads it
            box = reduce(RegionArrays.hull, wanted)
            self.areas[number] = box.area
            needed = tables.needed_of(number, box)
            for name in dict.fromkeys(layer.inputs):
                self._wants.setdefault(name, []).append((number, needed))
        self.heads: Flags = self.areas[:, :, 0] > 0

    def fused(self, after: int | None, behind: int) -> Flags:
        """Return, by layer, whether it is between two cuts, given by number; None: the inputs."""
        head = self.heads[:, behind]
        return head if after is None else head & ~self.heads[:, after]

    def needed_behind(self, after: int | None, name: str) -> RegionArrays:
        """Return the regions of a map at a cut, given by number, that the layers and cuts behind it need; None: inputs.

        Layers before the cut may read more of it: that was exchanged before.
        """
        known: Iterable[RegionArrays] = (
            region
            for reader, region in self._wants[name]
            if after is None or reader < 0 or not self.heads[reader, after]
        )
        return reduce(RegionArrays.hull, known)

    def _made(self, tiles: Sequence[Sequence[Sequence[Region]]]) -> Mapping[str, RegionArrays]:
        shapes = self._tables.network.shapes
        made: dict[str, RegionArrays] = {}
        for number, (maps, of_tiles) in enumerate(zip(self.cuts, tiles, strict=True)):
            for name, regions in zip(maps, zip(*of_tiles, strict=True), strict=True):
                arrays = made.setdefault(name, RegionArrays.empty(shapes[name][2:], self._shape))
                sides = np.array([region.sides for region in regions]).T
                arrays.top[number], arrays.left[number], arrays.bottom[number], arrays.right[number] = sides
        return made
