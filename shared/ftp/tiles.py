"""Backward propagation: from the tiles of a cut to what each needs of every map before it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from shared.ftp.operators import SPREADING, axes_of, cell_constants, demand, refuse_untileable
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.grid import Grid
    from shared.model.network import Layer, Network, Shape

Pads = tuple[int, int, int, int]
"""(top, left, bottom, right) in cells: border to add where positive, cells to crop where negative."""

NO_PADS: Pads = (0, 0, 0, 0)
NO_HALO = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Edge:
    """One use of a map: by a layer, or as a result at the cut when `layer` is None.

    The edge from a layer to its own output crops what it makes beyond the region that was asked for.
    """

    tensor: str
    layer: str | None


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a stage: what it reads of the input, what it makes of each map at the cut.

    `pads` says, for each edge of the stage in order, what to add to or crop from the map on its way into the layer.
    """

    index: int
    input: Region
    outputs: tuple[Region, ...]
    pads: tuple[Pads, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Fused layers executed tile by tile. Only `edges` that some tile pads or crops are listed."""

    layers: tuple[Layer, ...]
    input: str
    cut: tuple[str, ...]
    grid: Grid
    edges: tuple[Edge, ...]
    tiles: tuple[Tile, ...]


def partition(network: Network, cut: Sequence[str], grid: Grid, *, balanced: bool = False) -> Stage:
    """Fuse the layers before `cut` and divide them into the tiles of `grid`.

    The grid divides the coarsest map at the cut, evenly as in the paper, or so that tiles are `balanced` with their
    halos; finer maps are divided at the same places, axis by axis.
    Raises CutError for a layer that cannot be tiled, ConfigurationError for a grid with empty tiles.
    Source: paper, section III-A, algorithm 1, extended to graphs with branches.
    """
    layers = network.head(cut)
    for layer in layers:
        refuse_untileable(layer, network.shapes)
    sizes = [network.shapes[tensor][2:] for tensor in cut]
    outputs = divide(sizes, grid, halo_of(network, layers, cut) if balanced else NO_HALO)
    propagation = Propagation(network, layers)
    propagated = [propagation.regions(dict(zip(cut, regions, strict=True))) for regions in outputs]
    pads = [pads_of(layers, regions) for regions in propagated]
    edges = tuple(edge for edge in pads[0] if any(of_tile[edge] != NO_PADS for of_tile in pads))
    return Stage(
        layers=layers,
        input=network.input,
        cut=tuple(cut),
        grid=grid,
        edges=edges,
        tiles=tuple(
            Tile(index, regions.boxes[network.input], outputs[index], tuple(pads[index][edge] for edge in edges))
            for index, regions in enumerate(propagated)
        ),
    )


def divide(sizes: Sequence[Sequence[int]], grid: Grid, halo: tuple[float, float] = NO_HALO) -> list[tuple[Region, ...]]:
    """What each tile of `grid` has of maps of these sizes (height, width). Raises ConfigurationError."""
    coarsest = min(height for height, _ in sizes), min(width for _, width in sizes)
    return [tuple(_scaled(cell, coarsest, size) for size in sizes) for cell in grid.cells(*coarsest, halo)]


def halo_of(network: Network, layers: Sequence[Layer], cut: Sequence[str]) -> tuple[float, float]:
    """Rows and columns that a tile needs beyond its own on each side, in cells of the coarsest map at the cut."""
    field = receptive_field(network, layers, cut)
    cells = [min(network.shapes[tensor][2 + axis] for tensor in cut) for axis in (0, 1)]
    steps = [size / count for size, count in zip(network.input_size, cells, strict=True)]
    rows, columns = (max(0.0, (seen - step) / 2 / step) for seen, step in zip(field, steps, strict=True))
    return rows, columns


def receptive_field(network: Network, layers: Sequence[Layer], maps: Sequence[str]) -> tuple[int, int]:
    """Height and width, in pixels, of what one cell in the middle of the maps sees of the picture."""
    regions = {tensor: _middle(network.shapes[tensor][2:]) for tensor in maps}
    for layer in reversed(layers):
        seen = [regions[tensor] for tensor in layer.outputs if tensor in regions]
        if seen:
            needed = demand(layer, reduce(Region.hull, seen), network.shapes)
            for tensor in layer.inputs:
                regions[tensor] = regions.get(tensor, needed).hull(needed)
    field = regions[network.input]
    return field.height, field.width


def _middle(size: Sequence[int]) -> Region:
    return Region(size[0] // 2, size[1] // 2, size[0] // 2 + 1, size[1] // 2 + 1)


def _scaled(cell: Region, coarse: Sequence[int], fine: Sequence[int]) -> Region:
    """The part of a finer map that belongs to a cell of the coarsest one."""
    return Region(
        cell.top * fine[0] // coarse[0],
        cell.left * fine[1] // coarse[1],
        cell.bottom * fine[0] // coarse[0],
        cell.right * fine[1] // coarse[1],
    )


@dataclass(frozen=True, slots=True)
class Regions:
    """What one tile takes part in: of every map the `box` that is computed, and what each edge `wants` of it.

    `made` has the maps of which a layer can only make more than the box.
    """

    boxes: Mapping[str, Region]
    wants: Mapping[Edge, Region]
    made: Mapping[str, Region]


class Propagation:
    """Backward propagation through the layers of a network, for any number of tiles and cuts."""

    def __init__(self, network: Network, layers: Sequence[Layer]) -> None:
        self._input = network.input
        self._layers = layers
        self._sizes = {tensor: shape[2:] for tensor, shape in network.shapes.items() if len(shape) == 4}
        self._axes = {layer.name: axes_of(layer, network.shapes) for layer in layers}
        self._reads = {layer.name: tuple({*layer.inputs, *cell_constants(layer)}) for layer in layers}

    def regions(self, outputs: Mapping[str, Region], count: int | None = None) -> Regions:
        """One reverse topological pass through the first `count` layers, from the regions of the maps at a cut."""
        wanted: dict[str, dict[Edge, Region]] = defaultdict(dict)
        for tensor, region in outputs.items():
            wanted[tensor][Edge(tensor, None)] = region
        boxes: dict[str, Region] = {}
        made: dict[str, Region] = {}
        for layer in reversed(self._layers[:count]):
            box = self._settle(layer.outputs, wanted, boxes)
            if box is None:
                continue
            rows, columns = self._axes[layer.name]
            (top, bottom), (left, right) = rows.needs(box.top, box.bottom), columns.needs(box.left, box.right)
            needed = Region(top, left, bottom, right)
            for tensor in self._reads[layer.name]:
                wanted[tensor][Edge(tensor, layer.name)] = needed
            if layer.op in SPREADING:
                (top, bottom), (left, right) = rows.makes(top, bottom), columns.makes(left, right)
                made[layer.outputs[0]] = Region(top, left, bottom, right)
        self._settle([self._input], wanted, boxes)
        return Regions(boxes, {edge: region for edges in wanted.values() for edge, region in edges.items()}, made)

    def _settle(
        self, tensors: Sequence[str], wanted: Mapping[str, Mapping[Edge, Region]], boxes: dict[str, Region]
    ) -> Region | None:
        """All consumers of the outputs of one layer have said what they want of them: fix their box."""
        regions = [
            region.clip(*self._sizes[name]) for name in tensors if name in wanted for region in wanted[name].values()
        ]
        if not regions:
            return None
        box = reduce(Region.hull, regions)
        boxes.update(dict.fromkeys(tensors, box))
        return box


def pads_of(layers: Sequence[Layer], regions: Regions) -> dict[Edge, Pads]:
    """What each edge adds to the box of its map, or crops from it, in a fixed order."""
    constants = {name: shape for layer in layers for name, shape in cell_constants(layer).items()}
    pads: dict[Edge, Pads] = {}
    for edge, region in regions.wants.items():
        if edge.tensor in constants:
            pads[edge] = _crop_of_constant(constants[edge.tensor], region)
        else:
            pads[edge] = _pads(regions.boxes[edge.tensor], region)
    for layer in layers:
        if layer.op in SPREADING:
            (tensor,) = layer.outputs
            pads[Edge(tensor, layer.name)] = _pads(regions.made[tensor], regions.boxes[tensor])
    return {edge: pads[edge] for edge in sorted(pads, key=lambda edge: (edge.layer or "", edge.tensor))}


def _pads(box: Region, region: Region) -> Pads:
    """How `region` (which may reach over the border) is made from the computed `box`."""
    return (
        box.top - region.top,
        box.left - region.left,
        region.bottom - box.bottom,
        region.right - box.right,
    )


def _crop_of_constant(shape: Shape, region: Region) -> Pads:
    """How the part for `region` is cut out of a constant that has a value for every row, every column, or both."""
    top, left, bottom, right = _pads(Region.whole(*shape[2:]), region)
    rows, columns = shape[2] > 1, shape[3] > 1
    return (top * rows, left * columns, bottom * rows, right * columns)
