"""Every MQTT topic, once: its payload, its plane, who writes it, QoS, retain and expiry.

Public topics are for people and automations and keep their meaning; cluster topics are between gateway and edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from shared.payloads import bridge, observations
from shared.payloads import cluster as messages
from shared.payloads.base import Message
from shared.plan.plan import Plan

M = TypeVar("M", bound=Message)

DEFAULT_PREFIX = "deepthings"

TASK_EXPIRY_S = 10
"""Announcements, requests and grants that waited longer at the broker speak of a past that is over."""


CLAIM_EXPIRY_S = 10
"""Who asked for a name longer ago has it by now, and its state says so, or has given up."""


class Plane(Enum):
    """At which broker a topic is, where the house has one beside the gateway's own."""

    PUBLIC = auto()
    """At the house's."""
    CLUSTER = auto()
    """At the gateway's own, which edges use."""
    BOTH = auto()
    """At both, so that a cluster can be looked at from its edges, too."""


class _Route:
    """Below a prefix; levels that are names are written {so}."""

    path: str
    root: str | None

    def full_path(self, *names: str, prefix: str = DEFAULT_PREFIX) -> str:
        """The full topic for these names; one that is missing is `+`, any name."""
        given = iter(names)
        levels = [next(given, "+") if level.startswith("{") else level for level in self.path.split("/")]
        return "/".join([self.root or prefix, *levels])

    def names_in(self, where: str, prefix: str = DEFAULT_PREFIX) -> tuple[str, ...]:
        """The names in a full topic."""
        levels = where.split("/")[(self.root or prefix).count("/") + 1 :]
        return tuple(said for said, level in zip(levels, self.path.split("/"), strict=True) if level.startswith("{"))


@dataclass(frozen=True, slots=True)
class Topic(_Route, Generic[M]):
    """One whose payload is a message, as JSON. `root` takes the prefix's place in topics of other programs.

    What is repeated when it is lost, by leases and requests, has QoS 0: an acknowledgement takes a small device's time.
    """

    path: str
    message: type[M]
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    root: str | None = None
    plane: Plane = Plane.PUBLIC


@dataclass(frozen=True, slots=True)
class PlainTopic(_Route):
    """One whose payload is no message of ours: `content` says what, for people."""

    path: str
    content: str
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    root: str | None = None
    plane: Plane = Plane.PUBLIC


AnyTopic = Topic[Any] | PlainTopic

# public: what is seen
DETECTIONS = Topic("detections/{camera}/frame", messages.FrameDetections, qos=0, plane=Plane.BOTH)
OBJECTS = Topic("detections/{camera}/{label}", observations.LabelState, retain=True)
ZONE_OBJECTS = Topic("detections/{camera}/zones/{zone}/{label}", observations.LabelState, retain=True)
EVENTS = Topic("detections/{camera}/event", observations.ObjectEvent)
TRIGGERS = Topic("detections/{camera}/trigger", observations.Trigger)
SNAPSHOT = PlainTopic("detections/{camera}/snapshot", "JPEG", retain=True)
LABEL_SNAPSHOT = PlainTopic("detections/{camera}/{label}/snapshot", "JPEG", retain=True)

# public: cameras
CAMERA_AVAILABILITY = PlainTopic("cameras/{camera}/availability", "online or offline", retain=True)
CAMERA_STATS = Topic("cameras/{camera}/stats", messages.CameraStats, retain=True, plane=Plane.BOTH)
CAMERA_SETTING = PlainTopic("cameras/{camera}/{setting}/state", "ON or OFF, a number, or JSON", retain=True)
CAMERA_SET = PlainTopic("cameras/{camera}/{setting}/set", "ON or OFF, a number, or JSON")

# public: the gateway
BRIDGE_STATE = Topic("bridge/state", messages.BridgeState, retain=True, plane=Plane.BOTH)
BRIDGE_INFO = Topic("bridge/info", bridge.BridgeInfo, retain=True, plane=Plane.BOTH)
BRIDGE_NODES = Topic("bridge/nodes", messages.Nodes, retain=True, plane=Plane.BOTH)
BRIDGE_HEALTH = Topic("bridge/health", bridge.BridgeHealth, retain=True, plane=Plane.BOTH)
BRIDGE_EVENT = Topic("bridge/event", bridge.BridgeEvent)
BRIDGE_VERIFICATION = Topic("bridge/verification", messages.Verification, plane=Plane.BOTH)
REQUEST = PlainTopic("bridge/request/{command}", "JSON, or nothing")
RESPONSE = Topic("bridge/response/{command}", bridge.Response)

# cluster: edge to gateway, and to all who must know that a node is gone
NODE_STATE = Topic("cluster/nodes/{node}", messages.NodeState, retain=True, plane=Plane.CLUSTER)
NODE_STATS = Topic("cluster/stats/{node}", messages.NodeStats, plane=Plane.CLUSTER)
TASKS = Topic("cluster/tasks/{node}", messages.TaskAnnouncement, qos=0, expiry_s=TASK_EXPIRY_S, plane=Plane.CLUSTER)
STEAL = Topic("cluster/steal/{node}", messages.StealRequest, qos=0, expiry_s=TASK_EXPIRY_S, plane=Plane.CLUSTER)

# cluster: who has a name; retained for a moment, so that a newcomer knows of another
NODE_CLAIM = Topic(
    "cluster/claims/nodes/{node}", messages.NameClaim, retain=True, expiry_s=CLAIM_EXPIRY_S, plane=Plane.CLUSTER
)
GATEWAY_CLAIM = Topic(
    "cluster/claims/gateway", messages.NameClaim, retain=True, expiry_s=CLAIM_EXPIRY_S, plane=Plane.BOTH
)

# cluster: gateway to edges
PLAN = Topic("cluster/plan", Plan, retain=True, plane=Plane.CLUSTER)
GRANTS = Topic("cluster/grants/{node}", messages.Grant, qos=0, expiry_s=TASK_EXPIRY_S, plane=Plane.CLUSTER)
RESULTS = Topic("cluster/results/{node}", messages.TileDone, qos=0, expiry_s=TASK_EXPIRY_S, plane=Plane.CLUSTER)
CAMERAS = Topic("cluster/cameras/{node}", messages.CameraAssignment, retain=True, plane=Plane.CLUSTER)
STANDINGS = Topic("cluster/standings/{node}", messages.NodeStanding, retain=True, plane=Plane.CLUSTER)
OUTCOMES = Topic("cluster/outcomes/{node}", messages.FrameDone, plane=Plane.CLUSTER)
