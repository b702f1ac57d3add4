"""Possible cuts of a network, their costs, and the choice of a default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ConfigurationError, CutError
from shared.ftp.costs import map_bytes
from shared.ftp.macs import macs_of, macs_per_cell
from shared.ftp.operators import check_tileable
from shared.ftp.propagation import Propagation
from shared.ftp.region import Region
from shared.ftp.tiles import divide_maps, halo_of, receptive_field
from shared.model.network import SLIDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.grid import Grid
    from shared.model.network import Layer, Network

MAX_CROSSING_MAPS = 4
"""Maps that may cross a proposed cut. Between a feature pyramid and its heads there are three or four; more maps cross
only in the middle of a block."""

DEFAULT_DEVICES = 3
"""Number of edges for which the default cut is chosen; the gateway is assumed to be as fast as one of them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut: the maps that cross it, and the layers before it."""

    maps: tuple[str, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class CutCost:
    """The cost of a cut at a grid, in multiply-accumulate operations, bytes and pixels.

    `head_macs` are those of the layers before the cut on the whole frame, `tiled_macs` those of all tiles together.
    """

    maps: tuple[str, ...]
    layers: int
    crossing_bytes: int
    head_macs: int
    tail_macs: int
    tiled_macs: int
    largest_tile_macs: int
    receptive_field: tuple[int, int]

    def frame_macs(self, devices: int = DEFAULT_DEVICES) -> float:
        """Return the MACs of the critical path: `devices` equal devices share the tiles, another one runs the tail."""
        return max(self.tiled_macs / devices, self.largest_tile_macs) + self.tail_macs


def tileable_layers(network: Network) -> tuple[Layer, ...]:
    """Return the layers that can be computed tile by tile together with all layers before them."""
    known = {network.input}
    layers = []
    for layer in network.layers:
        try:
            check_tileable(layer, network.shapes)
        except CutError:
            continue
        if known.issuperset(layer.inputs):
            known.update(layer.outputs)
            layers.append(layer)
    return tuple(layers)


def possible_cuts(network: Network) -> list[Cut]:
    """Return every cut before which all layers can be tiled, the deepest last.

    Raises CutError, with the reason why the first layer cannot be tiled, when there is no such cut.
    """
    tileable = tileable_layers(network)
    uses: dict[str, int] = {}
    for tensors in (*(layer.inputs for layer in network.layers), network.outputs):
        for tensor in set(tensors):
            uses[tensor] = uses.get(tensor, 0) + 1
    # A cut behind a layer is crossed by the maps that later layers read. `alive` has the number of such readers by map.
    alive = {network.input: uses.get(network.input, 0)}
    cuts: list[Cut] = []
    for count, layer in enumerate(tileable, 1):
        for tensor in set(layer.inputs):
            alive[tensor] -= 1
            if not alive[tensor]:
                del alive[tensor]
        alive.update({tensor: uses[tensor] for tensor in layer.outputs if uses.get(tensor)})
        maps = tuple(alive)
        all_float = all(network.types.get(tensor, "float32") == "float32" for tensor in maps)
        if all_float and network.input not in alive and 0 < len(maps) <= MAX_CROSSING_MAPS:
            cuts.append(Cut(maps, tileable[:count]))
    if not cuts:
        raise CutError(f"{network.name} cannot be tiled: {_first_refusal(network)}")
    return cuts


def _first_refusal(network: Network) -> str:
    """Return the reason why the first layer that cannot be tiled is refused."""
    for layer in network.layers:
        try:
            check_tileable(layer, network.shapes)
        except CutError as error:
            return str(error)
    return "its last layers read the input" if network.layers else f"{network.name} has no layers"


def deepest_cut(network: Network) -> tuple[str, ...]:
    """Return the deepest cut with the fewest maps. Raises CutError when there is none."""
    cuts = possible_cuts(network)
    fewest = min(len(cut.maps) for cut in cuts)
    return next(cut.maps for cut in reversed(cuts) if len(cut.maps) == fewest)


def best_cut(network: Network, grid: Grid) -> tuple[str, ...]:
    """Return the cut with the shortest critical path, see CutCost.frame_macs. Raises CutError."""
    costs = cut_costs(network, grid)
    if not costs:
        raise CutError(f"{network.name} has no map of {grid} cells or more to cut behind; choose a smaller grid")
    return min(costs, key=lambda cost: (cost.frame_macs(), cost.crossing_bytes)).maps


def distinct_cuts(network: Network) -> list[Cut]:
    """Return the possible cuts; of cuts with no sliding layer between them, only that with the fewest crossing bytes.

    Raises CutError when there is none.
    """
    groups: dict[int, Cut] = {}  # by the MACs of all sliding layers before the cut
    for cut in possible_cuts(network):
        sliding_macs = macs_of(network, [layer for layer in cut.layers if layer.op in SLIDING])
        best = groups.get(sliding_macs)
        if best is None or crossing_bytes(network, cut.maps) <= crossing_bytes(network, best.maps):
            groups[sliding_macs] = cut
    return list(groups.values())


def layer_cuts(network: Network, last: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a cut behind every layer that slides a kernel, up to the cut `last`.

    Raises CutError as Network.head_layers does.
    """
    head = {layer.name for layer in network.head_layers(last)}
    before = [cut.maps for cut in distinct_cuts(network) if {layer.name for layer in cut.layers} < head]
    return [*before, tuple(last)]


