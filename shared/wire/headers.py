"""The header of every kind of data-plane message. Unknown fields are ignored; known ones are checked."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ProtocolError
from shared.payloads.cluster import MAX_REASON_LENGTH, State
from shared.payloads.fields import Count, Host, Milliseconds, Name, Port, Rate
from shared.payloads.frames import FRAME_PATTERN, MAX_PICTURE_SIDE, FrameCounts, FrameInfo, Outcome
from shared.wire.codec import MessageKind

SHA256_PATTERN = r"^[0-9a-f]{64}$"

MAX_NEIGHBOURS = 4
"""Of a tile: it takes strips from so many others at the most, or gives them."""

MAX_WORKERS = 256
"""A device for each row of most maps; with the longest names and addresses they fill half a header."""

MAX_UNDER_WAY = 64
"""Frames of one camera; an edge invites 16 at the most, and those of earlier connections count among them."""


ByteCount = Count
TileIndex = Count
FrameNumber = Count
FrameName = Annotated[str, Field(pattern=FRAME_PATTERN)]


class Header(BaseModel):
    """Base of all headers."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: ClassVar[MessageKind]

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes | bytearray) -> Self:
        """Raises ProtocolError naming the first field that is wrong."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "header"
            raise ProtocolError(f"{cls.kind.name}: {where}: {first['msg']}") from error


class TaskRef(BaseModel):
    """Tile `tile` of frame `frame`."""

    model_config = ConfigDict(frozen=True)

    frame: str = Field(pattern=FRAME_PATTERN)
    tile: TileIndex


class WorkerRef(BaseModel):
    """A node, and where its data plane is; an empty host is the broker's."""

    model_config = ConfigDict(frozen=True)

    node: Name
    host: Host
    port: Port


class CameraHeader(Header):
    """Camera agent to edge, first of all: this is who will send frames. Answered by Ready or Refused.

    `token` is the agent's own, the same for all its connections; no other agent knows it. `under_way` are frames of
    earlier connections whose outcome it has not heard, by number: it is told for each of them.
    """

    kind = MessageKind.CAMERA
    camera: Name
    token: str = Field(default="", max_length=64, repr=False)
    under_way: dict[FrameNumber, FrameName] = Field(default_factory=dict, max_length=MAX_UNDER_WAY)


class FrameHeader(Header):
    """Camera agent to edge: a picture, uint8 BGR (height, width, 3)."""

    kind = MessageKind.FRAME
    info: FrameInfo


class ReadyHeader(Header):
    """Edge to camera agent: send the newest frame you have."""

    kind = MessageKind.READY


class OutcomeHeader(Header):
    """Edge to camera agent: what became of a frame."""

    kind = MessageKind.OUTCOME
    number: Count
    outcome: Outcome


class ReportHeader(Header):
    """Camera agent to edge: its account, now and then; `ended` when no frame will follow.

    `state`, and the `reason` why it is offline, are the camera's; `fps`, `width` and `height` (pixels) are what it
    gives, 0 when that is not known.
    """

    kind = MessageKind.REPORT
    counts: FrameCounts
    ended: bool = False
    state: State | None = None
    reason: str = Field(default="", max_length=MAX_REASON_LENGTH)
    fps: Rate = 0.0
    width: Count = 0
    height: Count = 0


class ControlHeader(Header):
    """Edge to camera agent: whether frames are wanted, and how many a second at the most; None: as it was told.

    `look`: some are wanted now although nothing moves, as the gateway does not know the scene.
    """

    kind = MessageKind.CONTROL
    detect: bool = True
    look: bool = False
    fps: float | None = Field(default=None, gt=0, le=240)


class TakeHeader(Header):
    """Thief to victim: give me a tile from the back of your queue. Answered by Tile or Absent.

    `idle` False: another tile runs meanwhile. `reuses`: the thief can compute tiles from strips. `again`: the strips
    for this tile, which it holds already, are not to be had: give it once more, with its whole halo.
    """

    kind = MessageKind.TAKE
    thief: Name
    epoch: Count
    idle: bool = True
    reuses: bool = False
    again: TaskRef | None = None


class TileHeader(Header):
    """Victim to thief, or owner to gateway to worker: a tile's pixels (height, width, 3), and the lease on it.

    Pixels are of the plan's type. `reusing`: without the halo that strips make up for. `wanted` are the tiles for whom
    the worker is to send strips to the gateway. When the gateway shares tiles out, `attempt` counts how often it has
    done so for this frame, and `workers` are, by tile, those that compute the frame.
    """

    kind = MessageKind.TILE
    info: FrameInfo
    epoch: Count
    owner: Name
    tile: TileIndex
    height: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    width: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    lease_s: float = Field(default=0.0, ge=0, le=1e9)
    reusing: bool = False
    wanted: tuple[TileIndex, ...] = Field(default=(), max_length=MAX_NEIGHBOURS)
    attempt: Count = 0
    workers: tuple[WorkerRef, ...] = Field(default=(), max_length=MAX_WORKERS)


