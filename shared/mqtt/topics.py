"""The table of all MQTT topics: path, payload, description, writer, QoS, retain, expiry and plane.

A new topic is one entry here and one class in shared/payloads. docs/asyncapi.json is generated from this table. People
and automations use the public topics, which keep their meaning; cluster topics are between the gateway and its edges.
"""

from __future__ import annotations

from typing import Literal

from shared.mqtt.topic_kinds import AnyTopic, EdgeReads, PlainTopic, Plane, Topic, Writer
from shared.payloads import bridge, observations
from shared.payloads import cluster as messages
from shared.plan.plan import PlanOffer, PlanPreference
from shared.security.member_list import MemberList

TASK_EXPIRY_S = 10
"""The broker drops announcements, requests and grants that waited longer: they are outdated."""

CLAIM_EXPIRY_S = 10
"""The broker drops retained claims after this time: the process has then published its state, or has ended."""


# public: detections
DETECTIONS = Topic(
    "detections/{camera}/frame",
    messages.FrameDetections,
    "All objects in one frame, for every frame that was processed.",
    qos=0,
    plane=Plane.BOTH,
)
OBJECTS = Topic(
    "detections/{camera}/{label}",
    observations.LabelState,
    "The objects of one label, or of all labels, in a camera's picture; published on change.",
    retain=True,
)
ZONE_OBJECTS = Topic(
    "detections/{camera}/zones/{zone}/{label}",
    observations.LabelState,
    "The same within one zone of the camera.",
    retain=True,
)
EVENTS = Topic(
    "detections/{camera}/event",
    observations.ObjectEvent,
    "An object begins to count, enters or leaves a zone, stops or moves on, or is gone.",
)
TRIGGERS = Topic(
    "detections/{camera}/trigger",
    observations.Trigger,
    "A word that an automation can wait for: person_appeared, person_in_yard ...",
)
SNAPSHOT = PlainTopic(
    "detections/{camera}/snapshot",
    "JPEG",
    "The picture with boxes; published when the objects in it change, at most every second.",
    bytes,
    retain=True,
)
LABEL_SNAPSHOT = PlainTopic(
    "detections/{camera}/{label}/snapshot",
    "JPEG",
    "An object close up; published when it is new or clearly better visible, at most every second.",
    bytes,
    retain=True,
)

# public: cameras
CAMERA_AVAILABILITY = PlainTopic(
    "cameras/{camera}/availability",
    "online or offline",
    "online while the camera delivers pictures.",
    Literal["online", "offline"],
    retain=True,
)
CAMERA_STATS = Topic(
    "cameras/{camera}/stats",
    messages.CameraStats,
    "Counts of the camera's frames: captured, published, dropped by reason.",
    Writer.EDGE,
    retain=True,
    plane=Plane.BOTH,
    edge_reads=EdgeReads.EVERY,
)
CAMERA_SETTING = PlainTopic("cameras/{camera}/{setting}/state", "ON or OFF, a number, or JSON", retain=True)
CAMERA_SET = PlainTopic("cameras/{camera}/{setting}/set", "ON or OFF, a number, or JSON", writer=Writer.ANYBODY)
ZONE_SWITCH = PlainTopic(
    "cameras/{camera}/zones/{zone}/state",
    "ON or OFF",
    "OFF while no object counts as in this zone, as somebody or a profile has switched it off.",
    Literal["ON", "OFF"],
    retain=True,
)
ZONE_SET = PlainTopic(
    "cameras/{camera}/zones/{zone}/set",
    "ON or OFF, or nothing",
    "Switches a zone. An empty payload resets it; retained messages are ignored.",
    Literal["ON", "OFF", ""],
    Writer.ANYBODY,
)

# public: the gateway
BRIDGE_STATE = Topic(
    "bridge/state",
    messages.BridgeState,
    "online or offline; the broker publishes offline when the gateway is lost.",
    retain=True,
    plane=Plane.BOTH,
    edge_reads=EdgeReads.EVERY,
)
BRIDGE_INFO = Topic(
    "bridge/info",
    bridge.BridgeInfo,
    "The gateway's version, model, plan and cameras.",
    retain=True,
    plane=Plane.BOTH,
    edge_reads=EdgeReads.EVERY,
)
BRIDGE_NODES = Topic(
    "bridge/nodes",
    messages.Nodes,
    "Every edge: state, address, tiles computed, bytes received and sent.",
    retain=True,
    plane=Plane.BOTH,
    edge_reads=EdgeReads.EVERY,
)
BRIDGE_HEALTH = Topic(
    "bridge/health",
    bridge.BridgeHealth,
    "The gateway's health and its problems; published on change and once a minute.",
    retain=True,
    plane=Plane.BOTH,
    edge_reads=EdgeReads.EVERY,
)
BRIDGE_EVENT = Topic(
    "bridge/event",
    bridge.BridgeEvent,
    "Something happened to the cluster: an edge or a camera came or went.",
)
BRIDGE_VERIFICATION = Topic(
    "bridge/verification",
    messages.Verification,
    "A frame that the gateway computed again; now and then, and for each Nth frame with `--verify-every`.",
    plane=Plane.BOTH,
)
PROFILE = PlainTopic(
    "bridge/profile/state", "the name of a profile", "The profile that applies, if any is configured.", str, retain=True
)
PROFILE_SET = PlainTopic(
    "bridge/profile/set",
    "the name of a profile",
    "Lets a profile apply. Retained messages are ignored.",
    str,
    Writer.ANYBODY,
)
REQUEST = PlainTopic(
    "bridge/request/{command}",
    "JSON, or nothing",
    "A request to the gateway; the payload may be empty. Retained messages are ignored.",
    bridge.Request,
    Writer.ANYBODY,
)
RESPONSE = Topic(
    "bridge/response/{command}",
    bridge.Response,
    "The answer; also published to the request's response topic (MQTT 5).",
)

