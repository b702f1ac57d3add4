"""What a gateway is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.catalogue import DEFAULT_MODEL
from gateway.planner import Terms
from shared.addresses import LOOPBACK, Address
from shared.ftp.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

FRAMES_AT_ONCE = 32
"""Frames that are assembled at once: sixteen cameras with two each; the maps of all are allocated at the start."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One gateway. Without `broker` it starts a Mosquitto of its own on `port`."""

    model: str = DEFAULT_MODEL
    weights: Path | None = None
    grid: Grid = field(default_factory=lambda: Grid(3, 3))
    cut: str | None = None
    host: str = LOOPBACK
    port: int = 1883
    data_port: int = 0
    broker: Address | None = None
    threads: int = 1
    terms: Terms = field(default_factory=Terms)
    frames_at_once: int = FRAMES_AT_ONCE
    verify_every: int = 0
    pictures: Path | None = None
