"""Headers of the messages between edges and gateway, and all headers by kind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.payloads.cluster import MAX_NEIGHBOURS, MAX_REASON_LENGTH, FrameDone, TileDone
from shared.payloads.fields import Count, Host, Milliseconds, Name, Port, Rate
from shared.payloads.frames import FRAME_PATTERN, MAX_PICTURE_SIDE, FrameInfo
from shared.wire.camera_headers import (
    CameraHeader,
    ControlHeader,
    FrameHeader,
    OfferHeader,
    OutcomeHeader,
    ReadyHeader,
    ReportHeader,
)
from shared.wire.codec import MessageKind
from shared.wire.header import ByteCount, Header
from shared.wire.map_values import MapType  # noqa: TC001  (pydantic reads it)

SHA256_PATTERN = r"^[0-9a-f]{64}$"

MAX_WORKERS = 256
"""One device for each row of most maps; with the longest names and addresses they fill half of a header."""

MAX_TRACED_NODES = 128
"""Nodes in one trace; with the longest reasons why some are missing they fill two thirds of a header."""

TileIndex = Count


class TaskRef(BaseModel):
    """A task: tile `tile` of frame `frame`."""

    model_config = ConfigDict(frozen=True)

    frame: str = Field(pattern=FRAME_PATTERN)
    tile: TileIndex


class WorkerRef(BaseModel):
    """A node and the address of its data plane; an empty host means the broker's host."""

    model_config = ConfigDict(frozen=True)

    node: Name
    host: Host
    port: Port


class TakeHeader(Header):
    """Thief to victim: request for the last waiting tile of its oldest frame. Answered by TILE or ABSENT.

    `idle` False: the thief is still computing another tile. `reuses`: it can compute tiles from strips. `again`: strips
    for this tile, which the thief has already, are not available: send it again with its whole halo. `fills_bars`: it
    reads `content` of a TILE, `reads_png` its `png`; edges of the release before get all pixels as they are.
    """

    kind = MessageKind.TAKE
    thief: Name
    epoch: Count
    idle: bool = True
    reuses: bool = False
    again: TaskRef | None = None
    fills_bars: bool = False
    reads_png: bool = False


class TileHeader(Header):
    """Victim to thief, or owner to gateway to worker: a tile's pixels (height, width, 3), and the lease on it.

    Pixels are of the plan's type; with `png` they are coded, which took `coded_ms`. `content`: only this part of
    the tile is sent, (top, left, bottom, right) within it; the rest are bars beside the picture, and the receiver
    fills them in (None: all is sent). `reusing`: the halo that strips replace is missing. `wanted` are the tiles
    for which the worker must send strips to the gateway. When the gateway distributes tiles, `attempt` counts the
    distributions of this frame, and `workers` are, by tile, those that compute the frame. It was lent `waited_ms`
    after its frame was opened; before, the thief waited `pulled_ms` for the camera's picture.
    """

    kind = MessageKind.TILE
    info: FrameInfo
    epoch: Count
    owner: Name
    tile: TileIndex
    height: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    width: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    content: tuple[Count, Count, Count, Count] | None = None
    lease_s: float = Field(default=0.0, ge=0, le=1e9)
    reusing: bool = False
    wanted: tuple[TileIndex, ...] = Field(default=(), max_length=MAX_NEIGHBOURS)
    attempt: Count = 0
    workers: tuple[WorkerRef, ...] = Field(default=(), max_length=MAX_WORKERS)
    waited_ms: Milliseconds = 0.0
    pulled_ms: Milliseconds = 0.0
    png: bool = False
    coded_ms: Milliseconds = 0.0


class StripsRequestHeader(Header):
    """Worker to gateway: request for strips of the tiles `givers` for the tile `reader`. Answered by STRIPS."""

    kind = MessageKind.STRIPS_REQUEST
    frame: str = Field(pattern=FRAME_PATTERN)
    epoch: Count
    reader: TileIndex
    givers: tuple[TileIndex, ...] = Field(max_length=MAX_NEIGHBOURS)


class StripsHeader(Header):
    """Gateway to worker: the requested strips that it has, giver by giver.

    `sizes` are their bytes by giver.
    """

    kind = MessageKind.STRIPS
    sizes: dict[TileIndex, ByteCount] = Field(default_factory=dict, max_length=MAX_NEIGHBOURS)


class BorderHeader(Header):
    """Worker to worker: the part of one tile's results that a tile of the next stage reads, of type `maps`.

    `attempt` as in TileHeader; `stage` is the finished one.
    """

    kind = MessageKind.BORDER
    frame: str = Field(pattern=FRAME_PATTERN)
    epoch: Count
    giver: TileIndex
    reader: TileIndex
    stage: Count = 0
    attempt: Count = 0
    maps: MapType = "float32"


