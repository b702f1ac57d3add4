"""What a gateway is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.configuration.root import Configuration
from gateway.models.catalogue import DEFAULT_MODEL
from gateway.planning.methods import Method
from gateway.planning.planner import PlanTerms
from shared.ftp.grid import Grid
from shared.network.addresses import LOOPBACK, Address
from shared.network.ports import CLUSTER_PORT, DATA_PORT, PUBLIC_PORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES_AT_ONCE = 32
"""Frames that are assembled at once: sixteen cameras with two each; the maps of all are allocated at the start."""


USUAL_GRID = Grid(3, 3)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """One gateway. Its own Mosquitto is on `cluster_port`; without `broker`, the house's, also on `port`."""

    model: str = DEFAULT_MODEL
    weights: Path | None = None
    grid: Grid | None = None
    method: Method = Method.WST
    policy: str = "round-robin"
    cut: str | None = None
    host: str = LOOPBACK
    port: int = PUBLIC_PORT
    cluster_port: int = CLUSTER_PORT
    data_port: int = DATA_PORT
    broker: Address | None = None
    threads: int = 1
    terms: PlanTerms = field(default_factory=PlanTerms)
    frames_at_once: int = FRAMES_AT_ONCE
    verify_every: int = 0
    pictures: Path | None = None
    configuration: Configuration = field(default_factory=Configuration)
    reload: Callable[[], Configuration] | None = None
    """Reads the configuration once more; None when there is no file."""

    def grid_for(self, devices: int) -> Grid:
        """The grid that was asked for; else the usual one, or as many rows as devices where rows are divided."""
        usual = Grid(max(1, devices), 1) if self.method is Method.BODP else USUAL_GRID
        return self.grid or usual
