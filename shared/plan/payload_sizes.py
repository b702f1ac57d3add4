"""The largest payloads that a plan allows. Pure.

A receiver allocates no more memory for a message than these sizes, whoever sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.detection.detections import COLUMNS, MAX_OBJECTS_PER_FRAME
from shared.ftp.region import Region
from shared.wire.map_values import value_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.plan.plan import Plan, StagePlan, TilePlan


def largest_pixels(plan: Plan, tile: int | None = None) -> int:
    """Return the bytes of the pixels of a tile, with or without reuse, whichever are more; 0 for an unknown tile.

    Without `tile`, return those of the largest tile.
    """
    first = plan.stages[0]
    numbers = range(len(first.tiles)) if tile is None else (tile,)
    cells = (Region(*form.inputs[0]).area for number in numbers for form in _forms(first, number))
    return 3 * np.dtype(plan.pixels).itemsize * max(cells, default=0)


def largest_result(plan: Plan, tile: int) -> int:
    """Return the bytes of a tile's maps at the cut and of all strips that it gives; 0 for an unknown tile.

    The result of a whole frame is its detections table.
    """
    if tile >= plan.tile_count:
        return 0
    if plan.detector is not None:
        return 4 * COLUMNS * MAX_OBJECTS_PER_FRAME
    first = plan.stages[0]
    strips = (
        sum(
            first.joints[strip[0]].channels * Region(*strip[3:7]).area * np.dtype(first.joints[strip[0]].dtype).itemsize
            for strip in form.given
        )
        for form in _forms(first, tile)
    )
    return largest_border(plan, len(plan.stages) - 1, tile) + max(strips)


def largest_border(plan: Plan, stage: int, giver: int) -> int:
    """Return the bytes of all maps that the tile `giver` computes in a stage; 0 for an unknown stage or tile."""
    if stage >= len(plan.stages) or giver >= plan.tile_count:
        return 0
    made = plan.stages[stage]
    regions = (Region(*box) for box in made.tiles[giver].outputs)
    return value_bytes(plan.maps) * sum(
        channels * region.area for channels, region in zip(made.channels, regions, strict=True)
    )


def _forms(stage: StagePlan, tile: int) -> Iterator[TilePlan]:
    """Yield a tile as it is computed without reuse and, if it takes strips, with reuse."""
    for tiles in (stage.tiles, stage.reusing):
        found = tiles[tile] if tile < len(tiles) else None
        if found is not None:
            yield found
