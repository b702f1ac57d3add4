"""Every MQTT topic, once: its payload, who writes it, QoS, retain and expiry.

Public topics are for people and automations and keep their meaning; cluster topics are between gateway and edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shared import messages
from shared.message import Message
from shared.plan import Plan

M = TypeVar("M", bound=Message)

PREFIX = "deepthings"

STALE_TASK_S = 10
"""Announcements, requests and grants that waited longer at the broker speak of a past that is over."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """A topic below the prefix; at most one level is a name, written {so}."""

    path: str
    message: type[M]
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None

    def at(self, name: str = "") -> str:
        """The full topic for one name."""
        head, brace, tail = self.path.partition("{")
        return f"{PREFIX}/{head}{name}{tail.partition('}')[2]}" if brace else f"{PREFIX}/{self.path}"

    def name_in(self, where: str) -> str:
        """The name in a full topic; empty for a topic without one."""
        level = self.at("+").split("/").index("+") if "{" in self.path else None
        return "" if level is None else where.split("/")[level]


# public
DETECTIONS = Topic("detections/{camera}/frame", messages.FrameDetections, qos=0)
CAMERA_STATS = Topic("cameras/{camera}/stats", messages.CameraStats, retain=True)
BRIDGE_STATE = Topic("bridge/state", messages.BridgeState, retain=True)
BRIDGE_NODES = Topic("bridge/nodes", messages.Nodes, retain=True)
BRIDGE_VERIFICATION = Topic("bridge/verification", messages.Verification)

# cluster: edge to gateway, and to all who must know that a node is gone
NODE_STATE = Topic("cluster/nodes/{node}", messages.NodeState, retain=True)
NODE_STATS = Topic("cluster/stats/{node}", messages.NodeStats)
TASKS = Topic("cluster/tasks/{node}", messages.TaskAnnouncement, expiry_s=STALE_TASK_S)
STEAL = Topic("cluster/steal/{node}", messages.StealRequest, expiry_s=STALE_TASK_S)

# cluster: gateway to edges
PLAN = Topic("cluster/plan", Plan, retain=True)
GRANTS = Topic("cluster/grants/{node}", messages.Grant, expiry_s=STALE_TASK_S)
RESULTS = Topic("cluster/results/{node}", messages.TileDone, expiry_s=STALE_TASK_S)
OUTCOMES = Topic("cluster/outcomes/{node}", messages.FrameDone)
