"""Payloads of the MQTT topics, as pydantic models. Unknown fields are ignored, known ones are checked."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.logs.printable import printable
from shared.network.hosts import is_loopback
from shared.payloads.base import Message
from shared.payloads.fields import Count, Host, Milliseconds, Name, PictureBox, Port, Rate, RelativeBox, ShortText
from shared.payloads.frames import FRAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.payloads.versions import MAX_UNDERSTOOD_PROTOCOLS

MAX_CAMERAS_PER_EDGE = 256
"""Cameras of one edge."""

MAX_TRAFFIC_KINDS = 32
"""Kinds of messages whose bytes are counted; there are twenty or so."""

MAX_NEIGHBOURS = 4
"""Tiles beside a tile: it gives strips to so many at the most."""

NodeTraffic = Annotated[dict[Annotated[str, Field(max_length=32)], Count], Field(max_length=MAX_TRAFFIC_KINDS)]

Versions = Annotated[tuple[Count, ...], Field(max_length=MAX_UNDERSTOOD_PROTOCOLS)]

MAX_UNREACHED_PEERS = 64
"""Addresses that an edge could not reach; ours names 16 at the most."""

MAX_REASON_LENGTH = 200
"""Letters of the reason why something is not there: one line."""


AGENT_STOPPED = "its agent was stopped"
"""The reason of a camera whose agent was told to end, as another edge serves it, or its own one stops."""


class State(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    REFUSED = "refused"


# Public: deepthings/detections, deepthings/cameras, deepthings/bridge


class TileCounts(Message):
    """Tiles that a node computed: of its own frames, and stolen from others."""

    own: Count = 0
    stolen: Count = 0


class DetectedObject(Message):
    """One object: boxes are left, top, right, bottom, in pixels of the picture and as parts of its size."""

    label: str
    score: float
    box: PictureBox
    box_rel: RelativeBox


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


class Identity(Message):
    """Which process this is, and on which device: names of devices are not always unique."""

    instance: ShortText = Field(default="", description="random, of one run of one process; empty: not known")
    device: ShortText = Field(default="", description="its host's name")
    address: Host = Field(default="", description="its own address on the way to the broker; empty: not known")
    network: ShortText = Field(
        default="", description="of its loopback: who has the same reaches it there; empty: not known"
    )

    def __str__(self) -> str:
        where = "beside the broker" if is_loopback(self.address) else self.address or "address unknown"
        return printable(f"{self.device or 'an unknown device'} ({where})")


class BridgeState(Message):
    """Whether the gateway is there."""

    state: State
    protocol: Count
    understood: Versions = Field(default=(), description="versions of the protocol that it understands")
    version: ShortText = ""
    identity: Identity = Identity()


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
    load: float | None = Field(default=None, description="share of all cores that worked of late, 0 to 1")
    cores: int = Field(default=0, ge=0, description="of its processor; 0: not known")
    threads: int = Field(default=0, ge=0, description="that compute tiles; 0: not known")
    temperature: float | None = Field(default=None, description="of the processor, in degrees Celsius")
    reason: str = ""
    failed: int = Field(default=0, ge=0, description="tiles that it did not compute, or whose values are no numbers")
    barred: str = Field(default="", description="why it gets no work; empty: it does")
    problem: str = Field(default="", description="why it cannot follow the plan, as it says itself")


class Nodes(Message):
    """All edges by name, and the gateway's own bytes."""

    nodes: dict[str, NodeReport]
    gateway_bytes: dict[str, int] = Field(default_factory=dict)
    left_out: int = Field(default=0, ge=0, description="edges that are not listed, as a broker takes no longer list")


class CameraStats(Message):
    """A camera's account, as its agent keeps it."""

    camera: Name
    node: Name
    counts: FrameCounts
    ended: bool = False
    state: State | None = Field(default=None, description="whether its pictures come; none: not known")
    reason: str = Field(default="", max_length=MAX_REASON_LENGTH, description="why it is offline")
    fps: Rate = Field(default=0.0, description="pictures a second that the camera gives; 0: not known")
    width: Count = Field(default=0, description="of these pictures, in pixels; 0: not known")
    height: Count = 0
    published_per_s: Rate | None = Field(
        default=None, description="frames published, over the last ten seconds; none: not known"
    )
    assigned: bool = Field(
        default=False, description="whether its edge reads it for the gateway; otherwise somebody started its agent"
    )


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

    node: Name
    state: State
    protocol: Count
    understood: Versions = Field(default=(), description="versions of the protocol that it understands")
    version: ShortText = ""
    host: Host = Field(default="", description="where it listens; empty: the host of the broker")
    port: Port = 0
    identity: Identity = Identity()


class NameClaim(Message):
    """A process asks who else has its name, or answers such a question: the name is taken, by me."""

    identity: Identity
    attempt: Count = Field(default=0, description="counts the questions of one process")
    answers: ShortText = Field(default="", description="the instance that is answered; empty: this is a question")