def cut_costs(network: Network, grid: Grid) -> list[CutCost]:
    """Return the cost of each distinct cut whose maps are large enough for the grid."""
    total = macs_of(network, network.layers)
    cuts = distinct_cuts(network)
    propagation = Propagation(network, cuts[-1].layers)
    costs = []
    for cut in cuts:
        try:
            costs.append(_cut_cost(network, cut, grid, total, propagation))
        except ConfigurationError:  # a map smaller than the grid
            continue
    return costs


def cost_of_cut(network: Network, maps: Sequence[str], grid: Grid) -> CutCost:
    """Return the cost of any cut.

    Raises CutError as Network.head_layers does, ConfigurationError for maps smaller than the grid.
    """
    cut = Cut(tuple(maps), network.head_layers(maps))
    return _cut_cost(network, cut, grid, macs_of(network, network.layers), Propagation(network, cut.layers))


def crossing_bytes(network: Network, maps: Sequence[str]) -> int:
    """Return the bytes of the maps at a cut."""
    return sum(map_bytes(network, name, Region.whole(*network.shapes[name][2:])) for name in maps)


def _cut_cost(network: Network, cut: Cut, grid: Grid, total_macs: int, propagation: Propagation) -> CutCost:
    """Return the cost of a cut.

    Regions are propagated for the first row and the first column of tiles only, because rows and columns are
    independent of each other.
    """
    halo = halo_of(network, cut.layers, cut.maps)
    outputs = divide_maps([network.shapes[name][2:] for name in cut.maps], grid, halo)
    count = len(cut.layers)
    row_boxes, column_boxes = (
        [propagation.propagate(dict(zip(cut.maps, outputs[index], strict=True)), count).boxes for index in indexes]
        for indexes in (range(0, grid.count, grid.columns), range(grid.columns))
    )
    per_cell = np.array([macs_per_cell(layer, network.shapes) for layer in cut.layers])
    names = [layer.outputs[0] for layer in cut.layers]
    rows = np.array([[boxes[name].height for name in names] for boxes in row_boxes])
    columns = np.array([[boxes[name].width for name in names] for boxes in column_boxes])
    tiles = np.einsum("l,rl,cl->rc", per_cell, rows, columns)
    head = macs_of(network, cut.layers)
    return CutCost(
        maps=cut.maps,
        layers=count,
        crossing_bytes=crossing_bytes(network, cut.maps),
        head_macs=head,
        tail_macs=total_macs - head,
        tiled_macs=round(tiles.sum()),
        largest_tile_macs=round(tiles.max()),
        receptive_field=receptive_field(network, cut.layers, cut.maps),
    )
