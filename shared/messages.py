"""Payloads of the MQTT topics, as pydantic models. Unknown fields are ignored, known ones are checked."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from shared.frames import NAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.message import Message

Box = tuple[float, float, float, float]

REASON_CAP = 200
"""Letters of the reason why something is not there: one line."""


class State(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    REFUSED = "refused"


# Public: deepthings/detections, deepthings/cameras, deepthings/bridge


class TileCounts(Message):
    """Tiles that a node computed: of its own frames, and stolen from others."""

    own: int = 0
    stolen: int = 0


class DetectedObject(Message):
    """One object: boxes are left, top, right, bottom, in pixels of the picture and as parts of its size."""

    label: str
    score: float
    box: Box
    box_rel: Box


class Latency(Message):
    """Milliseconds from capture to publication, in all and by stage. Across hosts, as exact as their clocks."""

    total: float
    transfer: float = Field(description="camera to owner")
    prepare: float = Field(description="letterbox and slicing at the owner")
    tiles: float = Field(description="from the announcement until the last tile is merged")
    tail: float = Field(description="waiting for and running the remaining layers")
    decode: float = Field(description="decoding and suppression")


class FrameDetections(Message):
    """Everything seen in one frame."""

    camera: str
    frame: str
    number: int
    captured_at: float = Field(description="seconds since 1970")
    published_at: float = Field(description="seconds since 1970")
    latency_ms: Latency
    model: str
    grid: str
    image: tuple[int, int] = Field(description="width, height in pixels")
    objects: tuple[DetectedObject, ...]
    nodes: dict[str, TileCounts] = Field(description="which node computed how many tiles")
    duplicates: int = Field(default=0, description="tiles computed a second time after a lease ended")


class BridgeState(Message):
    """Whether the gateway is there."""

    state: State
    protocol: int
    version: str = ""


class NodeReport(Message):
    """What the gateway knows of one edge."""

    state: State
    address: str
    version: str
    epoch: int = Field(default=0, description="the plan that it is ready for, 0 for none")
    tiles: TileCounts = TileCounts()
    bytes: dict[str, int] = Field(
        default_factory=dict, description="received by TCP, by kind of message; sent and received by MQTT"
    )
    cameras: tuple[str, ...] = ()
    tiles_per_s: float = Field(default=0.0, ge=0, description="computed, over the last ten seconds")
    load: float | None = Field(default=None, description="of the last minute, as part of all cores")
    temperature: float | None = Field(default=None, description="of the processor, in degrees Celsius")
    reason: str = ""
    failed: int = Field(default=0, ge=0, description="tiles that it did not compute, or whose values are no numbers")
    barred: str = Field(default="", description="why it gets no work; empty: it does")
    problem: str = Field(default="", description="why it cannot follow the plan, as it says itself")


class Nodes(Message):
    """All edges by name, and the gateway's own bytes."""

    nodes: dict[str, NodeReport]
    gateway_bytes: dict[str, int] = Field(default_factory=dict)


class CameraStats(Message):
    """A camera's account, as its agent keeps it."""

    camera: str = Field(pattern=NAME_PATTERN)
    node: str
    counts: FrameCounts
    ended: bool = False
    state: State | None = Field(default=None, description="whether its pictures come; none: not known")
    reason: str = Field(default="", max_length=REASON_CAP, description="why it is offline")
    fps: float = Field(default=0.0, ge=0, description="pictures a second that the camera gives; 0: not known")
    width: int = Field(default=0, ge=0, description="of these pictures, in pixels; 0: not known")
    height: int = Field(default=0, ge=0)


class Verification(Message):
    """One frame of the running cluster compared with the unpartitioned network."""

    frame: str
    max_abs_diff: float = Field(description="largest difference of the merged maps, in units of the map")
    map_std: float = Field(description="standard deviation of the unpartitioned maps")
    wrong: dict[str, tuple[int, ...]] = Field(
        default_factory=dict, description="tiles of this frame, which was published, that a node computed wrongly"
    )


