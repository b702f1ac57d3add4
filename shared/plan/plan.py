"""The plan: what the cluster computes, and how. Every method of the paper, and what goes past it, is a value of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.ftp.region import Region, RegionSides
from shared.ftp.stage import Pads, Strip, Tile
from shared.model.spec import Preprocessing
from shared.payloads.base import Message
from shared.payloads.fields import Host
from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.plan.validity import check_plan, check_stage, check_tile
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.headers import SHA256_PATTERN

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STAGES = 256
"""A stage for each layer of the deepest detectors in use."""

MAX_PLAN_TILES = 4096
"""Tiles of a frame: a grid of 64x64, finer than any that pays."""

MAX_WORKING_BYTES = 2**30
"""Of the largest layer of a tile: ten times what YOLOv2's has with a whole frame of 608x608 pixels."""

MAX_PLAN_TIME_S = 24 * 3600.0
"""No lease or deadline is longer: a frame of yesterday tells nobody anything."""

MAX_EPOCH = 2**53
"""Milliseconds since 1970 fit, and what JSON in other languages can hold."""

Side = Annotated[int, Field(gt=0, le=MAX_PICTURE_SIDE)]
"""Pixels."""

Channels = Annotated[int, Field(gt=0, le=2**20)]


class Distribution(StrEnum):
    """Who decides where a task runs: idle edges that ask for one, or the gateway, which hands all of them out."""

    STEALING = "stealing"
    SHARING = "sharing"


class ProgramRef(Message):
    """A program by content."""

    sha256: str = Field(pattern=SHA256_PATTERN)
    bytes: int = Field(ge=0, le=MAX_PAYLOAD_BYTES[MessageKind.PROGRAM])


class JointPlan(Message):
    """A map of which strips are handed on: its channels, and numpy's name of its element type."""

    channels: Channels
    dtype: Literal["float32", "float16", "uint8", "int8", "int32"] = "float32"


StripPlan = tuple[int, int, int, int, int, int, int, int, int]
"""joint, side, the other tile, the region's box, the giver's (top, left): see shared.ftp.stage.Strip."""


class TilePlan(Message):
    """One tile, see shared.ftp.stage.Tile."""

    inputs: tuple[RegionSides, ...]
    outputs: tuple[RegionSides, ...]
    pads: tuple[Pads, ...]
    macs: int = Field(ge=0)
    taken: tuple[StripPlan, ...] = ()
    given: tuple[StripPlan, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> Self:
        check_tile(self)
        return self

    @classmethod
    def from_tile(cls, tile: Tile) -> TilePlan:
        return cls(
            inputs=tuple(region.sides for region in tile.inputs),
            outputs=tuple(region.sides for region in tile.outputs),
            pads=tile.pads,
            macs=tile.macs,
            taken=tuple(_strip_plan(strip) for strip in tile.taken),
            given=tuple(_strip_plan(strip) for strip in tile.given),
        )

    def to_tile(self, index: int) -> Tile:
        """The tile that this is the plan of."""
        return Tile(
            index,
            tuple(Region(*box) for box in self.inputs),
            tuple(Region(*box) for box in self.outputs),
            self.pads,
            self.macs,
            tuple(_strip(plan) for plan in self.taken),
            tuple(_strip(plan) for plan in self.given),
        )


class StagePlan(Message):
    """Fused layers executed tile by tile; all tiles are run by one program.

    `channels` are those of the maps at the stage's cut. `reusing` has, by tile, how it is computed from strips of its
    neighbours; None where it depends on nobody; it is empty without reuse.
    """

    layers: int = Field(ge=0)
    grid: str = Field(max_length=100)
    channels: tuple[Channels, ...]
    program: ProgramRef
    working_bytes: int = Field(
        gt=0, le=MAX_WORKING_BYTES, description="input and output of the largest layer of the largest tile"
    )
    tiles: tuple[TilePlan, ...] = Field(min_length=1, max_length=MAX_PLAN_TILES)
    joints: tuple[JointPlan, ...] = ()
    reusing: tuple[TilePlan | None, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> Self:
        check_stage(self)
        return self


class Plan(Message):
    """What the cluster computes, and how. Immutable; a new epoch replaces it.

    With one stage a task is a tile of it. With several, a task is the tiles of one number in all stages: it stays with
    its worker, and what it needs of others at the border of two stages is exchanged between the workers.
    """

    epoch: int = Field(gt=0, le=MAX_EPOCH)
    method: str
    model: str
    input: tuple[Side, Side] = Field(description="height, width of the network's input")
    preprocessing: Preprocessing
    cut: tuple[str, ...]
    stages: tuple[StagePlan, ...] = Field(min_length=1, max_length=MAX_STAGES)
    distribution: Distribution
    pixels: Literal["uint8", "float32"] = Field(default="uint8", description="element type of tiles on the wire")
    gateway_host: Host = Field(description="data plane of the gateway; empty: the host of the broker")
    gateway_port: int = Field(gt=0, le=65535)
    lease_s: float = Field(gt=0, le=MAX_PLAN_TIME_S)
    deadline_s: float = Field(gt=0, le=MAX_PLAN_TIME_S)

    @model_validator(mode="after")
    def _valid(self) -> Self:
        check_plan(self)
        return self

    @property
    def tile_count(self) -> int:
        """Tasks of a frame."""
        return len(self.stages[0].tiles)


def _strip_plan(strip: Strip) -> StripPlan:
    return (strip.joint, strip.side, strip.tile, *strip.region.sides, *strip.origin)


def _strip(plan: Sequence[int]) -> Strip:
    joint, side, tile, *box, top, left = plan
    return Strip(joint, side, tile, Region(*box), (top, left))
