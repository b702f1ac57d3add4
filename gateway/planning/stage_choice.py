"""Chooses the stages of a division: behind which layers the devices exchange the borders of their maps. Pure.

Fused layers need no exchange, but each device computes the halos of its tile once more, and these grow with the number
of layers. With more stages less is computed twice; each exchange costs a transfer, and waiting.

Source: Zhou et al., "Adaptive parallel execution of deep neural networks on heterogeneous edge devices" (AOFL), SEC
2019: dynamic programming over the number of layers that are fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from gateway.planning.kernel_costs import cost_of_cells
from gateway.planning.profiles import EXCHANGE_COST, SMALLEST_SHARE
from shared.ftp.costs import map_bytes
from shared.ftp.cuts import layer_cuts
from shared.ftp.propagation import Propagation
from shared.ftp.region import Region
from shared.ftp.tiles import divide_maps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from shared.ftp.grid import Grid
    from shared.ftp.propagation import TileRegions
    from shared.model.network import Network

CutMaps = tuple[str, ...]
"""The names of the maps at a cut."""


@dataclass(frozen=True, slots=True)
class StageTerms:
    """The costs of computing and exchanging: operations a second of a device, bytes a second of its link.

    `exchange_cost`: what an exchange costs a tile's device, in operations.

    `exchange_s`: seconds of an exchange besides its bytes and the device's own handling: waiting for the slowest
    neighbour. The usual values are assumed, for small computers with four cores and 100 Mbit/s.
    """

    macs_per_s: float = 15e9
    bytes_per_s: float = 12.5e6
    exchange_s: float = 0.008
    exchange_cost: float = EXCHANGE_COST


USUAL_TERMS = StageTerms()


@dataclass(frozen=True, slots=True)
class StageWay:
    """Stages up to a cut: the maps behind each, and the predicted seconds until the last one ends."""

    cuts: tuple[CutMaps, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Division:
    """The maps at a cut, divided: by tile, the `regions` of each map that it makes, and what it needs to make them.

    `propagated` are, by tile, the regions of all maps before, back to the picture.
    """

    maps: CutMaps
    regions: Sequence[tuple[Region, ...]]
    layers: frozenset[str]
    propagated: Sequence[TileRegions]


def choose_stages(
    network: Network, cut: Sequence[str], grid: Grid, shares: Sequence[float] = (), terms: StageTerms = USUAL_TERMS
) -> tuple[CutMaps, ...]:
    """Return the cuts at which the stages end; the last one is `cut`. A frame alone is predicted to end soonest so.

    `shares` as in `partition`. Raises CutError; ConfigurationError when the grid is larger than the maps at `cut`.
    """
    return stage_ways(network, cut, grid, shares, terms)[-1].cuts


def stage_ways(
    network: Network, cut: Sequence[str], grid: Grid, shares: Sequence[float] = (), terms: StageTerms = USUAL_TERMS
) -> list[StageWay]:
    """Return the fastest stages up to each cut between layers that the grid can divide, `cut` last.

    Raises as `choose_stages` does.
    """
    divisions = [_divide(network, maps, grid, shares) for maps in _usable_cuts(network, cut, grid)]
    speeds = _speeds(grid, shares, terms)
    costs = {layer.name: (layer.outputs[0], *cost_of_cells(layer, network.shapes)) for layer in network.layers}
    # By division: the shortest time until all devices have made these maps, and the divisions before on the way.
    ends: list[tuple[float, tuple[_Division, ...]]] = []
    for division in divisions:
        ways = [(0.0, ()), *ends]
        ends.append(
            min(
                (
                    (before_s + _stage_s(network, way, division, speeds, costs, terms), (*way, division))
                    for before_s, way in ways
                ),
                key=lambda end: (end[0], len(end[1])),
            )
        )
    return [StageWay(tuple(division.maps for division in way), seconds) for seconds, way in ends]


def _usable_cuts(network: Network, cut: Sequence[str], grid: Grid) -> list[CutMaps]:
    """Return the cuts between layers whose maps are large enough to be divided; always the last one."""
    *before, last = layer_cuts(network, cut)
    return [*(maps for maps in before if _fits(network, maps, grid)), last]


def _fits(network: Network, maps: CutMaps, grid: Grid) -> bool:
    return all(network.shapes[name][2] >= grid.rows and network.shapes[name][3] >= grid.columns for name in maps)


def _divide(network: Network, maps: CutMaps, grid: Grid, shares: Sequence[float]) -> _Division:
    layers = network.head_layers(maps)
    regions = divide_maps([network.shapes[name][2:] for name in maps], grid, shares=shares)
    propagation = Propagation(network, layers)
    propagated = [propagation.propagate(dict(zip(maps, of_tile, strict=True))) for of_tile in regions]
    return _Division(maps, regions, frozenset(layer.name for layer in layers), propagated)


def _speeds(grid: Grid, shares: Sequence[float], terms: StageTerms) -> list[float]:
    """Return the operations a second of the device of each tile."""
    if not shares:
        return [terms.macs_per_s] * grid.count
    mean = sum(shares) / len(shares)
    return [terms.macs_per_s * max(SMALLEST_SHARE, share / mean) for share in shares]


def _stage_s(
    network: Network,
    way: Sequence[_Division],
    division: _Division,
    speeds: Sequence[float],
    costs: Mapping[str, tuple[str, float, float]],
    terms: StageTerms,
) -> float:
    """Return the seconds of the stage from the end of a way to a division: of its slowest tile, and its exchange."""
    before = way[-1] if way else None
    fused = division.layers - (before.layers if before else frozenset())
    fused_costs = [costs[name] for name in fused]
    computing_s = max(
        sum(cell * tile.boxes[made].area + fixed for made, cell, fixed in fused_costs if made in tile.boxes) / speed
        for tile, speed in zip(division.propagated, speeds, strict=True)
    )
    if before is None:
        return computing_s
    received = max(
        sum(_bytes_from_others(network, name, needed, made)
            for name, made in zip(before.maps, of_tile, strict=True)
            if (needed := _needed_region(network, name, tile, fused)) is not None)
        for tile, of_tile in zip(division.propagated, before.regions, strict=True)
    )  # fmt: skip
    return computing_s + terms.exchange_cost / min(speeds) + terms.exchange_s + received / terms.bytes_per_s


def _needed_region(network: Network, name: str, tile: TileRegions, fused: Collection[str]) -> Region | None:
    """Return the region of a map that the layers of a stage read, or its cut; None when they need nothing of it.

    Layers of earlier stages may read more of it: that was exchanged before.
    """
    wants = [
        region.clip(*network.shapes[name][2:])
        for edge, region in tile.wants.items()
        if edge.tensor == name and (edge.layer is None or edge.layer in fused)
    ]
    return reduce(Region.hull, wants) if wants else None


def _bytes_from_others(network: Network, name: str, needed: Region, made: Region) -> int:
    """Return the bytes of a tile's region of a map that other tiles have made."""
    common = needed.overlap(made)
    return map_bytes(network, name, needed) - (map_bytes(network, name, common) if common else 0)
