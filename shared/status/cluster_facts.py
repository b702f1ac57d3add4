"""The retained messages of a gateway and its edges. Pure: topics and payloads in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.mqtt import topics
from shared.mqtt.topic_kinds import DEFAULT_PREFIX

if TYPE_CHECKING:
    from shared.mqtt.topic_kinds import M, Topic
    from shared.payloads.base import Message
    from shared.payloads.bridge import BridgeHealth, BridgeInfo
    from shared.payloads.cluster import BridgeState, CameraStats, Nodes

MAX_REPORTED_CAMERAS = 1000
"""At most this many cameras are remembered, because a client that invents names must not fill the memory."""

GATEWAY_TOPICS: tuple[Topic[Any], ...] = (
    topics.BRIDGE_STATE, topics.BRIDGE_INFO, topics.BRIDGE_NODES, topics.BRIDGE_HEALTH,
)  # fmt: skip
STATUS_TOPICS = (*GATEWAY_TOPICS, topics.CAMERA_STATS)
"""The topics to subscribe to; all are at the gateway's own broker."""


@dataclass(slots=True)
class ClusterFacts:
    """The newest message of each topic below a prefix."""

    prefix: str = DEFAULT_PREFIX
    cameras: dict[str, CameraStats] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    """Topics with a message that this release does not understand."""
    _messages: dict[str, Message] = field(default_factory=dict)

    def on_message(self, full_topic: str, payload: bytes) -> None:
        """Store a message; an empty payload clears it."""
        topic = next((topic for topic in GATEWAY_TOPICS if topic.full_path(prefix=self.prefix) == full_topic), None)
        names = () if topic else topics.CAMERA_STATS.names_in(full_topic, self.prefix)
        if names and names[0] not in self.cameras and len(self.cameras) >= MAX_REPORTED_CAMERAS:
            return
        stored: dict[str, Any] = self.cameras if names else self._messages
        key = names[0] if names else full_topic
        self.unreadable.discard(full_topic)
        stored.pop(key, None)
        if not payload:
            return
        try:
            stored[key] = (topic or topics.CAMERA_STATS).message.model_validate_json(payload)
        except ValidationError:
            if len(self.unreadable) < MAX_REPORTED_CAMERAS:
                self.unreadable.add(full_topic)

    @property
    def state(self) -> BridgeState | None:
        return self._of(topics.BRIDGE_STATE)

    @property
    def info(self) -> BridgeInfo | None:
        return self._of(topics.BRIDGE_INFO)

    @property
    def nodes(self) -> Nodes | None:
        return self._of(topics.BRIDGE_NODES)

    @property
    def health(self) -> BridgeHealth | None:
        return self._of(topics.BRIDGE_HEALTH)

    @property
    def complete(self) -> bool:
        """Return whether a message of every topic of the gateway has come."""
        return len(self._messages) == len(GATEWAY_TOPICS)

    def _of(self, topic: Topic[M]) -> M | None:
        message = self._messages.get(topic.full_path(prefix=self.prefix))
        return message if isinstance(message, topic.message) else None
