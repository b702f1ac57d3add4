"""Frigate's plain topics. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrigateMessage:
    """A payload for one of Frigate's topics."""

    topic: str
    payload: bytes
    retain: bool = False


def available(prefix: str, *, online: bool) -> FrigateMessage:
    """Whether the gateway is there; what says `offline` is to be its will, too, if it can have a second one."""
    return FrigateMessage(f"{prefix}/available", b"online" if online else b"offline", retain=True)


def detect_state(prefix: str, camera: str, *, on: bool) -> FrigateMessage:
    """Whether objects are looked for."""
    return FrigateMessage(f"{prefix}/{camera}/detect/state", b"ON" if on else b"OFF", retain=True)


def detect_topic(prefix: str) -> str:
    """Where it is switched, for all cameras."""
    return f"{prefix}/+/detect/set"


def detect_command(prefix: str, topic: str, payload: bytes) -> tuple[str, bool] | None:
    """The camera, and whether objects are to be looked for; None where that is not what is said there."""
    match = re.fullmatch(rf"{re.escape(prefix)}/([^/]+)/detect/set", topic)
    state = {b"ON": True, b"OFF": False}.get(payload.strip().upper())
    return None if match is None or state is None else (match[1], state)


def snapshot(prefix: str, camera: str, label: str, jpeg: bytes) -> FrigateMessage:
    """The picture of an object of a label."""
    return FrigateMessage(f"{prefix}/{camera}/{level(label)}/snapshot", jpeg, retain=True)


def level(label: str) -> str:
    """A label as Frigate has it in topics: as it is, but for what a level cannot hold."""
    return re.sub(r"[/+#\x00]", "_", label)
