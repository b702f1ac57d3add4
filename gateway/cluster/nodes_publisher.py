"""Publishes the list of nodes when it changes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gateway.membership.node_list import shorten_node_list
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.message_size import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.broker.planes import Planes
    from shared.payloads.cluster import Nodes

NODES_PERIOD_S = 1.0
"""The list of nodes is published at most this often."""


class NodesPublisher:
    """Publishes the list of nodes that `report` returns at `bridge/nodes`; first it calls `on_nodes` with the list."""

    def __init__(self, bus: Planes, report: Callable[[], Nodes], on_nodes: Callable[[Nodes], Awaitable[None]]) -> None:
        self._bus = bus
        self._report = report
        self._on_nodes = on_nodes
        self._changed = asyncio.Event()

    def publish_soon(self) -> None:
        """Publish the list within NODES_PERIOD_S, if it differs from the last one."""
        self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        published: Nodes | None = None
        while True:
            await self._changed.wait()
            self._changed.clear()
            report = self._report()
            if report != published and self._bus.cluster_connected.is_set():
                published = report
                await self._on_nodes(report)
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.BRIDGE_NODES, shorten_node_list(report, MAX_MESSAGE_BYTES))
            await asyncio.sleep(NODES_PERIOD_S)
