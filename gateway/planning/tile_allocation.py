"""Allocates the tiles of a frame to devices: a faster one computes several, and one that would be late none. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


MIN_ALLOCATION_GAIN = 0.75
"""Of the time of the slowest device when tiles are given out in turn: measured speeds of equal devices differ, too."""


def allocate_tiles(
    count: int, speeds: Sequence[float], besides: Sequence[float] = (), tile_cost: float = 1.0
) -> tuple[int, ...]:
    """Return the device of each of `count` equal tiles, by its place in `speeds`, so that the last one ends soonest.

    `tile_cost` and what each device does `besides` are operations, `speeds` operations a second. Tiles of one device
    follow each other, so that it has few neighbours. Of equally good devices, the first is taken.
    """
    costs = list(besides) or [0.0] * len(speeds)
    counts = [0] * len(speeds)
    for _ in range(count):
        ends = [(cost + tile_cost) / speed for cost, speed in zip(costs, speeds, strict=True)]
        soonest = ends.index(min(ends))
        costs[soonest] += tile_cost
        counts[soonest] += 1
    return tuple(device for device, tiles in enumerate(counts) for _ in range(tiles))


def share_out_tiles(count: int, speeds: Sequence[float]) -> tuple[int, ...]:
    """Return the device of each of `count` equal tiles: in turn, or by speed where that clearly ends sooner."""
    in_turn = tuple(tile % len(speeds) for tile in range(count))
    by_speed = allocate_tiles(count, speeds)
    sooner = _slowest_s(by_speed, speeds) < MIN_ALLOCATION_GAIN * _slowest_s(in_turn, speeds)
    return by_speed if sooner else in_turn


def _slowest_s(places: Sequence[int], speeds: Sequence[float]) -> float:
    return max(places.count(place) / speeds[place] for place in places)
