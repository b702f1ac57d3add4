"""Keeps the newest public messages, events, pictures, and the history of a day, for the page."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.page.daily_history import DailyHistory
from gateway.page.help_flows import HelpFlows
from shared.mqtt import topics
from shared.payloads.bridge import BridgeEvent
from shared.payloads.frames import Outcome
from shared.payloads.observations import EventType, ObjectEvent
from shared.settings.slugs import slug
from shared.status.cluster_facts import MAX_REPORTED_CAMERAS, ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import ComputedFrame
    from shared.mqtt.received import Received
    from shared.mqtt.topic_kinds import AnyTopic
    from shared.payloads.cluster import FrameDetections

MAX_OBJECT_EVENTS = 100
"""Objects that are remembered, each with its last event."""

MAX_CLUSTER_EVENTS = 50
"""Events of the cluster that are remembered."""

MAX_EVENT_PICTURE_BYTES = 4_000_000
"""Bytes of all pictures of objects together; the oldest are forgotten first."""

PICTURE_BELONGS_S = 10.0
"""A snapshot belongs to the newest object of its label, if that began or was updated at most this long before."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object and its last event; `known_at` is when that came, in monotonic seconds."""

    event: ObjectEvent
    known_at: float


class PageRecord:
    """Keeps messages as they were published, and parses them only when a browser asks. Everything in it is bounded."""

    def __init__(self, bus: Planes) -> None:
        self._prefix = bus.prefix
        self._nodes: bytes = b""
        self._stats: dict[str, bytes] = {}
        self.objects: OrderedDict[str, ObjectRecord] = OrderedDict()
        self.cluster_events: deque[BridgeEvent] = deque(maxlen=MAX_CLUSTER_EVENTS)
        self.history = DailyHistory()
        self.flows = HelpFlows()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._picture_bytes = 0
        bus.on_published(self._on_published)
        bus.on_plain(topics.CAMERA_STATS, self._on_stats)

    def facts(self) -> ClusterFacts:
        """Return the facts about the cluster that are in the kept messages."""
        facts = ClusterFacts(self._prefix)
        facts.on_message(topics.BRIDGE_NODES.full_path(prefix=self._prefix), self._nodes)
        for camera, payload in self._stats.items():
            facts.on_message(topics.CAMERA_STATS.full_path(camera, prefix=self._prefix), payload)
        return facts

    def picture_of(self, identity: str) -> bytes | None:
        """Return the JPEG of an object; None without one."""
        return self._pictures.get(identity)

    @property
    def pictured(self) -> Collection[str]:
        """Return the ids of the objects that have a picture."""
        return self._pictures.keys()

    def on_frame(self, detections: FrameDetections) -> None:
        """Count a published frame."""
        self.history.on_published(detections.camera, detections.latency_ms.total, time.time())

    def on_frame_ended(self, outcome: Outcome) -> None:
        """Count a frame that was not published."""
        if outcome is not Outcome.PUBLISHED:
            self.history.on_dropped(outcome, time.time())

    def on_frame_computed(self, frame: ComputedFrame) -> None:
        """Note the owner of a frame and the workers of its tiles."""
        self.flows.add(frame.owner, frame.workers, time.monotonic())

    def _on_published(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        if topic is topics.BRIDGE_NODES:
            self._nodes = payload
        elif topic is topics.EVENTS:
            self._on_event(ObjectEvent.model_validate_json(payload))
        elif topic is topics.BRIDGE_EVENT:
            self.cluster_events.append(BridgeEvent.model_validate_json(payload))
        elif topic is topics.LABEL_SNAPSHOT:
            self._keep_picture(*names, jpeg=payload)

    def _on_stats(self, received: Received) -> None:
        (camera,) = received.names
        if received.payload and (camera in self._stats or len(self._stats) < MAX_REPORTED_CAMERAS):
            self._stats[camera] = received.payload
        elif not received.payload:
            self._stats.pop(camera, None)

    def _on_event(self, event: ObjectEvent) -> None:
        self.objects[event.id] = ObjectRecord(event, time.monotonic())
        if event.type is EventType.NEW:
            self.objects.move_to_end(event.id)
        while len(self.objects) > MAX_OBJECT_EVENTS:
            gone, _ = self.objects.popitem(last=False)
            self._forget_picture(gone)

    def _keep_picture(self, camera: str, label: str, *, jpeg: bytes) -> None:
        """Keep a snapshot of a label as the picture of the newest object that it can show."""
        now = time.monotonic()
        for identity, record in reversed(self.objects.items()):
            event = record.event
            if event.camera == camera and slug(event.label) == label and now - record.known_at < PICTURE_BELONGS_S:
                self._forget_picture(identity)
                self._pictures[identity] = jpeg
                self._picture_bytes += len(jpeg)
                break
        while self._picture_bytes > MAX_EVENT_PICTURE_BYTES:
            self._forget_picture(next(iter(self._pictures)))

    def _forget_picture(self, identity: str) -> None:
        jpeg = self._pictures.pop(identity, None)
        self._picture_bytes -= len(jpeg or b"")
