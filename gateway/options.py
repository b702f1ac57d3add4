"""The options that a gateway is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.broker.access import PublicTopics
from gateway.broker.broker_access import BrokerPlaces
from gateway.configuration.root import Configuration, OpenCluster
from gateway.models.catalogue import DEFAULT_MODEL
from gateway.planning.methods import Method
from gateway.planning.planner import PlanTerms
from shared.ftp.grid import Grid
from shared.network.addresses import LOOPBACK, Address
from shared.network.ports import CLUSTER_PORT, CLUSTER_TLS_PORT, DATA_PORT, JOIN_PORT, PUBLIC_PORT, PUBLIC_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES_AT_ONCE = 32
"""Frames that are assembled at the same time: two of each of 16 cameras. Their maps are allocated when needed."""

DEFAULT_GRID = Grid(3, 3)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """The options of one gateway.

    Its own Mosquitto listens on `cluster_port` for edges and, without `broker` (the house's broker), on `port` for
    people and automations. With keys it has encrypted listeners, too: `cluster_tls_port` and, without `broker`,
    `tls_port`.
    """

    model: str = DEFAULT_MODEL
    weights: Path | None = None
    grid: Grid | None = None
    method: Method = Method.AUTO
    policy: str = "fewest-frames"
    cut: str | None = None
    host: str = LOOPBACK
    port: int = PUBLIC_PORT
    cluster_port: int = CLUSTER_PORT
    cluster_tls_port: int = CLUSTER_TLS_PORT
    tls_port: int = PUBLIC_TLS_PORT
    data_port: int = DATA_PORT
    join_port: int = JOIN_PORT
    open_cluster: OpenCluster = "until joined"
    """Admission of devices without keys, as `cluster.open`."""
    broker: Address | None = None
    insecure: bool = False
    """The gateway has no keys, even if other devices can reach it."""
    threads: int = 1
    compute: bool = True
    """With method `auto`, the gateway's own cores compute frames, too."""
    terms: PlanTerms = field(default_factory=PlanTerms)
    frames_at_once: int = FRAMES_AT_ONCE
    verify_every: int = 0
    verify_share: float = 1.0
    """Largest percentage of the gateway's time for computing frames again; has no effect with `verify_every`."""
    pictures: Path | None = None
    configuration: Configuration = field(default_factory=Configuration)
    page: Address | None = None
    """The address at which the page listens; None: there is no page."""
    reload: Callable[[], Configuration] | None = None
    """A function that reads the configuration again; None without a file."""

    @property
    def broker_places(self) -> BrokerPlaces:
        """Return the addresses of the gateway's own broker; it serves people only if the house has no broker."""
        ports = (self.cluster_port, self.cluster_tls_port, *(() if self.broker else (self.port, self.tls_port)))
        return BrokerPlaces(*(Address(self.host, port) for port in ports))

    @property
    def public_topics(self) -> PublicTopics:
        """Return the first levels of the topics for people and automations."""
        home_assistant, frigate = self.configuration.home_assistant, self.configuration.frigate_compat
        return PublicTopics(
            self.configuration.mqtt.topic_prefix,
            home_assistant.discovery_prefix if home_assistant.enabled else None,
            frigate.topic_prefix if frigate.enabled else None,
        )

    def grid_for(self, devices: int) -> Grid:
        """Return the requested grid, else that of the method: a row for each device if it fits devices, else 3x3."""
        usual = Grid(max(1, devices), 1) if self.method.fits_devices else DEFAULT_GRID
        return self.grid or usual
