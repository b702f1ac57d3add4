"""Whether a plan can be carried out, pure: who publishes one may be anybody who reaches the broker.

Each function raises ValueError with what is wrong, and where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.ftp.region import Region
from shared.wire.codec import _MIB, MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.headers import MAX_NEIGHBOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.plan.plan import Plan, StagePlan, StripPlan, TilePlan

MAX_MAP_SIDE = 2**16
"""Cells; maps are no larger than the pictures that they are made of, but for a few detectors that enlarge them."""


def check_tile(tile: TilePlan) -> None:
    """Look at the boxes of one tile by itself."""
    for name, boxes in (("inputs", tile.inputs), ("outputs", tile.outputs)):
        for box in boxes:
            _check_box(box, name)
    if any(abs(number) > MAX_MAP_SIDE for pads in tile.pads for number in pads):
        raise ValueError(f"pads must be within {MAX_MAP_SIDE} cells")
    for strip in (*tile.taken, *tile.given):
        _check_box(strip[3:7], "strips")


def check_stage(stage: StagePlan) -> None:
    """Look at the tiles of one stage together."""
    for index, tile in enumerate(stage.tiles):
        if tile.taken:
            raise ValueError(f"tile {index}: it must not take strips; the one in `reusing` does")
        _check_shape(stage, index, tile)
    if stage.reusing and len(stage.reusing) != len(stage.tiles):
        raise ValueError(f"reusing: {len(stage.reusing)} tiles where the stage has {len(stage.tiles)}")
    for index, reusing in enumerate(stage.reusing):
        if reusing is not None:
            _check_shape(stage, index, reusing)
            _check_reuse(stage, index, reusing)


def check_plan(plan: Plan) -> None:
    """Look at the stages together, and at the sizes of what crosses the wire."""
    height, width = plan.input
    counts = sorted({len(stage.tiles) for stage in plan.stages})
    if len(counts) > 1:
        raise ValueError(f"all stages must have as many tiles; they have {counts}")
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


def _check_box(box: Sequence[int], what: str) -> None:
    top, left, bottom, right = box
    if not (0 <= top < bottom <= MAX_MAP_SIDE and 0 <= left < right <= MAX_MAP_SIDE):
        raise ValueError(f"{what}: {tuple(box)} is no (top, left, bottom, right) of a map")


def _check_shape(stage: StagePlan, index: int, tile: TilePlan) -> None:
    """All tiles of a stage are run by one program, with as many inputs, outputs and pads."""
    first = stage.tiles[0]
    if not tile.inputs or len(tile.inputs) != len(first.inputs):
        raise ValueError(f"tile {index}: {len(tile.inputs)} inputs; all must have as many, and at least one")
    if not tile.outputs or len(tile.outputs) != len(stage.channels):
        raise ValueError(f"tile {index}: {len(tile.outputs)} outputs, and channels of {len(stage.channels)}")
    if len(tile.pads) != len(first.pads):
        raise ValueError(f"tile {index}: {len(tile.pads)} pads; all must have as many")
    cells = sum(channels * Region(*box).area for channels, box in zip(stage.channels, tile.outputs, strict=True))
    _check_bytes(4 * cells, MessageKind.RESULT, f"tile {index}: its result")
    joints = len(stage.joints)
    for joint, side, other, top, left, _, _, origin_top, origin_left in (*tile.taken, *tile.given):
        if not (
            0 <= joint < joints and 0 <= side < MAX_NEIGHBOURS and 0 <= other < len(stage.tiles) and other != index
        ):
            raise ValueError(
                f"tile {index}: a strip of joint {joint}, side {side} and tile {other}, which are not there"
            )
        if not (0 <= origin_top <= top and 0 <= origin_left <= left):
            raise ValueError(f"tile {index}: a strip begins before the map of the tile that makes it")


def _check_reuse(stage: StagePlan, index: int, tile: TilePlan) -> None:
    """What a tile takes must be given by tiles that depend on nobody."""
    if not tile.taken:
        raise ValueError(f"tile {index}: it is said to reuse strips, and takes none")
    if tile.outputs != stage.tiles[index].outputs:
        raise ValueError(f"tile {index}: its outputs differ when it reuses strips")
    sizes: dict[int, int] = {}
    for strip in tile.taken:
        joint, _, giver = strip[:3]
        if stage.reusing[giver] is not None:
            raise ValueError(f"tile {index}: it takes strips of tile {giver}, which waits for others itself")
        if _seen_by(strip, index) not in stage.tiles[giver].given:
            raise ValueError(f"tile {index}: it takes a strip that tile {giver} does not give")
        plan = stage.joints[joint]
        sizes[giver] = sizes.get(giver, 0) + plan.channels * Region(*strip[3:7]).area * np.dtype(plan.dtype).itemsize
    _check_bytes(sum(sizes.values()), MessageKind.STRIPS, f"tile {index}: its strips")


def _seen_by(strip: StripPlan, reader: int) -> StripPlan:
    """Return the same strip as the tile that gives it has it."""
    joint, side, _, top, left, bottom, right, origin_top, origin_left = strip
    return joint, side, reader, top, left, bottom, right, origin_top, origin_left


def _check_border(number: int, before: StagePlan, after: StagePlan) -> None:
    """What a stage reads must be made by the one before."""
    made = [
        (min(box[0] for box in boxes), min(box[1] for box in boxes), max(box[2] for box in boxes),
         max(box[3] for box in boxes))
        for boxes in zip(*(tile.outputs for tile in before.tiles), strict=True)
    ]  # fmt: skip
    for index, tile in enumerate(after.tiles):
        if len(tile.inputs) != len(made):
            raise ValueError(f"stage {number}, tile {index}: {len(tile.inputs)} inputs where {len(made)} maps are made")
        for (top, left, bottom, right), whole, channels in zip(tile.inputs, made, before.channels, strict=True):
            if top < whole[0] or left < whole[1] or bottom > whole[2] or right > whole[3]:
                raise ValueError(f"stage {number}, tile {index}: it reads more than the stage before makes")
            _check_bytes(
                4 * channels * Region(top, left, bottom, right).area,
                MessageKind.RESULT,
                f"stage {number}, tile {index}",
            )


def _check_bytes(size: int, kind: MessageKind, what: str) -> None:
    cap = MAX_PAYLOAD_BYTES[kind]
    if size > cap:
        raise ValueError(f"{what} has {size / _MIB:.0f} MiB; at most {cap // _MIB} are allowed")