# cluster: edge to gateway; the presence of an edge also to all other edges
NODE_STATE = Topic(
    "cluster/nodes/{node}",
    messages.NodeState,
    "The edge's presence; the broker publishes offline when it is lost.",
    Writer.EDGE,
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.EVERY,
)
NODE_STATS = Topic(
    "cluster/stats/{node}",
    messages.NodeStats,
    "The plan that the edge is ready for, its tiles and bytes so far.",
    Writer.EDGE,
    plane=Plane.CLUSTER,
)
CAMERA_REPORTS = Topic(
    "cluster/camera_stats/{node}",
    messages.CameraStats,
    "The counts of a camera's frames, from an edge with a login; the gateway passes on those of its own cameras.",
    Writer.EDGE,
    plane=Plane.CLUSTER,
)
TASKS = Topic(
    "cluster/tasks/{node}",
    messages.TaskAnnouncement,
    "The number of tasks that wait in the owner's queue.",
    Writer.EDGE,
    qos=0,
    expiry_s=TASK_EXPIRY_S,
    plane=Plane.CLUSTER,
)
STEAL = Topic(
    "cluster/steal/{node}",
    messages.StealRequest,
    "An edge has nothing to compute, or soon will have.",
    Writer.EDGE,
    qos=0,
    expiry_s=TASK_EXPIRY_S,
    plane=Plane.CLUSTER,
)

# cluster: claims on names; retained for a moment, so that two newcomers see each other
NODE_CLAIM = Topic(
    "cluster/claims/nodes/{node}",
    messages.NameClaim,
    "An edge asks if its name is taken, or answers that it is.",
    Writer.EDGE,
    retain=True,
    expiry_s=CLAIM_EXPIRY_S,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)
GATEWAY_CLAIM = Topic(
    "cluster/claims/gateway",
    messages.NameClaim,
    "The same for the gateway of the topic prefix.",
    retain=True,
    expiry_s=CLAIM_EXPIRY_S,
    plane=Plane.BOTH,
)

# cluster: gateway to edges
MEMBERS = Topic(
    "cluster/members",
    MemberList,
    "The members of the cluster, by role, name and the hash of their public key; all others are refused.",
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.EVERY,
)
PLAN = Topic(
    "cluster/plan",
    PlanOffer,
    "Tiles and pads of the network, and the program's hash.",
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.EVERY,
)
PREFERRED_PLAN = Topic(
    "cluster/preferred_plan",
    PlanPreference,
    "The one of the offered plans that new frames follow.",
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.EVERY,
)
HELPERS = Topic(
    "cluster/helpers",
    messages.Helpers,
    "The nodes that are idle, so that owners leave frames to them.",
    qos=0,
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.EVERY,
)
GRANTS = Topic(
    "cluster/grants/{node}",
    messages.Grant,
    "The thief can take a task from this victim.",
    qos=0,
    expiry_s=TASK_EXPIRY_S,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)
RESULTS = Topic(
    "cluster/results/{node}",
    messages.TileDone,
    "To the owner: this tile has arrived, or could not be computed.",
    qos=0,
    expiry_s=TASK_EXPIRY_S,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)
CAMERAS = Topic(
    "cluster/cameras/{node}",
    messages.CameraAssignment,
    "The cameras that this edge serves; it fetches their sources by TCP.",
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)
STANDINGS = Topic(
    "cluster/standings/{node}",
    messages.NodeStanding,
    "The edge may compute, or must pass a trial first.",
    retain=True,
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)
OUTCOMES = Topic(
    "cluster/outcomes/{node}",
    messages.FrameDone,
    "To the owner: this frame is published, or dropped for a reason.",
    plane=Plane.CLUSTER,
    edge_reads=EdgeReads.OWN,
)

TOPIC_TABLE: tuple[AnyTopic, ...] = tuple(
    row for row in list(globals().values()) if isinstance(row, Topic | PlainTopic)
)
"""All topics of this table."""
