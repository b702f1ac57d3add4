"""Payloads of the cluster's MQTT topics, and of the public ones that report on frames, cameras and edges."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.logs.printable import printable
from shared.network.hosts import is_loopback
from shared.payloads.base import Message
from shared.payloads.fields import (
    Count,
    DurationSeconds,
    Host,
    Milliseconds,
    Name,
    PictureBox,
    Port,
    Rate,
    RelativeBox,
    ShortText,
)
from shared.payloads.frames import FRAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.payloads.versions import MAX_UNDERSTOOD_PROTOCOLS

MAX_CAMERAS_PER_EDGE = 256
"""Far more than one device can serve."""

MAX_TRAFFIC_KINDS = 32
"""Kinds of messages whose bytes are counted; there are about twenty."""

MAX_KERNEL_KINDS = 16
"""Kinds of layers that a device tells apart; this release knows 7."""

MAX_NEIGHBOURS = 4
"""Tiles beside a tile, which can get strips of it."""

NodeTraffic = Annotated[dict[Annotated[str, Field(max_length=32)], Count], Field(max_length=MAX_TRAFFIC_KINDS)]

KernelCosts = Annotated[
    dict[Annotated[str, Field(max_length=32)], Annotated[float, Field(gt=0, le=1e9)]],
    Field(max_length=MAX_KERNEL_KINDS),
]

Versions = Annotated[tuple[Count, ...], Field(max_length=MAX_UNDERSTOOD_PROTOCOLS)]

MAX_UNREACHED_PEERS = 64
"""Addresses that an edge could not reach; this release reports at most 16."""

MAX_REASON_LENGTH = 200
"""Characters of a reason: one line."""

AGENT_STOPPED = "its agent was stopped"
"""The reason of a camera whose agent was stopped, because another edge serves it or its own edge stops."""


class State(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    REFUSED = "refused"


# Public: deepthings/detections, deepthings/cameras, deepthings/bridge


class TileCounts(Message):
    """The tiles that a node computed: of its own frames, and stolen from others."""

    own: Count = 0
    stolen: Count = 0


class DetectedObject(Message):
    """One object: boxes are left, top, right, bottom, in pixels of the picture and as parts of its size."""

    label: str
    score: float
    box: PictureBox
    box_rel: RelativeBox


class Latency(Message):
    """Milliseconds from capture to publication, in total and by stage. Across hosts, only as exact as their clocks."""

    total: float
    transfer: float = Field(description="camera to owner")
    prepare: float = Field(description="letterbox and slicing at the owner")
    tiles: float = Field(description="from the announcement of the tiles until the last one is merged")
    order: float = Field(default=0.0, description="waiting for earlier frames of the camera")
    tail: float = Field(description="waiting for and running the remaining layers")
    decode: float = Field(description="decoding and suppression")


class FrameDetections(Message):
    """All objects in one frame."""

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
    """The identity of a process and its device: names of devices are not always unique."""

    instance: ShortText = Field(default="", description="random, of one run of one process; empty: not known")
    device: ShortText = Field(default="", description="its host's name")
    address: Host = Field(default="", description="its own address on the way to the broker; empty: not known")
    network: ShortText = Field(
        default="", description="of its loopback: processes with the same value share it; empty: not known"
    )

    def __str__(self) -> str:
        location = "beside the broker" if is_loopback(self.address) else self.address or "address unknown"
        return printable(f"{self.device or 'an unknown device'} ({location})")


class BridgeState(Message):
    """The presence of the gateway, and the versions that it speaks."""

    state: State
    protocol: Count
    understood: Versions = Field(default=(), description="versions of the protocol that it understands")
    version: ShortText = ""
    identity: Identity = Identity()


class NodeReport(Message):
    """The gateway's information about one edge."""

    state: State
    address: str
    version: str
    epoch: int = Field(default=0, description="the plan that it is ready for; 0: none")
    tiles: TileCounts = TileCounts()
    bytes: dict[str, int] = Field(
        default_factory=dict, description="received by TCP, by kind of message; sent and received by MQTT"
    )
    cameras: tuple[str, ...] = ()
    tiles_per_s: float = Field(default=0.0, ge=0, description="computed, over the last ten seconds")
    load: float | None = Field(default=None, description="share of all cores that were busy recently, 0 to 1")
    cores: int = Field(default=0, ge=0, description="of its processor; 0: not known")
    threads: int = Field(default=0, ge=0, description="that compute tiles; 0: not known")
    lanes: int = Field(default=1, ge=0, description="tiles that it computes at the same time")
    usable_cores: float = Field(default=0.0, ge=0, description="cores that it may use; 0: not known")
    memory_bytes: int = Field(default=0, ge=0, description="memory that plans may use there; 0: not known")
    temperature: float | None = Field(default=None, description="of the processor, in degrees Celsius")
    reason: str = ""
    failed: int = Field(default=0, ge=0, description="tiles that it did not compute, or that are not numbers")
    barred: str = Field(default="", description="the reason why it gets no work; empty: it gets work")
    drained: bool = Field(default=False, description="true: it gets no tiles of other edges until it is resumed")
    problem: str = Field(default="", description="the reason why it cannot follow the plan")
    computable_per_s: float | None = Field(
        default=None, ge=0, description="whole frames that it could compute, by its measured speed; null: not known"
    )
    profile_per_s: float | None = Field(
        default=None, ge=0, description="the same as measured when it joined, before its first frame; null: not known"
    )


