"""Payloads of the public topics below `bridge`: information about the gateway, requests and responses."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from shared.payloads.base import Message


class PlanInfo(Message):
    """The plan: how frames are divided into tiles."""

    epoch: int
    method: str
    grid: str
    cut: tuple[str, ...]
    tiles: int
    work: float = Field(default=1.0, gt=0, description="operations of a frame, relative to the undivided network")


class PredictedPlan(Message):
    """A plan that was considered for the devices that are there, and what is predicted of it."""

    plan: str = Field(description="in words: the method, the grid, the cut")
    devices: tuple[str, ...] = Field(description="those that compute")
    latency_s: float = Field(description="of a frame alone, without its camera")
    frames_per_s: float = Field(description="of many frames")
    frame_bytes: int = Field(description="on all links, for each frame")
    memory_bytes: int = Field(description="of each device: the maps of the largest layer, and the weights")
    limit: str = Field(description="what limits the frames a second")
    refused: str = Field(default="", description="why it cannot be run; empty: it can")
    used: bool = Field(default=False, description="the gateway offers it to its edges")
    measured_s: float | None = Field(
        default=None, description="of the latest frames, also while they share the devices; null: not enough frames"
    )


class PlannedDevice(Message):
    """A device as plans were predicted for it."""

    name: str
    macs_per_s: float = Field(description="operations of a usual convolution in a second, all its cores together")
    bytes_per_s: float = Field(description="of its link")
    memory_bytes: int = Field(default=0, description="memory that plans may use there; 0: not known")
    kernels: dict[str, float] = Field(
        default_factory=dict,
        description="by kind of layer: the cost of an operation that it has measured, relative to a usual convolution",
    )


class BridgeInfo(Message):
    """The gateway's version, model, plan and cameras; it holds no secrets."""

    version: str
    protocol: int
    topic_prefix: str
    model: str
    labels: tuple[str, ...]
    plan: PlanInfo
    predicted: tuple[PredictedPlan, ...] = Field(
        default=(), description="with method auto: the best of the plans that were considered, and those in use"
    )
    planned_devices: tuple[PlannedDevice, ...] = Field(
        default=(), description="the devices that these plans were predicted for, with what they have measured"
    )
    cameras: tuple[str, ...] = ()
    home_assistant: bool = False
    cluster_host: str = Field(default="", description="the host that edges connect to; empty: the host of this broker")
    cluster_port: int = Field(default=0, description="the port there; 0: unknown")
    data_port: int = Field(default=0, description="the port of its data plane, at the same host; 0: unknown")
    insecure: bool = Field(default=False, description="true: everybody on its network can reach it, as it has no keys")
    page_host: str = Field(default="", description="the address that its page listens on; empty: there is no page")
    page_port: int = Field(default=0, description="the port there; 0: there is no page")


class FrameTime(Message):
    """Medians over the last frames of where their time goes; the parts are those of each frame's last tile.

    Each is a median of its own, so that they need not add up to the total.
    """

    total_ms: float = Field(description="from capture to publication")
    camera_ms: float = Field(description="from capture until the picture is at the camera's edge, without waiting")
    preparing_ms: float = Field(description="fitting the picture to the network")
    waiting_ms: float = Field(
        description="until its edge has room for the frame, a device time for the tile, and for earlier frames"
    )
    computing_ms: float = Field(description="the tile")
    transfers_ms: float = Field(description="tile, result and messages between the devices")
    finishing_ms: float = Field(description="at the gateway: waiting for and running the remaining layers, decoding")


class BridgeHealth(Message):
    """The gateway's health, published on change and once a minute."""

    at: float = Field(description="seconds since 1970")
    up_s: float = Field(description="seconds since the gateway started")
    frames_per_s: float = Field(description="published, over the last minute")
    published: int
    dropped: int
    nodes_online: int
    cameras_online: int
    cameras: int
    problems: tuple[str, ...] = ()
    public_frames_dropped: int = Field(
        default=0, description="frames published in the cluster that the home's broker did not accept in time"
    )
    frame_time: FrameTime | None = Field(
        default=None, description="where the time of a frame goes; published when it changes much; null: no frames"
    )


class BridgeEventType(StrEnum):
    NODE_JOINED = "node_joined"
    NODE_LOST = "node_lost"
    NODE_BARRED = "node_barred"
    NODE_TRUSTED = "node_trusted"
    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    REPLANNED = "replanned"
    CONFIGURATION_RELOADED = "configuration_reloaded"


class BridgeEvent(Message):
    """Something that happened to the cluster."""

    type: BridgeEventType
    name: str = Field(default="", description="of the node or camera")
    reason: str = ""
    at: float = Field(description="seconds since 1970")


class Request(Message):
    """The fields of all requests; some name a camera or a node."""

    model_config = ConfigDict(extra="allow")

    transaction: str | int | None = Field(default=None, description="repeated in the response")
    camera: str | None = None
    node: str | None = None


class Response(Message):
    """The answer to a request; `transaction` is the request's, if it had one."""

    command: str
    ok: bool
    error: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    transaction: str | int | None = None
