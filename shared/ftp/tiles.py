"""Partitioning: fuse a network's layers up to a cut, and divide them into tiles."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of, macs_of_regions
from shared.ftp.operators import check_tileable, required_region
from shared.ftp.propagation import Propagation, edges_of, pads_of
from shared.ftp.region import Region
from shared.ftp.stage import Stage, Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.network import Layer, Network

NO_HALO = (0.0, 0.0)
"""The halo, in both axes, of tiles that read nothing beside their own region. With it, all tiles get equal sizes."""


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

    The grid divides the coarsest map at the cut: evenly as in the paper, `balanced` so that tiles are equal including
    their halos, or by the `shares` of tiles. Finer maps are divided at the same positions, axis by axis.
    Raises CutError for a layer that cannot be tiled, ConfigurationError for a grid with empty tiles.
    Source: paper, section III-A, algorithm 1, extended to graphs with branches.
    """
    layers = network.layers_between(after, cut)
    for layer in layers:
        check_tileable(layer, network.shapes)
    sizes = [network.shapes[tensor][2:] for tensor in cut]
    outputs = divide_maps(sizes, grid, halo_of(network, layers, cut, after) if balanced else NO_HALO, shares)
    inputs = tuple(after) or (network.input,)
    propagation = Propagation(network, layers, inputs)
    propagated = [propagation.propagate(dict(zip(cut, regions, strict=True))) for regions in outputs]
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


def whole_stage(network: Network) -> Stage:
    """Return the whole network as one tile, which reads the picture and gives the network's outputs.

    All layers are allowed. Outputs may have any shape, so the tile has no output regions.
    """
    tile = Tile(0, (Region.whole(*network.input_size),), (), (), macs_of(network, network.layers))
    return Stage(network.layers, (network.input,), network.outputs, Grid(1, 1), (), (tile,))


def divide_maps(
    sizes: Sequence[Sequence[int]],
    grid: Grid,
    halo: tuple[float, float] = NO_HALO,
    shares: Sequence[float] = (),
) -> list[tuple[Region, ...]]:
    """Return, for each tile, its regions of maps of these sizes (height, width).

    `grid`, `halo` and `shares` divide the coarsest map, see Grid.divide. Raises ConfigurationError.
    """
    coarsest = min(height for height, _ in sizes), min(width for _, width in sizes)
    return [tuple(_scaled(cell, coarsest, size) for size in sizes) for cell in grid.divide(*coarsest, halo, shares)]


def halo_of(
    network: Network, layers: Sequence[Layer], cut: Sequence[str], after: Sequence[str] = ()
) -> tuple[float, float]:
    """Return the rows and columns of the halo on each side of a tile, in cells of the coarsest map at the cut.

    With several maps in `after`, the largest halo counts.
    """
    fields = _fields_of_middle_cell(network, layers, cut)
    cells = [min(network.shapes[tensor][2 + axis] for tensor in cut) for axis in (0, 1)]
    rows, columns = 0.0, 0.0
    for tensor in after or (network.input,):
        cell_height, cell_width = (size / count for size, count in zip(network.shapes[tensor][2:], cells, strict=True))
        rows = max(rows, (fields[tensor].height - cell_height) / 2 / cell_height)
        columns = max(columns, (fields[tensor].width - cell_width) / 2 / cell_width)
    return rows, columns


def receptive_field(network: Network, layers: Sequence[Layer], maps: Sequence[str]) -> tuple[int, int]:
    """Return (height, width), in pixels, of the part of the picture that a cell in the middle of the maps reads."""
    field = _fields_of_middle_cell(network, layers, maps)[network.input]
    return field.height, field.width


def _fields_of_middle_cell(network: Network, layers: Sequence[Layer], maps: Sequence[str]) -> dict[str, Region]:
    """Return the region of every earlier map that one cell in the middle of the maps depends on."""
    regions = {tensor: _middle(network.shapes[tensor][2:]) for tensor in maps}
    for layer in reversed(layers):
        read = [regions[tensor] for tensor in layer.outputs if tensor in regions]
        if read:
            needed = required_region(layer, reduce(Region.hull, read), network.shapes)
            for tensor in layer.inputs:
                regions[tensor] = regions.get(tensor, needed).hull(needed)
    return regions


def _middle(size: Sequence[int]) -> Region:
    return Region(size[0] // 2, size[1] // 2, size[0] // 2 + 1, size[1] // 2 + 1)


def _scaled(cell: Region, coarse: Sequence[int], fine: Sequence[int]) -> Region:
    """Return the part of a finer map that corresponds to a region of the coarsest one."""
    return Region(
        cell.top * fine[0] // coarse[0],
        cell.left * fine[1] // coarse[1],
        cell.bottom * fine[0] // coarse[0],
        cell.right * fine[1] // coarse[1],
    )
