"""Chooses the stages of a division: behind which layers the devices exchange the borders of their maps. Pure.

Fused layers need no exchange, but each device computes the halos of its tile once more, and these grow with the number
of layers. With more stages less is computed twice; each exchange costs a transfer, and waiting.

Source: Zhou et al., "Adaptive parallel execution of deep neural networks on heterogeneous edge devices" (AOFL), SEC
2019: dynamic programming over the number of layers that are fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway.planning.cut_regions import CutRegions
from gateway.planning.kernel_costs import unit_costs
from gateway.planning.profiles import EXCHANGE_COST, SMALLEST_SHARE
from gateway.planning.stage_costs import LayerCosts
from shared.ftp.cuts import layer_cuts
from shared.ftp.tiles import divide_maps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.cut_regions import CutMaps, RegionTables
    from shared.ftp.grid import Grid
    from shared.model.network import Network


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
    cuts = layer_cuts(network, cut)
    costs = LayerCosts(network, network.head_layers(cut))
    regions = divide_stages(costs.tables, cuts, grid, shares)
    return fastest_ways(costs, regions, tile_speeds(grid, shares, terms), terms)


def fits_maps(network: Network, maps: CutMaps, grid: Grid) -> bool:
    """Return whether maps are large enough to be divided."""
    return all(network.shapes[name][2] >= grid.rows and network.shapes[name][3] >= grid.columns for name in maps)


def divide_stages(
    tables: RegionTables, cuts: Sequence[CutMaps], grid: Grid, shares: Sequence[float] = ()
) -> CutRegions:
    """Return the regions of the tiles of a grid behind the last of these cuts, and those of maps that are large enough.

    Raises ConfigurationError if the maps of the last one are not.
    """
    *inner, last = cuts
    return divide_cuts(tables, [*(maps for maps in inner if fits_maps(tables.network, maps, grid)), last], grid, shares)


def divide_cuts(tables: RegionTables, cuts: Sequence[CutMaps], grid: Grid, shares: Sequence[float] = ()) -> CutRegions:
    """Return the regions of the tiles of a grid behind each of these cuts; raises ConfigurationError.

    `shares` as in `partition`.
    """
    shapes = tables.network.shapes
    return CutRegions(
        tables, cuts, [divide_maps([shapes[name][2:] for name in maps], grid, shares=shares) for maps in cuts]
    )


def tile_speeds(grid: Grid, shares: Sequence[float], terms: StageTerms) -> list[float]:
    """Return the operations a second of the device of each tile."""
    if not shares:
        return [terms.macs_per_s] * grid.count
    mean = sum(shares) / len(shares)
    return [terms.macs_per_s * max(SMALLEST_SHARE, share / mean) for share in shares]


def fastest_ways(costs: LayerCosts, regions: CutRegions, speeds: Sequence[float], terms: StageTerms) -> list[StageWay]:
    """Return the fastest stages up to each of these cuts, for tiles of devices of these speeds."""
    seconds = _stage_seconds(costs, regions, speeds, terms)
    # By cut: the shortest time until all devices have made its maps, and the cuts on the way, by number.
    ends: list[tuple[float, tuple[int, ...]]] = []
    for behind in range(len(regions.cuts)):
        ways = [(0.0, ()), *ends]
        ends.append(
            min(
                ((before_s + of[behind], (*way, behind)) for (before_s, way), of in zip(ways, seconds, strict=False)),
                key=lambda end: (end[0], len(end[1])),
            )
        )
    return [StageWay(tuple(regions.cuts[number] for number in way), end_s) for end_s, way in ends]


def _stage_seconds(
    costs: LayerCosts, regions: CutRegions, speeds: Sequence[float], terms: StageTerms
) -> list[list[float]]:
    """Return the seconds of the stage from the picture, or from each cut, up to each cut behind it.

    These are the seconds of its slowest tile, and of its exchange.
    """
    usual = np.array(unit_costs({}))
    of_cell, fixed = (units @ usual for units in (costs.of_cell, costs.fixed))
    tiles = of_cell[:, None, None] * regions.areas + (fixed[:, None] * regions.heads)[:, :, None]
    # By stage's begin, whether a layer is behind it: all are behind the picture.
    begun = np.vstack([np.ones(len(of_cell)), ~regions.heads.T])
    computing_s = (np.einsum("bl,lct->bct", begun, tiles) / speeds).max(axis=2)
    received = [costs.received_bytes(regions, after).max(axis=1) for after in range(len(regions.cuts))]
    computing_s[1:] += terms.exchange_cost / min(speeds) + terms.exchange_s
    computing_s[1:] += np.array(received) / terms.bytes_per_s
    seconds: list[list[float]] = computing_s.tolist()
    return seconds
