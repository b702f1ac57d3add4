"""Counts messages of each edge, and commands of users, to find those that flood the gateway. Pure."""

from __future__ import annotations

from collections import Counter

from shared.mqtt import topics
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, Writer
from shared.mqtt.topics import TOPIC_TABLE

MAX_NODE_MESSAGES_PER_S = 2000
"""An edge that steals tiles as fast as it can sends some hundreds; the gateway can read ten thousand of all edges."""

RATE_PERIOD_S = 2.0
"""The rate is the mean over this time, because a client that has just reconnected sends more for a moment."""

MAX_COMMANDS_PER_S = 500
"""Commands of all people and automations together; they set cameras and send requests by hand, or at an event."""

SUSPENSION_S = 60.0
"""An edge or a user that floods is suspended: its login is refused for this long."""


class NodeRates:
    """Counts messages by the edge named in their topic; the broker lets edges write only topics with their own name."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        written = (topic for topic in TOPIC_TABLE if topic.writer is Writer.EDGE and topic.path.endswith("/{node}"))
        self._before = tuple(topic.full_path("", prefix=prefix) for topic in written)
        self._counts: Counter[str] = Counter()
        self._since = 0.0
        self._until: dict[str, float] = {}

    def on_message(self, topic: str, now: float) -> str | None:
        """Count a message at `now` (monotonic seconds); return its edge if it is to be suspended now, else None."""
        if not topic.startswith(self._before):
            return None
        if now - self._since >= RATE_PERIOD_S:
            self._counts.clear()
            self._since = now
        node = topic.rpartition("/")[2]
        self._counts[node] += 1
        if self._counts[node] <= MAX_NODE_MESSAGES_PER_S * RATE_PERIOD_S or node in self._until:
            return None
        self._until[node] = now + SUSPENSION_S
        return node

    def suspended(self, now: float) -> tuple[str, ...]:
        """Return the edges that are suspended at `now`, sorted."""
        self._until = {node: until for node, until in self._until.items() if until > now}
        return tuple(sorted(self._until))


class CommandRate:
    """Counts the commands of all people and automations together, because topics do not say who sent a command."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        self._cluster = f"{prefix}/cluster/"
        self._requests = topics.REQUEST.full_path("", prefix=prefix)
        self._count, self._since = 0, 0.0

    def on_message(self, topic: str, now: float) -> bool:
        """Count a message at `now`, in monotonic seconds; return whether there have been too many commands."""
        if topic.startswith(self._cluster) or not (topic.startswith(self._requests) or topic.endswith("/set")):
            return False
        if now - self._since >= RATE_PERIOD_S:
            self._count, self._since = 0, now
        self._count += 1
        return self._count > MAX_COMMANDS_PER_S * RATE_PERIOD_S
