"""Payloads that are no messages of ours, and where those who send them may have an answer published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiomqtt

MAX_TOPIC_BYTES = 1024
"""Of a topic that others name. MQTT has 65,535, but the whole packet must fit, and nobody needs that."""

MAX_TOPIC_LEVELS = 100
"""Levels of a topic that others name: Mosquitto ends the connection of who publishes at more than 200."""

MAX_CORRELATION_BYTES = 1024
"""Of a request, sent back with its answer; clients put a number or an identifier there."""


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that is no message of ours, the names in its topic, and where an answer is wanted (MQTT 5)."""

    names: tuple[str, ...]
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None

    @classmethod
    def from_message(cls, message: aiomqtt.Message, names: tuple[str, ...], payload: bytes) -> Received:
        properties = message.properties
        response_topic = getattr(properties, "ResponseTopic", None)
        return cls(names, payload, bool(message.retain), response_topic, getattr(properties, "CorrelationData", None))

    @property
    def invalid_answer(self) -> str:
        """Say why no answer can be published where it is wanted; empty when one can, or none is wanted."""
        if not self.response_topic:
            return ""
        if invalid := invalid_topic(self.response_topic):
            return f"the response topic {invalid}"
        if len(self.correlation or b"") > MAX_CORRELATION_BYTES:
            return f"the correlation data must have at most {MAX_CORRELATION_BYTES} bytes"
        return ""


def invalid_topic(topic: str) -> str:
    """Return what is wrong with a topic that others have us publish at, after "the topic"; empty when nothing is.

    A broker ends the connection of whoever publishes at some of these.
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
        (topic.startswith("$"), "must not begin with $, which is the broker's own"),
        (any(map(_unwanted, topic)), "must not contain control characters"),
    )
    return next((said for wrong, said in tests if wrong), "")


def _unwanted(letter: str) -> bool:
    """Return whether a broker may take a topic with this letter for an attack: see section 1.5.4 of MQTT 5."""
    code = ord(letter)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
