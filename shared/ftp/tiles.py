"""Backward propagation: from the tiles of a cut to what each needs of every map before it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from shared.ftp.macs import macs_of_regions
from shared.ftp.operators import SPREADING, axes_of, cell_constants, demand, refuse_untileable
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.ftp.grid import Grid
    from shared.model.network import Layer, Network, Shape

Pads = tuple[int, int, int, int]
"""(top, left, bottom, right) in cells: border to add where positive, cells to crop where negative."""

Kind = tuple[tuple[Pads, ...], tuple[tuple[int, int, int, int], ...], tuple[tuple[int, int, int, int, int, int], ...]]
"""Pads, strips taken and strips given, as in Form."""

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
class Strip:
    """Cells of a map at a joint of the stage that one tile computes and another reads; `tile` is the other of the two.

    `side` is where they lie for the one that reads: 0 above, 1 below, 2 left, 3 right. `origin` is the (top, left) of
    what the one that computes them has of the map.
    """

    joint: int
    side: int
    tile: int
    region: Region
    origin: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Form:
    """All that an engine must know of a tile; tiles whose forms are of one `kind` are computed by the same program.

    `sizes` are the (height, width) of the inputs. `pads` says, for each edge of the stage in order, what to add to or
    crop from the map on its way into the layer. `taken` are (joint, side, height, width) of the strips it is given;
    `given` are (joint, side, top, left, bottom, right) of those it makes, in cells of its own part of the map.
    """

    sizes: tuple[tuple[int, int], ...]
    pads: tuple[Pads, ...]
    taken: tuple[tuple[int, int, int, int], ...] = ()
    given: tuple[tuple[int, int, int, int, int, int], ...] = ()

    @property
    def kind(self) -> Kind:
        """All but the size of the tile."""
        return self.pads, self.taken, self.given


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a stage: what it reads of each input, what it makes of each map at the cut.

    `pads` as in Form; `macs` is what it computes, in multiply-accumulate operations. `taken` are the strips that it
    reads instead of computing them, `given` those that it makes for others; both in order of joint and side.
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
        given = tuple((strip.joint, strip.side, *strip.region.seen_from(*strip.origin).corners) for strip in self.given)
        return Form(tuple((region.height, region.width) for region in self.inputs), self.pads, taken, given)


@dataclass(frozen=True, slots=True)
class Stage:
    """Fused layers executed tile by tile. Only `edges` that some tile pads or crops are listed.

    With reuse, `joints` are the maps of which strips are handed on, and `reusing` has, by index, the tiles as they are
    computed from strips of their neighbours (None for those that depend on nobody).
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
    def forms(self) -> tuple[Form, ...]:
        """One form of every kind of tile."""
        tiles = (*self.tiles, *(tile for tile in self.reusing if tile is not None))
        return tuple({tile.form.kind: tile.form for tile in tiles}.values())


def partition(
    network: Network,
    cut: Sequence[str],
    grid: Grid,
    *,
    after: Sequence[str] = (),
    balanced: bool = False,
    shares: Sequence[float] = (),
) -> Stage:
    """Fuse the layers between `after` (the picture, when empty) and `cut`, and divide them into the tiles of `grid`.

    The grid divides the coarsest map at the cut: evenly as in the paper, or so that tiles are `balanced` with their
    halos, or, along the one axis of a grid that has but one, by the `shares` of its tiles. Finer maps are divided at
    the same places, axis by axis.
    Raises CutError for a layer that cannot be tiled, ConfigurationError for a grid with empty tiles.
    Source: paper, section III-A, algorithm 1, extended to graphs with branches.
    """
    layers = network.between(after, cut)
    for layer in layers:
        refuse_untileable(layer, network.shapes)
    sizes = [network.shapes[tensor][2:] for tensor in cut]
    outputs = divide(sizes, grid, halo_of(network, layers, cut, after) if balanced else NO_HALO, shares)
    inputs = tuple(after) or (network.input,)
    propagation = Propagation(network, layers, inputs)
    propagated = [propagation.regions(dict(zip(cut, regions, strict=True))) for regions in outputs]
    pads = [pads_of(layers, regions) for regions in propagated]
    edges = edges_of(pads)
    return Stage(
        layers=layers,
        inputs=inputs,
        cut=tuple(cut),
        grid=grid,
        edges=edges,
        tiles=tuple(
            Tile(
                index,
                tuple(regions.boxes[tensor] for tensor in inputs),
                outputs[index],
                tuple(pads[index][edge] for edge in edges),
                macs_of_regions(network, layers, regions.boxes),
            )
            for index, regions in enumerate(propagated)
        ),
    )


def edges_of(pads: Sequence[Mapping[Edge, Pads]]) -> tuple[Edge, ...]:
    """The edges that some tile pads or crops."""
    return tuple(edge for edge in pads[0] if any(of_tile[edge] != NO_PADS for of_tile in pads))


