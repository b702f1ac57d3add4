"""Received payloads of other programs, and the response topics of their senders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiomqtt

MAX_TOPIC_BYTES = 1024
"""Bytes of a response topic. MQTT allows 65,535, but the whole packet must fit, and nobody needs that many."""

MAX_TOPIC_LEVELS = 100
"""Levels of a response topic: Mosquitto disconnects clients that publish to more than 200 levels."""

MAX_CORRELATION_BYTES = 1024
"""Bytes of the correlation data of a request, which the response repeats; clients put a number or identifier there."""


@dataclass(frozen=True, slots=True)
class Received:
    """A payload as it was received, the names in its topic, and the response topic of the sender (MQTT 5)."""

    names: tuple[str, ...]
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None

    @classmethod
    def from_message(cls, message: aiomqtt.Message, names: tuple[str, ...], payload: bytes) -> Received:
        """Take over payload and properties of aiomqtt's message."""
        properties = message.properties
        response_topic = getattr(properties, "ResponseTopic", None)
        return cls(names, payload, bool(message.retain), response_topic, getattr(properties, "CorrelationData", None))

    @property
    def invalid_answer(self) -> str:
        """Return why the sender's response topic cannot be used; empty if it can, or there is none."""
        if not self.response_topic:
            return ""
        if invalid := invalid_topic(self.response_topic):
            return f"the response topic {invalid}"
        if len(self.correlation or b"") > MAX_CORRELATION_BYTES:
            return f"the correlation data must have at most {MAX_CORRELATION_BYTES} bytes"
        return ""


def invalid_topic(topic: str) -> str:
    """Return the mistake in a topic that another client chose, as a sentence without its subject; empty if it is valid.

    A broker disconnects clients that publish to some invalid topics.
    """
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        return "is not valid text"
    levels = topic.count("/") + 1
    tests = (
        (size == 0, "must not be empty"),
        (size > MAX_TOPIC_BYTES, f"has {size} bytes; it must have at most {MAX_TOPIC_BYTES}"),
        (levels > MAX_TOPIC_LEVELS, f"has {levels} levels; it must have at most {MAX_TOPIC_LEVELS}"),
        ("+" in topic or "#" in topic, "must not contain the wildcards + and #"),
        (topic.startswith("$"), "must not begin with $, which is reserved for the broker"),
        (any(map(_is_forbidden, topic)), "must not contain control characters"),
    )
    return next((text for wrong, text in tests if wrong), "")


def _is_forbidden(letter: str) -> bool:
    """Return whether a broker may disconnect for this character in a topic: see section 1.5.4 of MQTT 5."""
    code = ord(letter)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