class Nodes(Message):
    """All edges by name, and the bytes of the gateway itself."""

    nodes: dict[str, NodeReport]
    gateway_bytes: dict[str, int] = Field(default_factory=dict)
    left_out: int = Field(default=0, ge=0, description="edges that are missing here, as the message would be too large")


class CameraStats(Message):
    """The counts and the state of a camera, as its agent reports them."""

    camera: Name
    node: Name
    counts: FrameCounts
    ended: bool = False
    state: State | None = Field(default=None, description="online while it delivers pictures; null: not known")
    reason: str = Field(default="", max_length=MAX_REASON_LENGTH, description="the reason why it is offline")
    fps: Rate = Field(default=0.0, description="pictures a second that the camera delivers; 0: not known")
    width: Count = Field(default=0, description="of these pictures, in pixels; 0: not known")
    height: Count = 0
    published_per_s: Rate | None = Field(
        default=None, description="frames published, over the last ten seconds; null: not known"
    )
    motion: bool | None = Field(default=None, description="something moves in its pictures; null: nothing measures it")
    assigned: bool = Field(
        default=False, description="true: the gateway assigned it to its edge; false: its agent was started by hand"
    )


class Verification(Message):
    """The result of comparing one frame of the running cluster with the unpartitioned network."""

    frame: str
    max_abs_diff: float = Field(description="largest difference of the merged maps, in units of the map")
    map_std: float = Field(description="standard deviation of the unpartitioned maps")
    wrong: dict[str, tuple[int, ...]] = Field(
        default_factory=dict, description="the tiles of this published frame that each node computed wrongly"
    )


# Cluster: deepthings/cluster


class NodeState(Message):
    """The presence of an edge; its will has the state `offline`."""

    node: Name
    state: State
    protocol: Count
    understood: Versions = Field(default=(), description="versions of the protocol that it understands")
    version: ShortText = ""
    host: Host = Field(default="", description="the host that it listens on; empty: the host of the broker")
    port: Port = 0
    cameras: bool = Field(default=True, description="false: it only computes for other edges")
    identity: Identity = Identity()
    insecure: bool = Field(default=False, description="true: everybody on its network can reach it, as it has no keys")


class NameClaim(Message):
    """A claim on a name, or the answer of the process that already has it."""

    identity: Identity
    attempt: Count = Field(default=0, description="counts the claims of one process")
    answers: ShortText = Field(default="", description="the instance that is answered; empty: this is a claim")


class UnreachedPeer(Message):
    """An address that an edge could not reach."""

    host: Host
    port: Port
    reason: str = Field(max_length=MAX_REASON_LENGTH, description="the end of a sentence")


class NodeStats(Message):
    """The work of an edge since it started, and its load."""

    node: Name
    epoch: Count = 0
    also: tuple[Count, ...] = Field(default=(), max_length=16, description="further plans that it is ready for")
    tiles: TileCounts
    bytes: NodeTraffic
    cameras: tuple[Name, ...] = Field(default=(), max_length=MAX_CAMERAS_PER_EDGE)
    tiles_per_s: Rate = Field(default=0.0, description="computed, over the last ten seconds")
    frames: Rate = Field(default=0.0, description="of its own cameras under way, in the mean of the last second")
    load: float | None = Field(default=None, ge=0, le=1e6, description="share of all cores that were busy, 0 to 1")
    cores: Count = Field(default=0, description="of its processor; 0: not known")
    threads: Count = Field(default=0, description="that compute tiles; 0: not known")
    lanes: Count = Field(default=1, description="tiles that it computes at the same time")
    macs_per_s: float = Field(
        default=0.0, ge=0, le=1e18, description="operations that a lane computes in a second, as tried; 0: not known"
    )
    kernels: KernelCosts = Field(
        default_factory=dict,
        description="by kind of layer: the cost of an operation, relative to one of a usual convolution; as measured",
    )
    usable_cores: float = Field(default=0.0, ge=0, le=1e6, description="cores that it may use; 0: not known")
    memory_bytes: Count = Field(
        default=0, description="memory that plans may use, those that it has prepared included; 0: not known"
    )
    temperature: float | None = Field(
        default=None, ge=-300, le=1000, description="of the processor, in degrees Celsius"
    )
    problem: str = Field(default="", max_length=2 * MAX_REASON_LENGTH, description="why it does not follow the plan")
    passed: Count = Field(default=0, description="the last trial that it has passed; see NodeStanding")
    unreached: tuple[UnreachedPeer, ...] = Field(
        default=(), max_length=MAX_UNREACHED_PEERS, description="addresses of peers that it could not reach recently"
    )


