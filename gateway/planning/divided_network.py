"""Divides a network for a search of plans: what does not depend on the devices is computed once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.planning.cut_regions import CutRegions
from gateway.planning.plan_prediction import costs_of_cuts
from gateway.planning.stage_choice import divide_cuts, divide_stages, fastest_ways, fits_maps, tile_speeds
from gateway.planning.stage_costs import LayerCosts, layer_weight_bytes
from shared.errors import CutError
from shared.ftp.cuts import crossing_bytes, distinct_cuts, layer_cuts, possible_cuts
from shared.ftp.macs import macs_of
from shared.ftp.tiles import divide_maps, halo_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.cut_regions import CutMaps
    from gateway.planning.plan_prediction import DivisionCosts
    from gateway.planning.stage_choice import StageTerms, StageWay
    from shared.ftp.cuts import Cut
    from shared.ftp.grid import Grid
    from shared.model.network import Network


@dataclass(frozen=True, slots=True)
class HeadCosts:
    """The bytes of the weights before a cut, and of its maps; the operations behind it."""

    weight_bytes: int
    map_bytes: int
    tail_macs: int


class DividedNetwork:
    """A network during one search, in which each of its divisions is needed several times."""

    def __init__(self, network: Network, cut: Sequence[str] = ()) -> None:
        """`cut`: the only one that may be the last; without it, any that is possible. Raises CutError."""
        self.network = network
        self.macs = macs_of(network, network.layers)
        self.given = tuple(cut)
        self._costs = LayerCosts(network, network.head_layers(cut) if cut else self.deepest.layers)
        self._last_cuts = [self.given] if cut else [found.maps for found in distinct_cuts(network)]
        self._halos = {maps: halo_of(network, network.head_layers(maps), maps) for maps in self._last_cuts}
        self._heads: dict[CutMaps, HeadCosts] = {}
        self._even: dict[Grid, CutRegions] = {}

    @cached_property
    def deepest(self) -> Cut:
        """Return the deepest possible cut. Raises CutError when there is none."""
        return possible_cuts(self.network)[-1]

    @cached_property
    def _stage_cuts(self) -> list[CutMaps]:
        return layer_cuts(self.network, self.given or self.deepest.maps)

    def head_costs(self, maps: CutMaps) -> HeadCosts:
        """Return the costs of the layers before and behind a cut."""
        if maps not in self._heads:
            head = self.network.head_layers(maps)
            self._heads[maps] = HeadCosts(
                sum(layer_weight_bytes(layer) for layer in head),
                crossing_bytes(self.network, maps),
                self.macs - macs_of(self.network, head),
            )
        return self._heads[maps]

    def can_divide(self, grid: Grid) -> bool:
        """Return whether the maps of any of the last cuts are large enough for a grid."""
        return any(fits_maps(self.network, maps, grid) for maps in self._last_cuts)

    def balanced_tiles(self, grid: Grid) -> CutRegions | None:
        """Return one stage of balanced tiles up to each cut, as `partition` divides it; None if all are too small.

        Raises ConfigurationError if the given cut is.
        """
        sizes = {
            maps: [self.network.shapes[name][2:] for name in maps]
            for maps in self._last_cuts
            if self.given or fits_maps(self.network, maps, grid)
        }
        tiles = [divide_maps(of_maps, grid, self._halos[maps]) for maps, of_maps in sizes.items()]
        return CutRegions(self._costs.tables, list(sizes), tiles) if tiles else None

    def tiled_macs(self, regions: CutRegions) -> dict[CutMaps, int]:
        """Return the operations of all tiles of one stage up to each cut."""
        return dict(zip(regions.cuts, self._costs.tiled_macs(regions), strict=True))

    def stage_ways(
        self, grid: Grid, shares: Sequence[float], terms: StageTerms, last: CutMaps = ()
    ) -> tuple[CutRegions, list[StageWay]]:
        """Return the tiles of all stages between layers, and the fastest of these up to each cut, to `last` at most.

        Raises CutError if there is no cut that the grid can divide, ConfigurationError if it cannot divide a given one.
        """
        if shares or last:
            regions = self._divide_stages(grid, shares, last)
        else:
            regions = self._even.get(grid) or self._divide_stages(grid, shares, last)
            self._even[grid] = regions
        return regions, fastest_ways(self._costs, regions, tile_speeds(grid, shares, terms), terms)

    def _divide_stages(self, grid: Grid, shares: Sequence[float], last: CutMaps) -> CutRegions:
        if self.given:
            return divide_stages(self._costs.tables, self._stage_cuts, grid, shares)
        known = self._stage_cuts[: self._stage_cuts.index(last) + 1] if last else self._stage_cuts
        cuts = [maps for maps in known if fits_maps(self.network, maps, grid)]
        if not cuts:
            raise CutError(f"{self.network.name} has no map of {grid} cells or more to cut behind")
        return divide_cuts(self._costs.tables, cuts, grid, shares)

    def divide_again(self, cuts: Sequence[CutMaps], grid: Grid, shares: Sequence[float]) -> CutRegions:
        """Return the tiles of these stages for other shares."""
        return divide_cuts(self._costs.tables, cuts, grid, shares)

    def costs_of(self, regions: CutRegions, cuts: Sequence[CutMaps]) -> DivisionCosts:
        """Return the costs of the stages that end at these cuts, and of the layers behind them."""
        return costs_of_cuts(self._costs, regions, [regions.cuts.index(maps) for maps in cuts])
