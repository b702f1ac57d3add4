"""Calculates how much more the tiles compute than the whole network, with and without reuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.planning.methods import Method, stages_of
from shared.errors import ConfigurationError
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.network import Network

_GRIDS = (Grid(2, 2), Grid(3, 3), Grid(4, 4), Grid(5, 5))


@dataclass(frozen=True, slots=True)
class BenchWork:
    """The work of all tiles, as multiply-accumulate operations divided by those of the undivided layers.

    `plain`: without reuse; `reusing`: with reuse, in which case a frame has `strip_bytes` of strips.
    """

    plain: float
    reusing: float
    strip_bytes: int


def work_of(network: Network, cut: Sequence[str]) -> dict[str, BenchWork]:
    """Return the work by grid. Grids with more tiles than the maps have room for are left out."""
    whole = macs_of(network, network.head_layers(cut))
    found = {}
    for grid in _GRIDS:
        try:
            (stage,) = stages_of(Method.WST_S, network, cut, grid)
        except ConfigurationError:
            continue
        reusing = dict(enumerate(stage.reusing))
        cells = [4 * network.shapes[joint][1] for joint in stage.joints]
        found[str(grid)] = BenchWork(
            sum(tile.macs for tile in stage.tiles) / whole,
            sum((reusing.get(tile.index) or tile).macs for tile in stage.tiles) / whole,
            sum(cells[strip.joint] * strip.region.area for tile in stage.tiles for strip in tile.given),
        )
    return found