# Cluster: deepthings/cluster


class NodeState(Message):
    """An edge presents itself; its will says `offline`."""

    node: str = Field(pattern=NAME_PATTERN)
    state: State
    protocol: int
    version: str = ""
    host: str = Field(default="", description="where it listens; empty: the host of the broker")
    port: int = 0


class NodeStats(Message):
    """What an edge has done since it started."""

    node: str = Field(pattern=NAME_PATTERN)
    epoch: int = 0
    tiles: TileCounts
    bytes: dict[str, int]
    cameras: tuple[str, ...] = ()
    tiles_per_s: float = Field(default=0.0, ge=0, description="computed, over the last ten seconds")
    load: float | None = Field(default=None, description="of the last minute, as part of all cores")
    temperature: float | None = Field(default=None, description="of the processor, in degrees Celsius")
    problem: str = Field(default="", max_length=2 * REASON_CAP, description="why the plan is not followed")
    passed: int = Field(default=0, ge=0, description="the last trial that it has passed, see NodeStanding")


class CameraRef(Message):
    """A camera that an edge is to serve; its source is asked for by TCP, as it may hold a password.

    `revision` changes with the source and how its pictures are taken.
    """

    revision: int
    detect: bool = True
    fps: float | None = Field(default=None, description="frames a second at the most")


class CameraAssignment(Message):
    """All cameras that an edge is to serve, by name, and where the gateway tells more of them."""

    node: str = Field(pattern=NAME_PATTERN)
    host: str = Field(description="empty: the host of the broker")
    port: int
    cameras: dict[str, CameraRef] = Field(default_factory=dict, max_length=256)


class TaskAnnouncement(Message):
    """An owner has so many tasks waiting in its queue now.

    Others wait for their neighbours' strips. Of these, `overdue` are done sooner with their whole halo, by who is idle;
    some are for nodes that are `near`, by name, as these compute all the strips themselves.
    """

    node: str = Field(pattern=NAME_PATTERN)
    epoch: int
    waiting: int = Field(ge=0)
    overdue: int = Field(default=0, ge=0)
    near: dict[str, int] = Field(default_factory=dict, max_length=1000)
    opened: FrameInfo | None = Field(default=None, description="the frame that these tasks begin")
    unfit: dict[str, int] = Field(
        default_factory=dict, max_length=1000, description="so many of the waiting ones are not for these nodes"
    )


class StealRequest(Message):
    """An idle edge asks for work; the gateway parks the request until there is some."""

    node: str = Field(pattern=NAME_PATTERN)
    epoch: int
    missed: str | None = Field(default=None, description="the victim of the last grant, where nothing was left")
    idle: bool = Field(default=True, description="false: a tile runs meanwhile")


class Grant(Message):
    """The gateway's answer: take a task from this victim."""

    epoch: int
    victim: str
    host: str = Field(description="empty: the host of the broker")
    port: int


class TileDone(Message):
    """The gateway has the result of one tile, and those strips of it that were sent for the tiles in `strips`."""

    frame: str
    tile: int
    worker: str
    compute_ms: float
    macs: int = Field(default=0, description="what was computed, in multiply-accumulate operations")
    fetch_bytes_per_s: float = Field(default=0.0, description="how fast the thief got the tile; 0: it was its own")
    strips: tuple[int, ...] = ()
    error: str = Field(default="", max_length=REASON_CAP, description="why the worker could not compute it, if so")


class NodeStanding(Message):
    """Whether a node may compute; a barred one has its programs prepared again, and says when it passed the trial."""

    node: str = Field(pattern=NAME_PATTERN)
    barred: bool
    trial: int = Field(default=0, ge=0)
    reason: str = Field(default="", max_length=2 * REASON_CAP)


class FrameDone(Message):
    """The gateway is finished with a frame."""

    frame: str
    outcome: Outcome
