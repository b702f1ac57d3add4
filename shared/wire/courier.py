"""Deliver messages to peers in the background: in order to each, independently of the others."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.logs.outage import Outage
from shared.logs.setup import SUBJECT
from shared.tracing.spans import Part, tracer
from shared.wire.connection import Connection, WireTraffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.network.addresses import Address
    from shared.wire.header import Header

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 120.0
"""A connection that is idle for this long is closed: a restarted gateway has another address."""

Parcel = tuple["Header", "Sequence[memoryview]"]
"""A message and its payload."""


class Courier:
    """Keeps a connection and a queue of up to `max_waiting` messages for each address.

    Messages that cannot be delivered are dropped, and `on_lost` is called with the address: leases, or the sender,
    make up for them.
    """

    def __init__(
        self, traffic: WireTraffic, max_waiting: int, on_lost: Callable[[Address], None] = lambda _: None
    ) -> None:
        self._traffic = traffic
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._routes: dict[Address, _Route] = {}

    async def send(self, address: Address, parcel: Parcel) -> None:
        """Queue a message; wait while the queue of that address is full."""
        queued = time.monotonic()
        await self._route(address).queue.put((parcel, queued))

    def post(self, address: Address, parcel: Parcel) -> bool:
        """Queue a message without waiting; return False when the queue of that address is full."""
        try:
            self._route(address).queue.put_nowait((parcel, time.monotonic()))
        except asyncio.QueueFull:
            return False
        return True

    def drop_address(self, address: Address) -> None:
        """Drop the queue and the connection of a lost peer."""
        route = self._routes.pop(address, None)
        if route is not None:
            route.task.cancel()

    async def run(self) -> None:
        """Wait until cancelled, then close all connections."""
        try:
            await asyncio.Event().wait()
        finally:
            tasks = [route.task for route in self._routes.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _route(self, address: Address) -> _Route:
        if address not in self._routes:
            self._routes[address] = _Route(address, self._max_waiting, self._traffic, self._on_lost, self._forget_route)
        return self._routes[address]

    def _forget_route(self, address: Address) -> None:
        del self._routes[address]


class _Route:
    """The queue and the connection of one address."""

    def __init__(
        self,
        address: Address,
        max_waiting: int,
        traffic: WireTraffic,
        on_lost: Callable[[Address], None],
        on_closed: Callable[[Address], None],
    ) -> None:
        self.queue: asyncio.Queue[tuple[Parcel, float]] = asyncio.Queue(max_waiting)
        self._address = address
        self._traffic = traffic
        self._on_lost = on_lost
        self._on_closed = on_closed
        self.task = asyncio.create_task(self._run())

    async def _next(self) -> tuple[Parcel, float] | None:
        """Return the next message and when it was queued; None after the idle timeout."""
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                return await self.queue.get()
        except TimeoutError:
            # a message may have been queued while the timeout cancelled the wait
            return None if self.queue.empty() else self.queue.get_nowait()

    async def _run(self) -> None:
        connection: Connection | None = None
        outage = Outage()
        try:
            while (queued := await self._next()) is not None:
                (header, payload), queued_at = queued
                try:
                    if connection is None or connection.closed:
                        connection = await Connection.open(self._address, self._traffic)
                    await connection.send(header, payload)
                    _record_sent(header, queued_at)
                    if outage.note_success():
                        log.info("%s accepts messages again", self._address, extra={SUBJECT: self._address})
                except DeepThingsError as error:
                    log.log(
                        outage.level(str(error)), "%s not delivered: %s", header.kind.name.lower(), error,
                        extra={SUBJECT: self._address},
                    )  # fmt: skip
                    self._on_lost(self._address)
                except Exception:  # if this task ended, senders would wait for ever
                    log.exception("%s not delivered to %s", header.kind.name.lower(), self._address)
                    self._on_lost(self._address)
            self._on_closed(self._address)  # without an await in between, so that no message enters a dead queue
        finally:
            if connection is not None:
                connection.close()


def _record_sent(header: Header, queued_at: float) -> None:
    """Record the sending of what belongs to a frame: all its messages have its `info`, or its name in `frame`."""
    info = getattr(header, "info", None)
    frame = getattr(header, "frame", None) if info is None else info.frame
    if frame is not None:
        tracer.since(Part.SEND, frame, queued_at, getattr(header, "tile", None))