class CameraRef(Message):
    """A camera that an edge must serve. The edge fetches its source by TCP, as it may contain a password.

    `revision` changes with the source and its settings. `restart` changes when the agent must restart although nothing
    has changed; 0: no restart was requested since the gateway started.
    """

    revision: Count
    restart: Count = 0
    detect: bool = True
    fps: float | None = Field(default=None, gt=0, le=240, description="the maximum of frames a second")


class CameraAssignment(Message):
    """All cameras that an edge must serve, by name, and the gateway's address for their settings."""

    node: Name
    host: Host = Field(description="empty: the host of the broker")
    port: Port
    cameras: dict[Name, CameraRef] = Field(default_factory=dict, max_length=MAX_CAMERAS_PER_EDGE)


class TaskAnnouncement(Message):
    """The number of tasks in an owner's queue.

    `given_up` has frames, of any epoch, that the owner wants to drop: the gateway answers each with its outcome, which
    is the one proposed there unless the frame had one already.

    Other tasks wait for the strips of neighbouring tiles. Of these, an idle edge computes `overdue` ones sooner with
    their whole halo; some are for the nodes in `near`, which compute all the strips themselves.
    """

    node: Name
    epoch: Count
    waiting: Count
    overdue: Count = 0
    near: dict[Name, Count] = Field(default_factory=dict, max_length=1000)
    within_s: DurationSeconds | None = Field(
        default=None, description="only for nodes that compute a task in less time; null: for all"
    )
    opened: FrameInfo | None = Field(default=None, description="the new frame of these tasks")
    given_up: dict[Annotated[str, Field(pattern=FRAME_PATTERN)], Outcome] = Field(
        default_factory=dict, max_length=1000, description="frames that have waited too long for their outcome"
    )
    unfit: dict[Name, Count] = Field(
        default_factory=dict,
        max_length=1000,
        description="by node: the waiting tasks that it cannot take, or is too slow for",
    )


class StealRequest(Message):
    """An idle edge requests work; the gateway keeps the request until there is some."""

    node: Name
    epoch: Count
    also: tuple[Count, ...] = Field(default=(), max_length=16, description="further plans that it is ready for")
    missed: Name | None = Field(default=None, description="the victim of the last grant, which had no task left")
    idle: bool = Field(default=True, description="false: a tile is being computed meanwhile")


class Helpers(Message):
    """The nodes that have been idle recently, and the seconds that each needs for a whole frame; 0: not known."""

    seconds: dict[Name, DurationSeconds] = Field(default_factory=dict, max_length=1000)
    lanes: dict[Name, Count] = Field(
        default_factory=dict, max_length=1000, description="tiles that it computes at the same time, if more than one"
    )


class Grant(Message):
    """The gateway's answer to a steal request: take a task from this victim."""

    epoch: Count
    victim: Name
    host: Host = Field(description="empty: the host of the broker")
    port: Port


class TileDone(Message):
    """The gateway has the result of one tile, and the strips of it for the neighbouring tiles in `strips`."""

    frame: str = Field(pattern=FRAME_PATTERN)
    tile: Count
    worker: Name
    compute_ms: Milliseconds
    macs: Count = Field(default=0, description="multiply-accumulate operations that were computed")
    fetch_bytes_per_s: Rate = Field(default=0.0, description="the thief's download rate of the tile; 0: its own tile")
    strips: tuple[Count, ...] = Field(default=(), max_length=MAX_NEIGHBOURS)
    error: str = Field(
        default="", max_length=MAX_REASON_LENGTH, description="why the worker could not compute it; empty: it did"
    )


class NodeStanding(Message):
    """The standing of a node: a barred one prepares its programs again, and reports when it has passed the trial."""

    node: Name
    barred: bool
    trial: Count = 0
    reason: str = Field(default="", max_length=2 * MAX_REASON_LENGTH)


class FrameDone(Message):
    """The final outcome of a frame at the gateway."""

    frame: str = Field(pattern=FRAME_PATTERN)
    outcome: Outcome
