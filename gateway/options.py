"""The options that a gateway is started with."""

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
"""Frames that are assembled at once: two each of sixteen cameras. Their maps are allocated when they are needed."""

DEFAULT_GRID = Grid(3, 3)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Options of one gateway. Its own Mosquitto listens on `cluster_port`, and without `broker` also on `port`."""

    model: str = DEFAULT_MODEL
    weights: Path | None = None
    grid: Grid | None = None
    method: Method = Method.AUTO
    policy: str = "fewest-frames"
    cut: str | None = None
    host: str = LOOPBACK
    port: int = PUBLIC_PORT
    cluster_port: int = CLUSTER_PORT
    data_port: int = DATA_PORT
    broker: Address | None = None
    threads: int = 1
    compute: bool = True
    """The gateway's own cores take part, with method `auto`."""
    terms: PlanTerms = field(default_factory=PlanTerms)
    frames_at_once: int = FRAMES_AT_ONCE
    verify_every: int = 0
    pictures: Path | None = None
    configuration: Configuration = field(default_factory=Configuration)
    page: Address | None = None
    """The page listens here; None: there is no page."""
    reload: Callable[[], Configuration] | None = None
    """Read the configuration again; None when there is no file."""

    def grid_for(self, devices: int) -> Grid:
        """Return the requested grid, else the method's: as many rows as devices if it fits them, else 3x3."""
        usual = Grid(max(1, devices), 1) if self.method.fits_devices else DEFAULT_GRID
        return self.grid or usual
