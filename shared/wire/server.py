"""Listen on the data plane; each connection has its own fault boundary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, ListenError, PeerLostError, ProtocolError
from shared.network.addresses import Address
from shared.reasons.network_reasons import listen_reason
from shared.wire.connection import Connection, WireTraffic
from shared.wire.headers import RefusedHeader
from shared.wire.pipe import TcpListener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.wire.connection import Payload
    from shared.wire.header import Header

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
"""Simultaneous connections; a cluster of 60 nodes and 60 cameras needs fewer."""

FIRST_MESSAGE_TIMEOUT_S = 30.0
"""A connection without a message by then is closed, so that silent clients do not use up all connections."""

REFUSAL_TIMEOUT_S = 2.0
"""Closing while a peer is still sending would discard the reason before the peer has read it."""


class DataServer:
    """Accepts connections and calls `serve` with each and its first message.

    A peer that fails loses its own connection and nothing else.
    """

    def __init__(
        self,
        serve: Callable[[Connection, Header, Payload], Awaitable[None]],
        listen: Address,
        traffic: WireTraffic,
    ) -> None:
        """Listen at once; port 0 takes a free one. Raises ListenError."""
        self._serve = serve
        self._traffic = traffic
        self._sessions: set[asyncio.Task[None]] = set()
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
        try:
            while True:
                pipe, peer = await self._listener.accept()
                if len(self._sessions) >= MAX_CONNECTIONS:
                    log.warning("connection from %s closed: %s are open already", peer, MAX_CONNECTIONS)
                    pipe.close()
                    continue
                connection = Connection(pipe, peer, self._traffic)
                session = asyncio.create_task(self._guard(connection))
                self._sessions.add(session)
                session.add_done_callback(self._sessions.discard)
        finally:
            self._listener.close()
            for session in self._sessions:
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _guard(self, connection: Connection) -> None:
        """Serve one connection; errors end only this one."""
        try:
            async with asyncio.timeout(FIRST_MESSAGE_TIMEOUT_S):
                header, payload = await connection.receive()
            await self._serve(connection, header, payload)
        except ProtocolError as error:
            log.warning("connection from %s rejected: %s", connection.peer, error)
            await refuse_connection(connection, str(error))
        except PeerLostError as error:
            log.debug("%s", error)
        except TimeoutError:
            log.warning("connection from %s closed: it sent no message", connection.peer)
        except DeepThingsError as error:
            log.warning("connection from %s: %s", connection.peer, error)
        except Exception:  # our own bug in one connection must not end the others
            log.exception("connection from %s failed", connection.peer)
        finally:
            connection.close()


async def refuse_connection(connection: Connection, reason: str) -> None:
    """Send the reason, then close when the peer does, or after REFUSAL_TIMEOUT_S."""
    with contextlib.suppress(DeepThingsError):
        await connection.send(RefusedHeader(reason=reason))
        connection.end_sending()
        await connection.discard_until_closed(REFUSAL_TIMEOUT_S)
    connection.close()
