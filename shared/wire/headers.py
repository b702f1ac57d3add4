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
"""Workers of a frame: one for each row of most maps. With the longest names and addresses they fill half a header."""

MAX_TRACED_NODES = 128
"""Nodes in one trace. With the longest reasons why they are missing they fill two thirds of a header."""

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

    `idle` False: the thief is still computing another tile. `reuses`: it can compute tiles from strips. `again` is a
    tile that the thief has already, but whose strips are not available: the victim sends it again, with its whole halo.
    `fills_bars`: the thief understands `content` of a TILE, `reads_png`: it understands `png`. Older releases set
    neither, and get all pixels uncoded.
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

    Pixels are of the plan's type; with `png` they are coded, which took `coded_ms`. `content` is the part of the tile
    that is sent, (top, left, bottom, right) within the tile; the receiver fills in the rest, which are bars beside the
    picture (None: the whole tile is sent). `reusing`: the halo that strips replace is missing. `wanted` are the tiles
    for which the worker must send strips to the gateway. If the gateway distributes tiles, `attempt` counts the
    distributions of this frame, and `workers` are the nodes that compute it, by tile. `waited_ms` is the time from the
    begin of the frame until the tile was lent; before, the thief waited `pulled_ms` for the camera's picture.
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
    """Gateway to worker: those of the requested strips that the gateway has, giver by giver.

    `sizes` are their bytes by giver.
    """

    kind = MessageKind.STRIPS
    sizes: dict[TileIndex, ByteCount] = Field(default_factory=dict, max_length=MAX_NEIGHBOURS)


class BorderHeader(Header):
    """Worker to worker: the part of one tile's results that a tile of the next stage reads, of type `maps`.

    `stage` is the index of the finished stage; `attempt` as in TileHeader.
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

    The result of a whole frame has no maps, but a detections table of `objects` rows (shared.detection.detections).
    Strips that the gateway keeps for other tiles follow; `strips` are their bytes by reader. `macs` are the computed
    multiply-accumulate operations, `compute_ms` the time for them, `waited_ms` the time that the tile had waited for a
    device, and `fetch_bytes_per_s` the rate at which it was received, 0 for the worker's own tile. With an `error`, the
    reason why the worker could not compute the tile, there is no payload.
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

    `cluster`: the gateway must also send the spans of all its edges.
    """

    kind = MessageKind.TRACE_REQUEST
    seconds: float = Field(ge=0, le=3600)
    cluster: bool = False


class RecordingRef(BaseModel):
    """The recorded spans of one node in a payload: their size in `bytes`, or the reason why they are `missing`.

    The node's clock is ahead of the gateway's by `offset_s`, with an error of at most half of `round_trip_s`.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    node: str = Field(max_length=63)
    bytes: ByteCount = 0
    offset_s: float = 0.0
    round_trip_s: float = Field(default=0.0, ge=0)
    missing: str = Field(default="", max_length=MAX_REASON_LENGTH)


class TraceHeader(Header):
    """Answer to a TRACE_REQUEST: a node's recorded spans (shared.tracing.recording), and its monotonic clock (seconds).

    The answer to a request with `cluster` lists the `recordings` that follow each other in the payload.
    """

    kind = MessageKind.TRACE
    clock: float
    recordings: tuple[RecordingRef, ...] = Field(default=(), max_length=MAX_TRACED_NODES)


class LinkHeader(Header):
    """Edge to gateway, first message: the gateway must send TILE_DONE and FRAME_DONE for the edge's frames here."""

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
    """Negative answer to a request. `later`: a thief can get a task if it requests again when it is idle."""

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
