"""Publishes the gateway's health: immediately when a lasting field changes, else once a minute."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError
from shared.mqtt import topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.planes import Planes
    from shared.payloads.bridge import BridgeHealth

HEALTH_PERIOD_S = 60.0
"""Health is published this often when no lasting field changes."""

HEALTH_CHECK_PERIOD_S = 1.0
"""Health is compared with the last published one this often."""

LASTING_FIELDS = {"nodes_online", "cameras_online", "cameras", "problems", "frame_time"}
"""Fields whose changes are published immediately; the others change all the time."""


class HealthPublisher:
    """Publishes what `report` returns."""

    def __init__(self, bus: Planes, report: Callable[[], BridgeHealth]) -> None:
        self._bus = bus
        self._report = report
        self._published: dict[str, Any] = {}

    def republish(self) -> None:
        """Publish health at the next check, whether it has changed or not."""
        self._published = {}

    async def run(self) -> None:
        """Publish until cancelled. Without a connection to the cluster's broker nothing is published."""
        published_at = 0.0
        while True:
            await asyncio.sleep(HEALTH_CHECK_PERIOD_S)
            report, now = self._report(), time.monotonic()
            lasting = report.model_dump(include=LASTING_FIELDS)
            due = lasting != self._published or now - published_at >= HEALTH_PERIOD_S
            if due and self._bus.cluster_connected.is_set():
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.BRIDGE_HEALTH, report)
                    self._published, published_at = lasting, now
