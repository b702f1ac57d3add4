"""Costs of a stage between two cuts, tile by tile, from regions as arrays. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gateway.planning.cut_regions import RegionTables
from gateway.planning.kernel_costs import NO_WORK, work_of_layer
from shared.ftp.costs import map_bytes
from shared.ftp.macs import macs_per_cell
from shared.ftp.operators import POINTWISE
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.planning.cut_regions import CutRegions, Integers
    from gateway.planning.kernel_costs import Units
    from shared.model.network import Layer, Network

ONE_CELL = Region(0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class StageCosts:
    """The costs of a stage by tile: work, operations, and the memory of its largest layer.

    `strips`: the bytes that a tile (second) needs of another (first), which has made them in the stage before.
    """

    work: tuple[Units, ...]
    macs: tuple[int, ...]
    tile_bytes: tuple[int, ...]
    strips: Mapping[tuple[int, int], int]


class LayerCosts:
    """The costs of a network's layers, and of stages of those of them that can be tiled."""

    def __init__(self, network: Network, layers: Sequence[Layer], inputs: Sequence[str] = ()) -> None:
        """`layers` are those that stages are made of, `inputs` the maps that they read: by default the picture."""
        self.network = network
        self.tables = RegionTables(network, layers, inputs)
        works = [work_of_layer(layer, network.shapes) for layer in layers]
        self.of_cell = np.array([of_cell for of_cell, _ in works])
        self.fixed = np.array([fixed for _, fixed in works])
        self._macs = np.array([macs_per_cell(layer, network.shapes) for layer in layers])
        self._weight_bytes = np.array([layer_weight_bytes(layer) for layer in layers])
        self._in_place = [layer.op in POINTWISE and len(layer.inputs) == 1 for layer in layers]
        maps = (*self.tables.inputs, *(name for layer in layers for name in layer.outputs))
        self._cell_bytes = {name: map_bytes(network, name, ONE_CELL) for name in maps}
        self._whole_work = np.array([whole_work(network, layer) for layer in network.layers])
        self._stage_layers = np.isin([layer.name for layer in network.layers], [layer.name for layer in layers])

    def of_stage(self, regions: CutRegions, after: int | None, behind: int) -> StageCosts:
        """Return the costs of the stage between two cuts, given by number; None: the inputs."""
        fused = regions.fused(after, behind)
        areas = regions.areas[fused, behind].T
        work = areas @ self.of_cell[fused] + self.fixed[fused].sum(axis=0)
        return StageCosts(
            work=tuple(map(tuple, work.tolist())),
            macs=tuple(map(round, (areas @ self._macs[fused]).tolist())),
            tile_bytes=self._largest_bytes(regions, after, behind, np.flatnonzero(fused).tolist()),
            strips={} if after is None else self._strips(regions, after, behind),
        )

    def tiled_macs(self, regions: CutRegions) -> list[int]:
        """Return, by cut, the operations of all tiles of one stage up to it."""
        return list(map(round, (self._macs @ regions.areas.sum(axis=2)).tolist()))

    def pixel_bytes(self, regions: CutRegions, behind: int) -> tuple[int, ...]:
        """Return, by tile, the bytes of the picture that the stage up to a cut needs."""
        picture = regions.needed_behind(None, self.tables.inputs[0])
        return tuple((3 * picture.at(behind).area).tolist())

    def result_bytes(self, regions: CutRegions, behind: int) -> tuple[int, ...]:
        """Return, by tile, the bytes of the maps at a cut."""
        made = [self._cell_bytes[name] * regions.made[name].at(behind).area for name in regions.cuts[behind]]
        return tuple(np.sum(made, axis=0).tolist())

    def weight_bytes(self, regions: CutRegions, behind: int) -> int:
        """Return the bytes of the weights of all layers before a cut."""
        return int(self._weight_bytes[regions.heads[:, behind]].sum())

    def tail_work(self, regions: CutRegions, behind: int) -> Units:
        """Return the work of the layers behind a cut."""
        tail = np.ones(len(self.network.layers), bool)
        tail[self._stage_layers] = ~regions.heads[:, behind]
        return tuple(self._whole_work[tail].sum(axis=0).tolist())

    def received_bytes(self, regions: CutRegions, after: int) -> Integers:
        """Return, by cut behind this one and tile, the bytes of its maps that others have made."""
        received: Integers = np.sum(
            [
                self._cell_bytes[name] * (needed.area - needed.common_area(regions.made[name].at(after)))
                for name in regions.cuts[after]
                for needed in [regions.needed_behind(after, name)]
            ],
            axis=0,
        )
        return received

    def _largest_bytes(
        self, regions: CutRegions, after: int | None, behind: int, fused: Sequence[int]
    ) -> tuple[int, ...]:
        """Return, by tile, the bytes of input and output of the largest layer; activations are computed in place."""
        inputs = self.tables.inputs if after is None else regions.cuts[after]
        sizes = {
            name: self._cell_bytes[name] * regions.needed_behind(after, name).at(behind).area for name in inputs
        }  # fmt: skip
        made: list[Integers] = []
        both: list[Integers] = []
        for number in fused:
            layer, area = self.tables.layers[number], regions.areas[number, behind]
            sizes.update((name, self._cell_bytes[name] * area) for name in layer.outputs)
            made.append(np.sum([sizes[name] for name in layer.outputs], axis=0))
            if not self._in_place[number]:
                both.append(np.sum([made[-1], *(sizes[name] for name in dict.fromkeys(layer.inputs))], axis=0))
        return tuple(np.max(both or made, axis=0).tolist())

    def _strips(self, regions: CutRegions, after: int, behind: int) -> Mapping[tuple[int, int], int]:
        common = np.zeros((regions.areas.shape[2],) * 2, np.int64)
        for name in regions.cuts[after]:
            needed, made = regions.needed_behind(after, name).at(behind), regions.made[name].at(after)
            common += self._cell_bytes[name] * needed.by_row().common_area(made)
        np.fill_diagonal(common, 0)
        takers, givers = np.nonzero(common)
        pairs = zip(givers.tolist(), takers.tolist(), strict=True)
        return dict(zip(pairs, common[takers, givers].tolist(), strict=True))


def whole_work(network: Network, layer: Layer) -> Units:
    """Return the work of a layer on its whole map; none if it has no rows and columns."""
    shape = network.shapes.get(layer.outputs[0], ())
    if len(shape) != 4:
        return NO_WORK
    of_cell, fixed = work_of_layer(layer, network.shapes)
    return tuple(units * shape[2] * shape[3] + more for units, more in zip(of_cell, fixed, strict=True))


def layer_weight_bytes(layer: Layer) -> int:
    """Return the bytes of a layer's weights, as values of four bytes."""
    return sum(4 * prod(shape) for shape in layer.constants.values())
