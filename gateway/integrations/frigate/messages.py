"""Makes the messages of Frigate's plain topics. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.mqtt.topic_kinds import PlainTopic, Writer


@dataclass(frozen=True, slots=True)
class FrigateMessage:
    """A payload for one of Frigate's topics."""

    topic: str
    payload: bytes
    retain: bool = False


def availability_message(prefix: str, *, online: bool) -> FrigateMessage:
    """Return the message that the gateway is online or offline."""
    return FrigateMessage(f"{prefix}/available", b"online" if online else b"offline", retain=True)


def detect_state_message(prefix: str, camera: str, *, on: bool) -> FrigateMessage:
    """Return the message that objects of a camera are detected or not."""
    return FrigateMessage(f"{prefix}/{camera}/detect/state", b"ON" if on else b"OFF", retain=True)


def detect_topic(prefix: str) -> PlainTopic:
    """Return the topic at which the detection of each camera is switched."""
    return PlainTopic("{camera}/detect/set", "ON or OFF", writer=Writer.ANYBODY, root=prefix)


def parse_detect_command(payload: bytes) -> bool | None:
    """Return True if a payload switches detection on, False if off, None if it is invalid."""
    return {b"ON": True, b"OFF": False}.get(payload.strip().upper())


def snapshot_message(prefix: str, camera: str, label: str, jpeg: bytes) -> FrigateMessage:
    """Return the message with the picture of an object of a label."""
    return FrigateMessage(f"{prefix}/{camera}/{topic_level(label)}/snapshot", jpeg, retain=True)


def topic_level(label: str) -> str:
    """Return a label as a topic level, as Frigate does: only characters that a level cannot contain are replaced."""
    return re.sub(r"[/+#\x00]", "_", label)
