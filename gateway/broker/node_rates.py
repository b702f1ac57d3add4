"""Rates of the messages of each edge, and of commands: who floods the gateway is kept out for a while. Pure."""

from __future__ import annotations

from collections import Counter

from shared.mqtt import topics
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, Writer
from shared.mqtt.topics import TOPIC_TABLE

MAX_NODE_MESSAGES_PER_S = 2000
"""An edge that steals tiles as fast as it can sends some hundreds; the gateway reads ten thousand of all edges."""

RATE_PERIOD_S = 2.0
"""The rate is a mean over this time: who connects again has more to say for a moment."""

MAX_COMMANDS_PER_S = 500
"""Of all people and automations together, who set cameras and send requests by hand, or at an event."""

SUSPENSION_S = 60.0
"""An edge or a user that floods is kept out for this long; then it may try again."""


class NodeRates:
    """Counts messages by the name in their topic, which the broker guards."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        written = (topic for topic in TOPIC_TABLE if topic.writer is Writer.EDGE and topic.path.endswith("/{node}"))
        self._before = tuple(topic.full_path("", prefix=prefix) for topic in written)
        self._counts: Counter[str] = Counter()
        self._since = 0.0
        self._until: dict[str, float] = {}

    def on_message(self, topic: str, now: float) -> str | None:
        """Count a message at `now`, in monotonic seconds; return the name of an edge that has just sent too many."""
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
        """Return the edges that are kept out at `now`, sorted."""
        self._until = {node: until for node, until in self._until.items() if until > now}
        return tuple(sorted(self._until))


class CommandRate:
    """Counts the commands of people and automations. Their topics do not say who sent them."""

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
