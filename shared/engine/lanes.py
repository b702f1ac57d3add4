"""The choice between several tiles side by side and several threads in one tile, for a number of cores. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LANES = 16
"""A device computes at most this many tiles at the same time, because each needs memory of its own."""

MIN_LANE_GAIN = 0.05
"""More lanes must compute this share more tiles per second: with fewer lanes, a single tile is ready sooner."""

MAX_MEMORY_SHARE = 0.25
"""All lanes together take at most this share of the memory that is free."""

LANE_MEMORY_FACTOR = 2.5
"""Memory of a running tile, in working sets of its largest layer; see the first chunk in shared.engine.arena."""


@dataclass(frozen=True, slots=True, order=True)
class TileLanes:
    """The way in which a device computes tiles: `count` tiles side by side, and `threads` for each of them."""

    count: int = 1
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.count} x {self.threads}"


ONE_LANE = TileLanes()
"""One tile at a time, in one thread."""


@dataclass(frozen=True, slots=True)
class MeasuredLanes:
    """The best lanes for a device with `cores` cores, as measured with a tile of `cells` cells."""

    cores: int
    cells: int
    lanes: TileLanes

    def applies_to(self, cores: int, cells: int) -> bool:
        """Return whether the measurement is valid for this number of cores and a largest tile of `cells` cells."""
        return cores == self.cores and self.cells <= 2 * cells and cells <= 2 * self.cells


def candidate_lanes(cores: int, working_bytes: int, free_bytes: int | None) -> tuple[TileLanes, ...]:
    """Return all lanes that use exactly `cores` cores and fit into the free memory (None: not known), fewest first.

    `working_bytes` is the size of input and output of the largest layer of the largest tile.
    """
    lane_bytes = LANE_MEMORY_FACTOR * working_bytes
    return tuple(
        TileLanes(count, cores // count)
        for count in range(1, min(cores, MAX_LANES) + 1)
        if cores % count == 0
        and (count == 1 or free_bytes is None or count * lane_bytes <= MAX_MEMORY_SHARE * free_bytes)
    )


def best_lanes(rates: Mapping[TileLanes, float]) -> TileLanes:
    """Return the fewest lanes whose tiles per second are within MIN_LANE_GAIN of the most."""
    enough = max(rates.values()) / (1 + MIN_LANE_GAIN)
    return min(lanes for lanes, rate in rates.items() if rate >= enough)
