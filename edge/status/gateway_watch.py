"""Detects that an edge has no gateway: none answers at its address, or a broker that is not the gateway's own."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING

from shared.logs.rate_limit import RateLimit
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.mqtt.bus import Bus
    from shared.payloads.bridge import BridgeInfo

log = logging.getLogger(__name__)

_CHECK_PERIOD_S = 1.0
"""Between checks of the connection."""

_PLAN_TIMEOUT_S = 5.0
"""For the plan, which a gateway publishes first."""

SILENCE_TIMEOUT_S = 300.0
"""Without a connection, before an error about a gateway that was connected before."""

FIRST_SILENCE_TIMEOUT_S = 10.0
"""The same for a gateway that has never answered: its address may be wrong, or a firewall closed."""


def wrong_broker_message(broker: Address, info: BridgeInfo) -> str:
    """Return the error message for a broker that has a gateway's info but no plan. Pure."""
    problem = f"the gateway publishes at broker {broker}, but its edges connect to its own broker"
    cluster = Address(info.cluster_host, info.cluster_port).seen_from(broker)
    if is_loopback(cluster.host) and not is_loopback(broker.host):
        return (
            f"{problem}, which listens on {cluster.host} only: set cluster.listen: 0.0.0.0 there, or start it with "
            f"--listen 0.0.0.0, and start this edge with --gateway and that device's address, port {cluster.port}"
        )
    return f"{problem}: start this edge with --gateway {cluster}"


def silence_message(broker: Address, silent_s: float, *, known: bool) -> str:
    """Return the error message for a gateway that does not answer; `known`: it did before. Pure."""
    problem = f"gateway {broker} has not answered for {_duration(silent_s)}"
    if known:
        return f"{problem}; is it on, and its address still right? This edge keeps trying"
    listens = "" if is_loopback(broker.host) else ", and started with --listen 0.0.0.0 (or cluster.listen)"
    return f"{problem}; is it running there{listens}? Is its port {broker.port} open? This edge keeps trying"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


class GatewayWatch:
    """Logs an error while there is no gateway: once for each absence of one that was connected before.

    If it has never answered, the error is repeated after each doubling of the time.
    """

    def __init__(self, broker: Address, claiming: Callable[[], bool]) -> None:
        """Watch the gateway at `broker`.

        `claiming` returns whether the connection that claims the edge's name is up, before the edge has its own.
        """
        self._broker = broker
        self._connected = claiming
        self._info: BridgeInfo | None = None
        self._has_plan = False
        self._seen_at, self._due_s = time.monotonic(), FIRST_SILENCE_TIMEOUT_S
        self._errors = RateLimit(SILENCE_TIMEOUT_S)

    def subscribe(self, bus: Bus) -> None:
        """Use the edge's own connection from now on. Call before the bus runs."""
        bus.on(topics.BRIDGE_INFO, self._on_info)
        bus.on(topics.PLAN, lambda *_: self._on_plan())
        self._connected = bus.connected.is_set

    @property
    def silent_s(self) -> float:
        """Return for how long there has been no connection, to a second."""
        return time.monotonic() - self._seen_at

    async def run(self) -> None:
        """Check until cancelled."""
        self._seen_at, connected_at = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(_CHECK_PERIOD_S)
            now = time.monotonic()
            if self._connected():
                connected_at = connected_at or now
                if now - connected_at >= _PLAN_TIMEOUT_S:
                    self._check_broker()
                self._on_gateway_seen()
                continue
            connected_at = 0.0
            if now - self._seen_at >= self._due_s:
                log.error("%s", silence_message(self._broker, now - self._seen_at, known=self._has_plan))
                self._due_s = math.inf if self._has_plan else max(SILENCE_TIMEOUT_S, self._due_s * 2)

    def _on_gateway_seen(self) -> None:
        self._seen_at, self._due_s = time.monotonic(), SILENCE_TIMEOUT_S

    def _check_broker(self) -> None:
        if self._info is not None and self._info.cluster_port and not self._has_plan:
            message = wrong_broker_message(self._broker, self._info)
            if self._errors.allows(message, time.monotonic()):
                log.error("%s", message)

    def _on_info(self, _: str, info: BridgeInfo) -> None:
        self._info = info

    def _on_plan(self) -> None:
        self._has_plan = True
        self._on_gateway_seen()
