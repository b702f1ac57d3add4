"""Options that an edge is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.files.program_folder import default_cache
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.member_login import member_login
from shared.mqtt.topic_kinds import DEFAULT_PREFIX
from shared.network.addresses import LOOPBACK, Address
from shared.process.usable_cores import ComputingCores

if TYPE_CHECKING:
    from pathlib import Path

    from shared.security.node_identity import NodeIdentity

MAX_CAMERA_FRAMES = 16
"""Of one camera: each keeps its picture at its edge."""

FRAMES_BESIDES_WORK = 2
"""Of one camera, besides those in work: one on its way here, and one on its way to another device."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """One edge: its name, its broker, and the address where it listens for tiles and cameras."""

    name: str
    broker: Address
    listen: Address = field(default_factory=lambda: Address(LOOPBACK, 0))
    cache: Path = field(default_factory=default_cache)
    computing: ComputingCores = field(default_factory=ComputingCores)
    frames_in_flight: int | None = None
    cameras: bool = True
    topic_prefix: str = DEFAULT_PREFIX
    identity: NodeIdentity | None = None
    """Of an edge that has joined a cluster."""
    insecure: bool = False
    """It listens beyond this machine without keys."""
    max_memory_bytes: int | None = None
    """Plans may use this much memory at most; None: what is free."""
    metrics_port: int = 0
    """Prometheus gets the edge's metrics here; 0: nowhere."""

    @property
    def login(self) -> Login:
        """Return the login at the gateway's broker; anonymous for an edge without keys."""
        return ANONYMOUS if self.identity is None else member_login(self.identity)

    def max_frames(self, side_by_side: int) -> int:
        """Return how many frames of a camera may be under way while so many can be computed at the same time."""
        return self.frames_in_flight or min(side_by_side + FRAMES_BESIDES_WORK, MAX_CAMERA_FRAMES)
