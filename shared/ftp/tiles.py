"""Backward propagation: from the tiles of a cut to what each needs of every map before it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.ftp.region import Region
from shared.ftp.windows import demand, refuse_untileable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.grid import Grid
    from shared.model.network import Layer, Network

Pads = tuple[int, int, int, int]
"""(top, left, bottom, right) in cells: border to add where positive, cells to crop where negative."""

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Edge:
    """One use of a map: by input number `position` of a layer, or as a result when `layer` is None."""

    tensor: str
    layer: str | None
    position: int


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


def partition(network: Network, cut: Sequence[str], grid: Grid) -> Stage:
    """Fuse the layers before `cut` and divide them into the tiles of `grid`.

    The grid divides the coarsest map at the cut; finer ones are divided at the same places, axis by axis.
    Raises CutError for a layer that cannot be tiled, ConfigurationError for a grid with empty tiles.
    Source: paper, section III-A, algorithm 1, extended to graphs with branches.
    """
    layers = network.head(cut)
    for layer in layers:
        refuse_untileable(layer, network.shapes)
    sizes = [network.shapes[tensor][2:] for tensor in cut]
    coarsest = min(height for height, _ in sizes), min(width for _, width in sizes)
    cells = grid.cells(*coarsest)
    outputs = [tuple(_scaled(cell, coarsest, size) for size in sizes) for cell in cells]
    propagated = [_propagate(network, layers, dict(zip(cut, regions, strict=True))) for regions in outputs]
    edges = tuple(edge for edge in propagated[0][1] if any(pads[edge] != NO_PADS for _, pads in propagated))
    return Stage(
        layers=layers,
        input=network.input,
        cut=tuple(cut),
        grid=grid,
        edges=edges,
        tiles=tuple(
            Tile(index, boxes[network.input], regions, tuple(pads[edge] for edge in edges))
            for index, (regions, (boxes, pads)) in enumerate(zip(outputs, propagated, strict=True))
        ),
    )


def _scaled(cell: Region, coarse: Sequence[int], fine: Sequence[int]) -> Region:
    """The part of a finer map that belongs to a cell of the coarsest one."""
    return Region(
        cell.top * fine[0] // coarse[0],
        cell.left * fine[1] // coarse[1],
        cell.bottom * fine[0] // coarse[0],
        cell.right * fine[1] // coarse[1],
    )


def _propagate(
    network: Network, layers: Sequence[Layer], outputs: Mapping[str, Region]
) -> tuple[dict[str, Region], dict[Edge, Pads]]:
    """One reverse topological pass: the box of every map, and the pads of every edge."""
    wanted: dict[str, list[tuple[Edge, Region]]] = defaultdict(list)
    for position, (tensor, region) in enumerate(outputs.items()):
        wanted[tensor].append((Edge(tensor, None, position), region))
    boxes: dict[str, Region] = {}
    pads: dict[Edge, Pads] = {}

    def settle(tensor: str) -> Region:
        """All consumers of `tensor` have said what they want of it: fix its box and their pads."""
        size = network.shapes[tensor][2:]
        uses = wanted.pop(tensor)
        box = uses[0][1].clip(*size)
        for _, region in uses[1:]:
            box = box.hull(region.clip(*size))
        boxes[tensor] = box
        pads.update({edge: _pads(box, region) for edge, region in uses})
        return box

    for layer in reversed(layers):
        (output,) = layer.outputs
        region = demand(layer, settle(output))
        for position, tensor in enumerate(layer.inputs):
            wanted[tensor].append((Edge(tensor, layer.name, position), region))
    settle(network.input)
    return boxes, {edge: pads[edge] for edge in sorted(pads, key=lambda e: (e.layer or "", e.position, e.tensor))}


def _pads(box: Region, region: Region) -> Pads:
    """How `region` (which may reach over the border) is made from the computed `box`."""
    return (
        box.top - region.top,
        box.left - region.left,
        region.bottom - box.bottom,
        region.right - box.right,
    )