class UnreachedPeer(Message):
    """An address that an edge could not reach."""

    host: Host
    port: Port
    reason: str = Field(max_length=MAX_REASON_LENGTH, description="the end of a sentence")


class NodeStats(Message):
    """What an edge has done since it started."""

    node: Name
    epoch: Count = 0
    tiles: TileCounts
    bytes: NodeTraffic
    cameras: tuple[Name, ...] = Field(default=(), max_length=MAX_CAMERAS_PER_EDGE)
    tiles_per_s: Rate = Field(default=0.0, description="computed, over the last ten seconds")
    load: float | None = Field(default=None, ge=0, le=1e6, description="share of all cores that worked of late, 0 to 1")
    cores: Count = Field(default=0, description="of its processor; 0: not known")
    threads: Count = Field(default=0, description="that compute tiles; 0: not known")
    temperature: float | None = Field(
        default=None, ge=-300, le=1000, description="of the processor, in degrees Celsius"
    )
    problem: str = Field(default="", max_length=2 * MAX_REASON_LENGTH, description="why the plan is not followed")
    passed: Count = Field(default=0, description="the last trial that it has passed, see NodeStanding")
    unreached: tuple[UnreachedPeer, ...] = Field(
        default=(), max_length=MAX_UNREACHED_PEERS, description="addresses of others that it could not reach of late"
    )


class CameraRef(Message):
    """A camera that an edge is to serve; its source is asked for by TCP, as it may hold a password.

    `revision` changes with the source and how its pictures are taken. `restart` changes when its agent is to begin anew
    although nothing has changed; 0: nobody has asked for that since the gateway started.
    """

    revision: Count
    restart: Count = 0
    detect: bool = True
    fps: float | None = Field(default=None, gt=0, le=240, description="frames a second at the most")


class CameraAssignment(Message):
    """All cameras that an edge is to serve, by name, and where the gateway tells more of them."""

    node: Name
    host: Host = Field(description="empty: the host of the broker")
    port: Port
    cameras: dict[Name, CameraRef] = Field(default_factory=dict, max_length=MAX_CAMERAS_PER_EDGE)


class TaskAnnouncement(Message):
    """An owner has so many tasks waiting in its queue now.

    Frames that it wants to give up are in `given_up`, of whatever epoch: the gateway answers for each of them with what
    became of it. Unless that was decided already, it is the outcome that is named there.

    Others wait for their neighbours' strips. Of these, `overdue` are done sooner with their whole halo, by who is idle;
    some are for nodes that are `near`, by name, as these compute all the strips themselves.
    """

    node: Name
    epoch: Count
    waiting: Count
    overdue: Count = 0
    near: dict[Name, Count] = Field(default_factory=dict, max_length=1000)
    opened: FrameInfo | None = Field(default=None, description="the frame that these tasks begin")
    given_up: dict[Annotated[str, Field(pattern=FRAME_PATTERN)], Outcome] = Field(
        default_factory=dict, max_length=1000, description="frames that have waited for an answer for too long"
    )
    unfit: dict[Name, Count] = Field(
        default_factory=dict, max_length=1000, description="so many of the waiting ones are not for these nodes"
    )


class StealRequest(Message):
    """An idle edge asks for work; the gateway parks the request until there is some."""

    node: Name
    epoch: Count
    missed: Name | None = Field(default=None, description="the victim of the last grant, where nothing was left")
    idle: bool = Field(default=True, description="false: a tile runs meanwhile")


class Grant(Message):
    """The gateway's answer: take a task from this victim."""

    epoch: Count
    victim: Name
    host: Host = Field(description="empty: the host of the broker")
    port: Port


class TileDone(Message):
    """The gateway has the result of one tile, and those strips of it that were sent for the tiles in `strips`."""

    frame: str = Field(pattern=FRAME_PATTERN)
    tile: Count
    worker: Name
    compute_ms: Milliseconds
    macs: Count = Field(default=0, description="what was computed, in multiply-accumulate operations")
    fetch_bytes_per_s: Rate = Field(default=0.0, description="how fast the thief got the tile; 0: it was its own")
    strips: tuple[Count, ...] = Field(default=(), max_length=MAX_NEIGHBOURS)
    error: str = Field(
        default="", max_length=MAX_REASON_LENGTH, description="why the worker could not compute it, if so"
    )


class NodeStanding(Message):
    """Whether a node may compute; a barred one has its programs prepared again, and says when it passed the trial."""

    node: Name
    barred: bool
    trial: Count = 0
    reason: str = Field(default="", max_length=2 * MAX_REASON_LENGTH)


class FrameDone(Message):
    """The gateway is finished with a frame."""

    frame: str = Field(pattern=FRAME_PATTERN)
    outcome: Outcome