class ResultHeader(Header):
    """Worker to gateway: a tile's part of each map at the cut, (1, C, h, w) of type `maps`, one after the other.

    For a whole frame there are no maps, but so many `objects`, see shared.detection.detections. Then follow the strips
    that the gateway keeps for other tiles: `strips` are their bytes by reader. `macs` multiply-accumulate operations
    took `compute_ms`; the tile had waited `waited_ms` for a device, and was received with `fetch_bytes_per_s`, 0 for
    the worker's own. With an `error` there is no payload: the worker could not compute the tile.
    """

    kind = MessageKind.RESULT
    info: FrameInfo
    epoch: Count
    owner: Name
    worker: Name
    tile: TileIndex
    shapes: tuple[tuple[Count, Count, Count, Count], ...] = Field(max_length=64)
    maps: MapType = "float32"
    objects: Count | None = None
    strips: dict[TileIndex, ByteCount] = Field(default_factory=dict, max_length=MAX_NEIGHBOURS)
    compute_ms: Milliseconds
    macs: Count = 0
    fetch_bytes_per_s: Rate = 0.0
    waited_ms: Milliseconds = 0.0
    error: str = Field(default="", max_length=MAX_REASON_LENGTH)


class ProgramRequestHeader(Header):
    """Edge to gateway: request for the program with this hash. Answered by PROGRAM or ABSENT."""

    kind = MessageKind.PROGRAM_REQUEST
    sha256: str = Field(pattern=SHA256_PATTERN)


class ProgramHeader(Header):
    """Gateway to edge: the program of a stage."""

    kind = MessageKind.PROGRAM
    sha256: str = Field(pattern=SHA256_PATTERN)


class PictureRequestHeader(Header):
    """Gateway to owner: request for the picture of this frame, exact or as JPEG. Answered by PICTURE or ABSENT."""

    kind = MessageKind.PICTURE_REQUEST
    frame: str = Field(pattern=FRAME_PATTERN)
    jpeg: bool = False


class PictureHeader(Header):
    """Owner to gateway: a frame's picture, uint8 BGR (height, width, 3), or a `jpeg` of it."""

    kind = MessageKind.PICTURE
    info: FrameInfo
    jpeg: bool = False


class SettingsRequestHeader(Header):
    """Edge to gateway: request for the settings of a camera assigned to it. Answered by SETTINGS or ABSENT."""

    kind = MessageKind.SETTINGS_REQUEST
    camera: Name
    revision: Count


class SettingsHeader(Header):
    """Gateway to edge: the payload is an encoded camera_sources.camera_settings.AssignedCamera.

    It may contain a password.
    """

    kind = MessageKind.SETTINGS


class MembersRequestHeader(Header):
    """Camera to gateway: request for the list of members. Answered by MEMBERS or ABSENT."""

    kind = MessageKind.MEMBERS_REQUEST


class MembersHeader(Header):
    """Gateway to camera: the payload is an encoded shared.security.member_list.MemberList."""

    kind = MessageKind.MEMBERS


class TraceRequestHeader(Header):
    """Request for the spans of the last `seconds`; 0: only for the clock. Answered by TRACE.

    `cluster`: the gateway must send those of all its edges, too.
    """

    kind = MessageKind.TRACE_REQUEST
    seconds: float = Field(ge=0, le=3600)
    cluster: bool = False


class RecordingRef(BaseModel):
    """The recorded spans of one node in a payload, of `bytes` bytes, or the reason in words why they are `missing`.

    Its clock is ahead of the gateway's by `offset_s`, exact to half of `round_trip_s`.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    node: str = Field(max_length=63)
    bytes: ByteCount = 0
    offset_s: float = 0.0
    round_trip_s: float = Field(default=0.0, ge=0)
    missing: str = Field(default="", max_length=MAX_REASON_LENGTH)


class TraceHeader(Header):
    """A node's recorded spans (shared.tracing.recording), and its monotonic clock in seconds.

    A gateway that was asked for the cluster's sends `recordings`, one after the other in the payload.
    """

    kind = MessageKind.TRACE
    clock: float
    recordings: tuple[RecordingRef, ...] = Field(default=(), max_length=MAX_TRACED_NODES)


class LinkHeader(Header):
    """Edge to gateway, first message: the gateway sends TILE_DONE and FRAME_DONE for the edge's frames from now on."""

    kind = MessageKind.LINK
    node: Name


class TileDoneHeader(Header):
    """Gateway to owner: a tile has arrived, or could not be computed."""

    kind = MessageKind.TILE_DONE
    done: TileDone


class FrameDoneHeader(Header):
    """Gateway to owner: the outcome of a frame."""

    kind = MessageKind.FRAME_DONE
    done: FrameDone


class AbsentHeader(Header):
    """Negative answer; `later`: a task is available to a thief that requests again when it is idle."""

    kind = MessageKind.ABSENT
    reason: str = ""
    later: bool = False


class RefusedHeader(Header):
    """The reason why the connection is being closed."""

    kind = MessageKind.REFUSED
    reason: str


HEADERS: dict[MessageKind, type[Header]] = {
    header.kind: header
    for header in (
        CameraHeader, OfferHeader, FrameHeader, ReadyHeader, OutcomeHeader, ReportHeader, ControlHeader,
        TakeHeader, TileHeader, ResultHeader, StripsRequestHeader, StripsHeader, BorderHeader,
        ProgramRequestHeader, ProgramHeader, PictureRequestHeader, PictureHeader,
        SettingsRequestHeader, SettingsHeader, LinkHeader, TileDoneHeader, FrameDoneHeader, TraceRequestHeader,
        TraceHeader, MembersRequestHeader, MembersHeader, AbsentHeader, RefusedHeader,
    )
}  # fmt: skip
