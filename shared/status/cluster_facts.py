"""What is retained of a gateway and its edges, as it is heard. Pure: topics and payloads in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.mqtt import topics

if TYPE_CHECKING:
    from shared.mqtt.topics import Topic
    from shared.payloads.base import Message
    from shared.payloads.bridge import BridgeHealth, BridgeInfo
    from shared.payloads.cluster import BridgeState, CameraStats, Nodes

MAX_REPORTED_CAMERAS = 1000
"""Names that are remembered; a client that invents them without end is not listened to further."""

GATEWAY_TOPICS: tuple[Topic[Any], ...] = (
    topics.BRIDGE_STATE, topics.BRIDGE_INFO, topics.BRIDGE_NODES, topics.BRIDGE_HEALTH,
)  # fmt: skip
STATUS_TOPICS = (*GATEWAY_TOPICS, topics.CAMERA_STATS)
"""The topics that are listened to: each is at the gateway's own broker."""


@dataclass(slots=True)
class ClusterFacts:
    """The newest message of each topic below a prefix."""

    prefix: str = topics.DEFAULT_PREFIX
    cameras: dict[str, CameraStats] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    """Topics whose message is none that this release understands."""
    _told: dict[str, Message] = field(default_factory=dict)

    def on_message(self, where: str, payload: bytes) -> None:
        """Take in what was published at a topic; an empty payload clears it."""
        topic = next((topic for topic in GATEWAY_TOPICS if topic.full_path(prefix=self.prefix) == where), None)
        names = () if topic else topics.CAMERA_STATS.names_in(where, self.prefix)
        if names and names[0] not in self.cameras and len(self.cameras) >= MAX_REPORTED_CAMERAS:
            return
        said: dict[str, Any] = self.cameras if names else self._told
        key = names[0] if names else where
        self.unreadable.discard(where)
        said.pop(key, None)
        if not payload:
            return
        try:
            said[key] = (topic or topics.CAMERA_STATS).message.model_validate_json(payload)
        except ValidationError:
            if len(self.unreadable) < MAX_REPORTED_CAMERAS:
                self.unreadable.add(where)

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
        """Return whether every topic of the gateway has been heard."""
        return len(self._told) == len(GATEWAY_TOPICS)

    def _of(self, topic: Topic[topics.M]) -> topics.M | None:
        told = self._told.get(topic.full_path(prefix=self.prefix))
        return told if isinstance(told, topic.message) else None