def divide(
    sizes: Sequence[Sequence[int]],
    grid: Grid,
    halo: tuple[float, float] = NO_HALO,
    shares: Sequence[float] = (),
) -> list[tuple[Region, ...]]:
    """What each tile of `grid` has of maps of these sizes (height, width). Raises ConfigurationError."""
    coarsest = min(height for height, _ in sizes), min(width for _, width in sizes)
    return [tuple(_scaled(cell, coarsest, size) for size in sizes) for cell in grid.cells(*coarsest, halo, shares)]


def halo_of(
    network: Network, layers: Sequence[Layer], cut: Sequence[str], after: Sequence[str] = ()
) -> tuple[float, float]:
    """Rows and columns that a tile needs beyond its own on each side, in cells of the coarsest map at the cut.

    Of the maps `after` which the layers begin, the one of which it needs the most.
    """
    seen = _seen(network, layers, cut)
    cells = [min(network.shapes[tensor][2 + axis] for tensor in cut) for axis in (0, 1)]
    rows, columns = 0.0, 0.0
    for tensor in after or (network.input,):
        down, across = (size / count for size, count in zip(network.shapes[tensor][2:], cells, strict=True))
        rows = max(rows, (seen[tensor].height - down) / 2 / down)
        columns = max(columns, (seen[tensor].width - across) / 2 / across)
    return rows, columns


def receptive_field(network: Network, layers: Sequence[Layer], maps: Sequence[str]) -> tuple[int, int]:
    """Height and width, in pixels, of what one cell in the middle of the maps sees of the picture."""
    field = _seen(network, layers, maps)[network.input]
    return field.height, field.width


def _seen(network: Network, layers: Sequence[Layer], maps: Sequence[str]) -> dict[str, Region]:
    """What one cell in the middle of the maps sees of every map before."""
    regions = {tensor: _middle(network.shapes[tensor][2:]) for tensor in maps}
    for layer in reversed(layers):
        seen = [regions[tensor] for tensor in layer.outputs if tensor in regions]
        if seen:
            needed = demand(layer, reduce(Region.hull, seen), network.shapes)
            for tensor in layer.inputs:
                regions[tensor] = regions.get(tensor, needed).hull(needed)
    return regions


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
    """What one tile takes part in: of every map the `box` that is read, and what each edge `wants` of it.

    `made` has the maps of which a layer can only make more than it should, `own` those of which the tile computes less
    than the box, as it takes the rest from others.
    """

    boxes: Mapping[str, Region]
    wants: Mapping[Edge, Region]
    made: Mapping[str, Region]
    own: Mapping[str, Region]

    @property
    def computed(self) -> Mapping[str, Region]:
        """What the tile computes of every map."""
        return {**self.boxes, **self.own}


class Propagation:
    """Backward propagation through the layers of a network, for any number of tiles and cuts."""

    def __init__(self, network: Network, layers: Sequence[Layer], inputs: Sequence[str] = ()) -> None:
        self._inputs = tuple(inputs) or (network.input,)
        self._layers = layers
        self._sizes = {tensor: shape[2:] for tensor, shape in network.shapes.items() if len(shape) == 4}
        self._axes = {layer.name: axes_of(layer, network.shapes) for layer in layers}
        self._reads = {layer.name: tuple({*layer.inputs, *cell_constants(layer)}) for layer in layers}

    def regions(
        self,
        outputs: Mapping[str, Region],
        count: int | None = None,
        spare: Callable[[Layer, Region], Region] | None = None,
    ) -> Regions:
        """One reverse topological pass through the first `count` layers, from the regions of the maps at a cut.

        `spare` tells which part of the region that is read of a layer's map must be computed; all of it without.
        """
        wanted: dict[str, dict[Edge, Region]] = defaultdict(dict)
        for tensor, region in outputs.items():
            wanted[tensor][Edge(tensor, None)] = region
        boxes: dict[str, Region] = {}
        made: dict[str, Region] = {}
        own: dict[str, Region] = {}
        for layer in reversed(self._layers[:count]):
            box = self._settle(layer.outputs, wanted, boxes)
            if box is None:
                continue
            if spare is not None and (part := spare(layer, box)) != box:
                box = own[layer.outputs[0]] = part
            rows, columns = self._axes[layer.name]
            (top, bottom), (left, right) = rows.needs(box.top, box.bottom), columns.needs(box.left, box.right)
            needed = Region(top, left, bottom, right)
            for tensor in self._reads[layer.name]:
                wanted[tensor][Edge(tensor, layer.name)] = needed
            if layer.op in SPREADING:
                (top, bottom), (left, right) = rows.makes(top, bottom), columns.makes(left, right)
                made[layer.outputs[0]] = Region(top, left, bottom, right)
        for tensor in self._inputs:
            self._settle([tensor], wanted, boxes)
        wants = {edge: region for edges in wanted.values() for edge, region in edges.items()}
        return Regions(boxes, wants, made, own)

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
            pads[Edge(tensor, layer.name)] = _pads(regions.made[tensor], regions.own.get(tensor, regions.boxes[tensor]))
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
