"""The server of the data plane, in which each connection has its own fault boundary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, ListenError, PeerRefusedError, ProtocolError
from shared.network.addresses import LOOPBACK, Address
from shared.reasons.network_reasons import listen_reason
from shared.wire.entrance import Entrance, refuse_connection
from shared.wire.pipe import TcpListener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.wire.connection import Connection, Payload
    from shared.wire.header import Header
    from shared.wire.permissions import Door
    from shared.wire.pipe import TcpPipe
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

FIRST_MESSAGE_TIMEOUT_S = 30.0
"""A connection without a message by then is closed, so that silent clients do not use up all connections."""

MAX_IDLE_S = 600.0
"""A connection without a message for this time is closed, too, unless it `may_idle`. Agents report every second."""

IDLE_CHECK_PERIOD_S = 30.0
"""Period of the search for idle connections; setting a timer for each would take as long as a small message."""


class DataServer:
    """Accepts connections and calls `serve` with each and its first message.

    A peer that fails loses its own connection and nothing else.
    """

    def __init__(
        self,
        serve: Callable[[Connection, Header, Payload], Awaitable[None]],
        listen: Address,
        traffic: WireTraffic,
        door: Door | None = None,
        bound_of: Callable[[Header], int | None] | None = None,
    ) -> None:
        """Listen at once; port 0 chooses a free one. Raises ListenError.

        `door` has the messages that each kind of peer may send; None: all. `bound_of` gives the largest payload for a
        header, see Connection.
        """
        self._serve = serve
        self._bound_of = bound_of
        self._entrance = Entrance(traffic, door)
        self._sessions: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        try:
            self._listener = TcpListener(listen)
        except (OSError, OverflowError, ValueError) as error:
            raise ListenError(
                f"cannot listen on {listen}: {listen_reason(error, listen.port)}; choose another address or port, or "
                "stop what uses it"
            ) from error

    @property
    def address(self) -> Address:
        return Address(*self._listener.host_and_port)

    async def run(self) -> None:
        """Accept until cancelled; then close every connection."""
        closing = asyncio.create_task(self._close_idle())
        try:
            while True:
                pipe, address = await self._listener.accept()
                if pipe.same_machine:  # connections of this machine count as one host, whatever address they use
                    address = Address(LOOPBACK, address.port)
                if self._entrance.refuse_unseen(address):
                    pipe.close()
                    continue
                session = asyncio.create_task(self._guard(pipe, address))
                self._sessions.add(session)
                session.add_done_callback(self._sessions.discard)
        finally:
            self._listener.close()
            for task in (closing, *self._sessions):
                task.cancel()
            await asyncio.gather(closing, *self._sessions, return_exceptions=True)

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(IDLE_CHECK_PERIOD_S)
            for connection in self._connections:
                if connection.idle_s > MAX_IDLE_S and not connection.may_idle:
                    log.debug("connection from %s closed: it was idle", connection.peer)
                    connection.close()

    async def _guard(self, pipe: TcpPipe, address: Address) -> None:
        """Serve one connection in its own fault boundary."""
        connection: Connection | None = None
        try:
            with contextlib.ExitStack() as unknown:
                unknown.callback(self._entrance.forget_unknown, address)
                async with asyncio.timeout(FIRST_MESSAGE_TIMEOUT_S):
                    connection = await self._entrance.identify(pipe, address)
                    connection.bound_of = self._bound_of
                    header, payload = await connection.receive()
            with self._entrance.identified(connection, address.host):
                self._connections.add(connection)
                await self._serve(connection, header, payload)
        except (PeerRefusedError, ProtocolError) as error:
            await self._reject(address, connection, error)
        except TimeoutError:
            log.warning("connection from %s closed: it sent no message that anybody waits for", address)
        except OSError as error:  # it was lost
            log.debug("%s: %s", address, error)
        except DeepThingsError as error:
            log.warning("connection from %s: %s", address, error)
        except Exception:  # our own bug in one connection must not end the others
            log.exception("connection from %s failed", address)
        finally:
            if connection is not None:
                self._connections.discard(connection)
                connection.close()
            pipe.close()

    async def _reject(self, address: Address, connection: Connection | None, error: DeepThingsError) -> None:
        """Log the reason why a peer is refused, and send it to the peer."""
        if isinstance(error, PeerRefusedError):
            self._entrance.log_refusal(address, None if connection is None else connection.member, str(error))
        else:
            log.warning("connection from %s rejected: %s", address, error)
        if connection is not None:
            await refuse_connection(connection, str(error))
