"""Validation of plans, because any client of the broker may publish one. Pure.

The functions raise ValueError, which names the invalid part.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from shared.ftp.region import Region
from shared.payloads.cluster import MAX_NEIGHBOURS
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.plan.plan import Plan, StagePlan, StripPlan, TilePlan

MAX_MAP_SIDE = 2**16
"""A map has at most this many rows or columns. Only a few detectors have maps that are larger than pictures."""


def check_tile(tile: TilePlan) -> None:
    """Check the regions of one tile."""
    for name, boxes in (("inputs", tile.inputs), ("outputs", tile.outputs)):
        for box in boxes:
            _check_box(box, name)
    if any(abs(number) > MAX_MAP_SIDE for pads in tile.pads for number in pads):
        raise ValueError(f"pads must be within {MAX_MAP_SIDE} cells")
    for strip in (*tile.taken, *tile.given):
        _check_box(strip[3:7], "strips")


def check_stage(stage: StagePlan) -> None:
    """Check the tiles of one stage together."""
    for index, tile in enumerate(stage.tiles):
        if tile.taken:
            raise ValueError(f"tile {index}: it must not take strips; only the one in `reusing` may")
        _check_shape(stage, index, tile)
    if stage.reusing and len(stage.reusing) != len(stage.tiles):
        raise ValueError(f"reusing: {len(stage.reusing)} tiles, but the stage has {len(stage.tiles)}")
    for index, reusing in enumerate(stage.reusing):
        if reusing is not None:
            _check_shape(stage, index, reusing)
            _check_reuse(stage, index, reusing)


def check_plan(plan: Plan) -> None:
    """Check the stages together, and the sizes of messages."""
    height, width = plan.input
    if plan.detector is not None:
        _check_whole(plan)
    elif not all(stage.channels for stage in plan.stages):
        raise ValueError("a stage without outputs needs a detector")
    counts = sorted({len(stage.tiles) for stage in plan.stages})
    if len(counts) > 1:
        raise ValueError(f"all stages must have the same number of tiles; they have {counts}")
    if len(plan.stages) > 1 and any(stage.reusing for stage in plan.stages):
        raise ValueError("strips can be reused within a single stage only")
    pixel_bytes = 3 * np.dtype(plan.pixels).itemsize
    first = plan.stages[0]
    for index, tile in enumerate((*first.tiles, *(tile for tile in first.reusing if tile is not None))):
        if len(tile.inputs) != 1 or tile.inputs[0][2] > height or tile.inputs[0][3] > width:
            raise ValueError(f"tile {index}: it must read one part of the {width}x{height} pixels of the input")
        _check_bytes(Region(*tile.inputs[0]).area * pixel_bytes, MessageKind.TILE, f"tile {index}")
    for number, (before, after) in enumerate(zip(plan.stages, plan.stages[1:], strict=False), start=1):
        _check_border(number, before, after)


def _check_whole(plan: Plan) -> None:
    """Check a plan of whole frames."""
    if len(plan.stages) != 1 or len(plan.stages[0].tiles) != 1 or plan.stages[0].reusing:
        raise ValueError("a plan with a detector must have a single stage of one tile")
    if plan.stages[0].tiles[0].inputs[0] != (0, 0, *plan.input):
        raise ValueError("the tile of a plan with a detector must read the whole input")


def _check_box(box: Sequence[int], name: str) -> None:
    top, left, bottom, right = box
    if not (0 <= top < bottom <= MAX_MAP_SIDE and 0 <= left < right <= MAX_MAP_SIDE):
        raise ValueError(f"{name}: {tuple(box)} is not a valid (top, left, bottom, right)")


def _check_shape(stage: StagePlan, index: int, tile: TilePlan) -> None:
    """Check the numbers of inputs, outputs and pads, which are equal for all tiles of a stage, and the strips."""
    first = stage.tiles[0]
    if not tile.inputs or len(tile.inputs) != len(first.inputs):
        raise ValueError(
            f"tile {index}: {len(tile.inputs)} inputs; all tiles must have the same number, and at least one"
        )
    if len(tile.outputs) != len(stage.channels):
        raise ValueError(f"tile {index}: {len(tile.outputs)} outputs, but channels of {len(stage.channels)}")
    if len(tile.pads) != len(first.pads):
        raise ValueError(f"tile {index}: {len(tile.pads)} pads; all tiles must have the same number")
    cells = sum(channels * Region(*box).area for channels, box in zip(stage.channels, tile.outputs, strict=True))
    _check_bytes(4 * cells, MessageKind.RESULT, f"tile {index}: its result")
    joints = len(stage.joints)
    for joint, side, other, top, left, _, _, origin_top, origin_left in (*tile.taken, *tile.given):
        if not (
            0 <= joint < joints and 0 <= side < MAX_NEIGHBOURS and 0 <= other < len(stage.tiles) and other != index
        ):
            raise ValueError(
                f"tile {index}: a strip of joint {joint}, side {side} and tile {other}, which do not exist"
            )
        if not (0 <= origin_top <= top and 0 <= origin_left <= left):
            raise ValueError(f"tile {index}: a strip begins outside the map of the tile that computes it")


def _check_reuse(stage: StagePlan, index: int, tile: TilePlan) -> None:
    """Check that independent tiles give the strips which a tile takes, and the size of these strips."""
    if not tile.taken:
        raise ValueError(f"tile {index}: it must take strips, as it is in `reusing`")
    if tile.outputs != stage.tiles[index].outputs:
        raise ValueError(f"tile {index}: its outputs differ when it reuses strips")
    sizes: dict[int, int] = {}
    for strip in tile.taken:
        joint, _, giver = strip[:3]
        if stage.reusing[giver] is not None:
            raise ValueError(f"tile {index}: it takes strips of tile {giver}, which is not independent")
        if _seen_by(strip, index) not in stage.tiles[giver].given:
            raise ValueError(f"tile {index}: it takes a strip that tile {giver} does not give")
        plan = stage.joints[joint]
        sizes[giver] = sizes.get(giver, 0) + plan.channels * Region(*strip[3:7]).area * np.dtype(plan.dtype).itemsize
    _check_bytes(sum(sizes.values()), MessageKind.STRIPS, f"tile {index}: its strips")


def _seen_by(strip: StripPlan, reader: int) -> StripPlan:
    """Return a strip that `reader` takes, as the tile that gives it describes it."""
    joint, side, _, top, left, bottom, right, origin_top, origin_left = strip
    return joint, side, reader, top, left, bottom, right, origin_top, origin_left


def _check_border(number: int, before: StagePlan, after: StagePlan) -> None:
    """Check that a stage reads only what the one before it computes."""
    computed = [
        reduce(Region.hull, (Region(*box) for box in boxes))
        for boxes in zip(*(tile.outputs for tile in before.tiles), strict=True)
    ]
    for index, tile in enumerate(after.tiles):
        if len(tile.inputs) != len(computed):
            raise ValueError(
                f"stage {number}, tile {index}: {len(tile.inputs)} inputs, but the stage before has "
                f"{len(computed)} maps"
            )
        for box, available, channels in zip(tile.inputs, computed, before.channels, strict=True):
            region = Region(*box)
            if region.hull(available) != available:
                raise ValueError(f"stage {number}, tile {index}: it reads more than the stage before computes")
            _check_bytes(4 * channels * region.area, MessageKind.RESULT, f"stage {number}, tile {index}")


def _check_bytes(size: int, kind: MessageKind, name: str) -> None:
    maximum = MAX_PAYLOAD_BYTES[kind]
    if size > maximum:
        raise ValueError(f"{name} has {size / 2**20:.0f} MiB; at most {maximum // 2**20} are allowed")
