"""Delivers messages to peers in the background: those for one peer in order, independently of other peers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.logs.outage import Outage
from shared.logs.setup import SUBJECT
from shared.tracing.spans import Part, tracer
from shared.wire.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.network.addresses import Address
    from shared.security.data_security import ExpectedPeer
    from shared.wire.header import Header
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 120.0
"""A connection that was not used for this time is closed: the peer may have restarted with another address."""

MAX_BYTES_AT_ONCE = 512 * 1024
"""Payloads up to this size are sent without queuing, and the rest that the kernel does not accept is copied. Measured
on a busy edge, most are accepted whole; that a copy costs less than another turn of the event loop is assumed."""

Parcel = tuple["Header", "Sequence[memoryview]"]
"""A message and its payload."""


class Courier:
    """Keeps a connection and a queue of up to `max_waiting` messages for each address.

    Messages that cannot be delivered are dropped, and `on_lost` is called with the address; the sender or a lease
    repeats them.
    """

    def __init__(
        self, traffic: WireTraffic, max_waiting: int, on_lost: Callable[[Address], None] = lambda _: None
    ) -> None:
        self._traffic = traffic
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._routes: dict[Address, _Route] = {}

    async def send(self, address: Address, parcel: Parcel, expected: ExpectedPeer | None = None) -> None:
        """Send a message to `expected` at an address, or queue it; wait while the queue of that address is full."""
        route = self._route(address, expected)
        if not route.send_now(parcel):
            await route.queue.put((parcel, time.monotonic()))

    def post(self, address: Address, parcel: Parcel, expected: ExpectedPeer | None = None) -> bool:
        """Send or queue a message without waiting; return False when the queue of that address is full."""
        route = self._route(address, expected)
        if route.send_now(parcel):
            return True
        try:
            route.queue.put_nowait((parcel, time.monotonic()))
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

    def _route(self, address: Address, expected: ExpectedPeer | None) -> _Route:
        route = self._routes.get(address)
        if route is None or route.expected != expected:  # another member has the address now
            self.drop_address(address)
            route = _Route(address, expected, self._max_waiting, self._traffic, self._on_lost, self._forget_route)
            self._routes[address] = route
        return route

    def _forget_route(self, address: Address) -> None:
        del self._routes[address]


class _Route:
    """The queue and the connection of one address."""

    def __init__(
        self,
        address: Address,
        expected: ExpectedPeer | None,
        max_waiting: int,
        traffic: WireTraffic,
        on_lost: Callable[[Address], None],
        on_closed: Callable[[Address], None],
    ) -> None:
        self.queue: asyncio.Queue[tuple[Parcel, float]] = asyncio.Queue(max_waiting)
        self.expected = expected
        self._address = address
        self._traffic = traffic
        self._on_lost = on_lost
        self._on_closed = on_closed
        self._connection: Connection | None = None
        self._delivering = False
        self._used_at = time.monotonic()
        self.task = asyncio.create_task(self._run())

    def send_now(self, parcel: Parcel) -> bool:
        """Send a message, unless it is large, at once if no other one is waiting; return whether it is sent.

        Queuing a message takes as long as sending it: it needs another turn of the event loop, and a timeout.
        """
        header, payload = parcel
        connection, now = self._connection, time.monotonic()
        if self._delivering or not self.queue.empty() or connection is None or connection.closed:
            return False
        if sum(part.nbytes for part in payload) > MAX_BYTES_AT_ONCE:
            return False
        try:
            sent = connection.send_now([header], payload)
        except DeepThingsError:
            return False  # the caller queues it, and a new connection sends it
        if sent:
            self._used_at = now
            if connection.finishing is None:
                _record_sent(header, now)
            else:
                connection.finishing.add_done_callback(lambda finishing: self._on_finished(finishing, header, now))
        return sent

    def _on_finished(self, finishing: asyncio.Task[bool], header: Header, begun: float) -> None:
        """Record a message whose rest was sent in the background, or report its loss, unless this route has ended."""
        if finishing.cancelled() or self.task.done():
            return
        if finishing.result():
            _record_sent(header, begun)
        else:
            self._on_lost(self._address)

    async def _next(self) -> tuple[Parcel, float] | None:
        """Return the next message and the time at which it was queued; None after the idle timeout."""
        while (left_s := self._used_at + IDLE_TIMEOUT_S - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    return await self.queue.get()
            if not self.queue.empty():  # it was queued while the timeout cancelled the wait
                return self.queue.get_nowait()
        return None

    async def _run(self) -> None:
        outage = Outage()
        try:
            while (queued := await self._next()) is not None:
                self._delivering = True
                await self._deliver(*queued, outage)
                self._delivering, self._used_at = False, time.monotonic()
            self._on_closed(self._address)  # with no await before it, so that no message enters the abandoned queue
        finally:
            if self._connection is not None:
                self._connection.close()

    async def _deliver(self, parcel: Parcel, queued_at: float, outage: Outage) -> None:
        header, payload = parcel
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await Connection.open(self._address, self._traffic, self.expected)
            await self._connection.send(header, payload)
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


def _record_sent(header: Header, queued_at: float) -> None:
    """Record the span of a sent message of a frame; such headers have an `info`, or the frame's name in `frame`."""
    info = getattr(header, "info", None)
    frame = getattr(header, "frame", None) if info is None else info.frame
    if frame is not None:
        tracer.since(Part.SEND, frame, queued_at, getattr(header, "tile", None))
