"""The connection by which the gateway confirms this edge's tiles and frames, kept open."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.network.backoff import Backoff
from shared.security.data_security import THE_GATEWAY
from shared.wire.connection import Connection
from shared.wire.headers import FrameDoneHeader, LinkHeader, TileDoneHeader, TileHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.network.addresses import Address
    from shared.payloads.cluster import FrameDone, TileDone
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)


class GatewayLink:
    """Receives confirmations, and the workers of own tiles.

    `on_opened` is called after each connect: some may have been lost before.
    """

    def __init__(
        self,
        node: str,
        traffic: WireTraffic,
        on_tile_done: Callable[[TileDone], None],
        on_frame_done: Callable[[FrameDone], None],
        on_assigned: Callable[[TileHeader], None],
        on_opened: Callable[[], None],
    ) -> None:
        self._node = node
        self._traffic = traffic
        self._on_tile_done = on_tile_done
        self._on_frame_done = on_frame_done
        self._on_assigned = on_assigned
        self._on_opened = on_opened
        self._gateway: Address | None = None
        self._changed = asyncio.Event()

    def follow_gateway(self, address: Address | None) -> None:
        """Keep a connection to the gateway's data plane at this address; None: to no gateway."""
        if address != self._gateway:
            self._gateway = address
            self._changed.set()

    async def run(self) -> None:
        """Keep connected until cancelled."""
        backoff = Backoff()
        while True:
            self._changed.clear()
            if self._gateway is None:
                await self._changed.wait()
                continue
            receiving = asyncio.create_task(self._receive(self._gateway, backoff))
            changing = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait([receiving, changing], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (receiving, changing):
                    task.cancel()
                results = await asyncio.gather(receiving, changing, return_exceptions=True)
            error = results[0]
            if isinstance(error, DeepThingsError):
                log.debug("the gateway's confirmations come by MQTT meanwhile: %s", error)
                await asyncio.sleep(backoff.next_s())
            elif isinstance(error, Exception):
                raise error

    async def _receive(self, gateway: Address, backoff: Backoff) -> None:
        connection = await Connection.open(gateway, self._traffic, THE_GATEWAY)
        try:
            await connection.send(LinkHeader(node=self._node))
            backoff.reset()
            self._on_opened()
            while True:
                header, _ = await connection.expect(TileDoneHeader, FrameDoneHeader, TileHeader, max_payload=0)
                if isinstance(header, TileDoneHeader):
                    self._on_tile_done(header.done)
                elif isinstance(header, TileHeader):
                    self._on_assigned(header)
                else:
                    assert isinstance(header, FrameDoneHeader)
                    self._on_frame_done(header.done)
        finally:
            connection.close()
