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
"""A tile is wrong beyond this difference, in standard deviations of the maps: tiles are exact to 1e-4, and processors
that compute in half precision differ by some hundredths at most."""

MAX_QUANTISED_DEVIATION = 0.5
"""The same for a quantised model: where processors round to different steps, later layers increase the difference."""

MAX_FLAT_DEVIATION = 2.0**-12
"""The same in units of the largest value, for almost constant maps, whose standard deviation says nothing."""


@dataclass(frozen=True, slots=True)
class NodeFault:
    """A node's wrong tiles, and their largest difference in units of the map."""

    tiles: tuple[int, ...]
    difference: float


def deviation_limit(map_std: float, map_max: float, *, quantised: bool) -> float:
    """Return the largest allowed difference of a tile, in units of the map."""
    return max((MAX_QUANTISED_DEVIATION if quantised else MAX_DEVIATION) * map_std, MAX_FLAT_DEVIATION * map_max)


def differing_tiles(
    tiled: Sequence[FeatureMap], whole: Sequence[FeatureMap], tiles: Sequence[Tile], limit: float
) -> dict[int, float]:
    """Return the tiles that differ by more than `limit`, and by how much; infinite where a value is not finite."""
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
    """Return the faults, by node.

    Tiles that pass on values also pass on errors. A tile that may have read strips of a wrong tile is therefore not
    counted against its worker; with several stages, whose tiles exchange borders, only the tile that differs most is.
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
