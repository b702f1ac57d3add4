"""What an edge is told when it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from shared.mqtt.topics import DEFAULT_PREFIX
from shared.network.addresses import LOOPBACK, Address

FRAMES_IN_FLIGHT = 2
"""Frames of one camera at once: one being computed, one prepared, so that no worker waits between frames."""


def default_cache() -> Path:
    """Where programs are kept between starts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deepthings" / "programs"


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """One edge: its name, the broker it talks to, and where it listens for tiles and cameras."""

    name: str
    broker: Address
    listen: Address = field(default_factory=lambda: Address(LOOPBACK, 0))
    cache: Path = field(default_factory=default_cache)
    threads: int = 1
    frames_in_flight: int = FRAMES_IN_FLIGHT
    topic_prefix: str = DEFAULT_PREFIX
