"""A message with its topic, as the broker gets it for a will."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import aiomqtt

from shared.mqtt.topic_kinds import M

if TYPE_CHECKING:
    from shared.mqtt.topic_kinds import Topic


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[M]):
    """A message with its topic."""

    topic: Topic[M]
    message: M
    name: str = ""


def will_of(will: Outgoing[Any] | None, prefix: str) -> aiomqtt.Will | None:
    """Return the message that the broker publishes when the connection breaks; None without a will."""
    if will is None:
        return None
    path, payload = will.topic.full_path(will.name, prefix=prefix), will.message.model_dump_json()
    return aiomqtt.Will(path, payload, will.topic.qos, will.topic.retain)
