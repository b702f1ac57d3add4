"""Finds the wrong tiles of merged maps and the nodes that caused them, pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Stage, Tile
    from shared.model.arrays import FeatureMap

MAX_DEVIATION = 0.05
"""A tile is wrong if it differs by more than this many standard deviations of the maps. Correct tiles differ by 1e-4;
processors that compute in half precision by some hundredths at most."""

MAX_QUANTISED_DEVIATION = 0.5
"""The same for a quantised model: processors may round differently, and later layers increase the difference."""

MAX_FLAT_DEVIATION = 2.0**-12
"""The same relative to the largest value, for almost constant maps, whose standard deviation is too small to
compare."""


@dataclass(frozen=True, slots=True)
class NodeFault:
    """The wrong tiles of a node, and their largest difference, in the unit of the maps' values."""

    tiles: tuple[int, ...]
    difference: float


def deviation_limit(map_std: float, map_max: float, *, quantised: bool) -> float:
    """Return the largest allowed difference of a tile, in the unit of the maps' values."""
    return max((MAX_QUANTISED_DEVIATION if quantised else MAX_DEVIATION) * map_std, MAX_FLAT_DEVIATION * map_max)


def differing_tiles(
    tiled: Sequence[FeatureMap], whole: Sequence[FeatureMap], tiles: Sequence[Tile], limit: float
) -> dict[int, float]:
    """Return the tiles that differ by more than `limit`, each with its difference; inf if a value is not finite.

    `tiled` and `whole` are the maps at the cut, float32 (1, C, H, W) each.
    """
    found = {}
    for tile in tiles:
        largest = 0.0
        for tiled_map, whole_map, region in zip(tiled, whole, tile.outputs, strict=True):
            part = (slice(None), slice(None), *region.slices)
            difference = float(np.abs(tiled_map[part] - whole_map[part]).max(initial=0.0))
            largest = max(largest, difference if np.isfinite(difference) else np.inf)
        if largest > limit:
            found[tile.index] = largest
    return found


def find_faults(
    differing: Mapping[int, float], workers: Mapping[int, str], stages: Sequence[Stage]
) -> dict[str, NodeFault]:
    """Return the faults, by node. `differing`: the differences of wrong tiles, by tile; `workers`: the nodes, by tile.

    A wrong tile makes others wrong that read its strips or borders. Therefore a tile that reads strips of a wrong tile
    is not counted against its worker; and with several stages, whose tiles exchange borders, only the tile that differs
    most is counted.
    """
    if len(stages) > 1:
        worst = max(differing, key=lambda tile: differing[tile], default=None)
        guilty = [] if worst is None else [worst]
    else:
        givers = {tile.index: {strip.tile for strip in tile.taken} for tile in stages[0].reusing if tile is not None}
        guilty = [tile for tile in sorted(differing) if not givers.get(tile, set()) & differing.keys()]
    by_node: dict[str, list[int]] = {}
    for tile in guilty:
        if tile in workers:
            by_node.setdefault(workers[tile], []).append(tile)
    return {node: NodeFault(tuple(tiles), max(differing[tile] for tile in tiles)) for node, tiles in by_node.items()}
