"""Delivering messages to peers while their sender goes on: one after the other to each, whatever becomes of others."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.logs.outage import Outage
from shared.logs.setup import SUBJECT
from shared.wire.connection import Connection, WireTraffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.network.addresses import Address
    from shared.wire.headers import Header

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 120.0
"""A way that nothing has gone for so long is closed: a gateway that was started again has another address."""

Parcel = tuple["Header", "Sequence[memoryview]"]
"""A message and its payload."""


class Courier:
    """Keeps a connection to every address that something is sent to, and up to `cap` messages waiting for each.

    What cannot be delivered is dropped and `lost` is told the address: leases, or its sender, make up for it.
    """

    def __init__(self, traffic: WireTraffic, cap: int, lost: Callable[[Address], None] = lambda _: None) -> None:
        self._traffic = traffic
        self._cap = cap
        self._lost = lost
        self._routes: dict[Address, _Route] = {}

    async def send(self, address: Address, parcel: Parcel) -> None:
        """Have a message delivered; waits while too many wait for that address."""
        await self._route(address).queue.put(parcel)

    def post(self, address: Address, parcel: Parcel) -> bool:
        """The same without waiting; False when too many messages wait for that address."""
        try:
            self._route(address).queue.put_nowait(parcel)
        except asyncio.QueueFull:
            return False
        return True

    def drop_address(self, address: Address) -> None:
        """Whoever was there is gone: drop what waits for it."""
        route = self._routes.pop(address, None)
        if route is not None:
            route.task.cancel()

    async def run(self) -> None:
        """Live until cancelled; then close all connections."""
        try:
            await asyncio.Event().wait()
        finally:
            tasks = [route.task for route in self._routes.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _route(self, address: Address) -> _Route:
        if address not in self._routes:
            self._routes[address] = _Route(address, self._cap, self._traffic, self._lost, self._closed)
        return self._routes[address]

    def _closed(self, address: Address) -> None:
        del self._routes[address]


class _Route:
    """The way to one address."""

    def __init__(
        self,
        address: Address,
        cap: int,
        traffic: WireTraffic,
        lost: Callable[[Address], None],
        closed: Callable[[Address], None],
    ) -> None:
        self.queue: asyncio.Queue[Parcel] = asyncio.Queue(cap)
        self._address = address
        self._traffic = traffic
        self._lost = lost
        self._closed = closed
        self.task = asyncio.create_task(self._run())

    async def _next(self) -> Parcel | None:
        """What is to be delivered next; None when there was nothing for long, and is nothing now."""
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                return await self.queue.get()
        except TimeoutError:
            return None if self.queue.empty() else self.queue.get_nowait()

    async def _run(self) -> None:
        connection: Connection | None = None
        outage = Outage()
        try:
            while (parcel := await self._next()) is not None:
                header, payload = parcel
                try:
                    if connection is None or connection.closed:
                        connection = await Connection.open(self._address, self._traffic)
                    await connection.send(header, payload)
                    if outage.note_success():
                        log.info("%s takes messages again", self._address, extra={SUBJECT: self._address})
                except DeepThingsError as error:
                    log.log(
                        outage.level(str(error)), "%s not delivered: %s", header.kind.name.lower(), error,
                        extra={SUBJECT: self._address},
                    )  # fmt: skip
                    self._lost(self._address)
                except Exception:  # a way that ended here would keep whoever sends waiting for ever
                    log.exception("%s not delivered to %s", header.kind.name.lower(), self._address)
                    self._lost(self._address)
            self._closed(self._address)  # at once: whoever sends from now on gets another way
        finally:
            if connection is not None:
                connection.close()
