"""The plan of a cluster. Every method of the paper, and those beyond it, are values of this one type."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.ftp.region import Region, RegionSides
from shared.ftp.stage import Pads, Strip, Tile
from shared.model.spec import CompleteSpec, Preprocessing
from shared.payloads.base import Message
from shared.payloads.fields import Host
from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.plan.validity import check_plan, check_stage, check_tile
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.headers import SHA256_PATTERN
from shared.wire.map_values import MapType

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STAGES = 256
"""One stage for each layer of the deepest detectors in use."""

MAX_PLAN_TILES = 4096
"""Tiles of a frame: a grid of 64x64, finer than any useful one."""

MAX_WORKING_BYTES = 2**30
"""Bytes of the largest layer of a tile, ten times those of YOLOv2 for a whole frame of 608x608 pixels."""

MAX_PLAN_TIME_S = 24 * 3600.0
"""The longest lease and deadline: results for a frame of the day before are useless."""

MAX_PROGRAM_WEIGHTS = 4096
"""Arrays of 64 KiB or more in one program; the largest detectors in use have some hundreds."""

MAX_EPOCH = 2**53
"""Large enough for milliseconds since 1970, and exact in the JSON of all languages."""

MAX_OTHER_PLANS = 3
"""Plans that are offered besides the first one; a cluster switches between tiles and whole frames."""

Side = Annotated[int, Field(gt=0, le=MAX_PICTURE_SIDE)]
"""Pixels."""

Channels = Annotated[int, Field(gt=0, le=2**20)]


class Distribution(StrEnum):
    """The distribution of tasks: idle edges steal them, or the gateway decides who computes them.

    With `sharing`, owners send their tiles to the gateway, which sends them on; with `assigning`, it tells owners where
    to send them.
    """

    STEALING = "stealing"
    SHARING = "sharing"
    ASSIGNING = "assigning"

    @property
    def by_gateway(self) -> bool:
        """Return whether the gateway decides who computes a task."""
        return self is not Distribution.STEALING


class PartRef(Message):
    """A reference to a file by its hash: a program, its graph, or weights."""

    sha256: str = Field(pattern=SHA256_PATTERN)
    bytes: int = Field(ge=0, le=MAX_PAYLOAD_BYTES[MessageKind.PROGRAM])


class ProgramParts(Message):
    """The graph of a program, and the large weights that it names; the programs of one network share weights."""

    graph: PartRef
    weights: tuple[PartRef, ...] = Field(max_length=MAX_PROGRAM_WEIGHTS)


class ProgramRef(PartRef):
    """A reference to a program by its hash. `parts` are fetched instead, if the program has large weights."""

    parts: ProgramParts | None = None


class JointPlan(Message):
    """A map of which strips are exchanged: its channels, and numpy's name of its element type."""

    channels: Channels
    dtype: Literal["float32", "float16", "uint8", "int8", "int32"] = "float32"


StripPlan = tuple[int, int, int, int, int, int, int, int, int]
"""joint, side, tile, the four sides of the region, the two numbers of the origin; see shared.ftp.stage.Strip."""


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
        """Return the tile with this index."""
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
    """Fused layers that are computed tile by tile, all tiles by one program.

    `channels` are those of the maps at the stage's cut. The stage of a whole network has no channels, and one tile
    without outputs; its results are the network's outputs, of any type and shape. `reusing` has, by index, the tiles
    that are computed from strips of their neighbours, None for independent tiles; it is empty without reuse.
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


class DetectorPlan(Message):
    """The detector of a plan of whole frames: its description, and the shapes of its outputs by name, in order."""

    description: CompleteSpec
    outputs: dict[str, tuple[int, ...]] = Field(min_length=1, max_length=64)


class Plan(Message):
    """The work of the cluster and its distribution. Immutable; a new epoch replaces it.

    With one stage a task is one of its tiles. With several, a task is all tiles of one index: it stays with its worker,
    and workers exchange the borders that tiles need between two stages. With a `detector` a task is a whole frame: its
    worker computes the complete network, decodes, and sends the objects.
    """

    epoch: int = Field(gt=0, le=MAX_EPOCH)
    method: str
    model: str
    input: tuple[Side, Side] = Field(description="height, width of the network's input")
    preprocessing: Preprocessing
    cut: tuple[str, ...]
    stages: tuple[StagePlan, ...] = Field(min_length=1, max_length=MAX_STAGES)
    distribution: Distribution
    detector: DetectorPlan | None = Field(default=None, description="null: the gateway has the detector")
    pixels: Literal["uint8", "float32"] = Field(default="uint8", description="element type of tiles on the wire")
    maps: MapType = Field(default="float32", description="element type of maps on the wire; float16 is not exact")
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
        """Return the number of tasks of a frame."""
        return len(self.stages[0].tiles)

    @property
    def pixel_bytes(self) -> int:
        """Return the size of a whole frame of pixels on the wire."""
        height, width = self.input
        return 3 * height * width * (1 if self.pixels == "uint8" else 4)


class PlanOffer(Plan):
    """The plans that edges prepare: this one and those in `also`, which older releases ignore."""

    also: tuple[Plan, ...] = Field(
        default=(), max_length=MAX_OTHER_PLANS, description="further plans that edges prepare; see PlanPreference"
    )


class PlanPreference(Message):
    """The plan that new frames follow, if their owner has prepared it."""

    epoch: int = Field(gt=0, le=MAX_EPOCH)


def _strip_plan(strip: Strip) -> StripPlan:
    return (strip.joint, strip.side, strip.tile, *strip.region.sides, *strip.origin)


def _strip(plan: Sequence[int]) -> Strip:
    joint, side, tile, *box, top, left = plan
    return Strip(joint, side, tile, Region(*box), (top, left))