class StripsRequestHeader(Header):
    """Worker to gateway: the strips of these tiles for another. Answered by Strips."""

    kind = MessageKind.STRIPS_REQUEST
    frame: str = Field(pattern=FRAME_PATTERN)
    epoch: Count
    reader: TileIndex
    givers: tuple[TileIndex, ...] = Field(max_length=MAX_NEIGHBOURS)


class StripsHeader(Header):
    """Gateway to worker: what it has of the strips that were asked for, one giver's after the other's.

    `sizes` are the bytes of each giver's.
    """

    kind = MessageKind.STRIPS
    sizes: dict[TileIndex, ByteCount] = Field(default_factory=dict, max_length=MAX_NEIGHBOURS)


class BorderHeader(Header):
    """Worker to worker: what one tile of a stage has made of the maps behind it, and one of the next stage reads.

    `attempt` as in Tile; `stage` is the one that was finished.
    """

    kind = MessageKind.BORDER
    frame: str = Field(pattern=FRAME_PATTERN)
    epoch: Count
    giver: TileIndex
    reader: TileIndex
    stage: Count = 0
    attempt: Count = 0


class ResultHeader(Header):
    """Worker to gateway: a tile's part of each map at the cut, float32 (1, C, h, w), one after the other.

    Behind them are the strips that the gateway keeps for whoever computes other tiles: `strips` are their bytes by
    reader. `macs` multiply-accumulate operations took `compute_ms`; the tile came with `fetch_bytes_per_s`, 0 for an
    own one. With an `error` nothing follows: the worker could not compute the tile.
    """

    kind = MessageKind.RESULT
    info: FrameInfo
    epoch: Count
    owner: Name
    worker: Name
    tile: TileIndex
    shapes: tuple[tuple[Count, Count, Count, Count], ...] = Field(max_length=64)
    strips: dict[TileIndex, ByteCount] = Field(default_factory=dict, max_length=MAX_NEIGHBOURS)
    compute_ms: Milliseconds
    macs: Count = 0
    fetch_bytes_per_s: Rate = 0.0
    error: str = Field(default="", max_length=MAX_REASON_LENGTH)


class ProgramRequestHeader(Header):
    """Edge to gateway: send me the program with this hash. Answered by Program or Absent."""

    kind = MessageKind.PROGRAM_REQUEST
    sha256: str = Field(pattern=SHA256_PATTERN)


class ProgramHeader(Header):
    """Gateway to edge: the program of a stage."""

    kind = MessageKind.PROGRAM
    sha256: str = Field(pattern=SHA256_PATTERN)


class PictureRequestHeader(Header):
    """Gateway to owner: send me the picture of this frame. Answered by Picture or Absent."""

    kind = MessageKind.PICTURE_REQUEST
    frame: str = Field(pattern=FRAME_PATTERN)


class PictureHeader(Header):
    """Owner to gateway: a frame's picture, uint8 BGR (height, width, 3)."""

    kind = MessageKind.PICTURE
    info: FrameInfo


class SettingsRequestHeader(Header):
    """Edge to gateway: what the agent of a camera that is assigned to me must know. Answered by Settings or Absent."""

    kind = MessageKind.SETTINGS_REQUEST
    camera: Name
    revision: Count


class SettingsHeader(Header):
    """Gateway to edge: the payload is a camera as camera_sources.camera_settings.AssignedCamera encodes it.

    A password may be in it.
    """

    kind = MessageKind.SETTINGS


class AbsentHeader(Header):
    """What was asked for is not here; `later`: a task is, for who asks once more when it has nothing else to do."""

    kind = MessageKind.ABSENT
    reason: str = ""
    later: bool = False


class RefusedHeader(Header):
    """Why the connection is being closed."""

    kind = MessageKind.REFUSED
    reason: str


HEADERS: dict[MessageKind, type[Header]] = {
    header.kind: header
    for header in (
        CameraHeader, FrameHeader, ReadyHeader, OutcomeHeader, ReportHeader, ControlHeader,
        TakeHeader, TileHeader, ResultHeader, StripsRequestHeader, StripsHeader, BorderHeader,
        ProgramRequestHeader, ProgramHeader, PictureRequestHeader, PictureHeader,
        SettingsRequestHeader, SettingsHeader, AbsentHeader, RefusedHeader,
    )
}  # fmt: skip
