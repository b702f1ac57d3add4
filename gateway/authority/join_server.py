"""Serves the port at which devices join.

Anyone on the network can reach it. So it is open only while there is an open invitation, and connections are bounded
in number, time and size.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from shared.errors import DeepThingsError, ListenError
from shared.process.lifecycle import cancel_in_order
from shared.reasons.network_reasons import listen_reason
from shared.reasons.system_reasons import system_reason
from shared.security.join_messages import (
    MAX_JOIN_LINE_BYTES,
    AuthorityAnswer,
    AuthorityRequest,
    JoinRefusal,
    JoinRequest,
)

if TYPE_CHECKING:
    from gateway.authority.authority import Authority
    from gateway.authority.join_admission import Admission
    from shared.network.addresses import Address
    from shared.payloads.base import Message

log = logging.getLogger(__name__)

MAX_JOIN_CONNECTIONS = 16
"""Connections that are open at the same time; a device needs one, for a moment."""

MAX_JOIN_CONNECTIONS_OF_HOST = 4
"""Open connections of one address, so that one device cannot keep all others out."""

JOIN_CONNECTION_TIMEOUT_S = 10.0
"""Time for the handshake, one message and its answer; then the connection is closed. A Pi takes less than a second."""

ACCEPT_PAUSE_S = 1.0
"""Pause after a connection that could not be accepted, before the next one is accepted."""

_REQUEST: TypeAdapter[AuthorityRequest | JoinRequest] = TypeAdapter(
    Annotated[AuthorityRequest | JoinRequest, Field(discriminator="want")]
)


class JoinServer:
    """Listens while an invitation is open."""

    def __init__(self, listen: Address, authority: Authority, admission: Admission) -> None:
        self._listen = listen
        self._authority = authority
        self._admission = admission
        self._context = _serving_context(authority)
        self._socket: socket.socket | None = None
        self._changed = asyncio.Event()
        self._connected: Counter[str] = Counter()
        self._sessions: set[asyncio.Task[None]] = set()

    def open(self) -> int:
        """Open the port if it is closed, and return its number. Raises ListenError."""
        if self._socket is None:
            self._socket = _open_listening_socket(self._listen)
            log.info("devices that are invited can join at %s", self._listen)
        self._changed.set()
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve while an invitation is open, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if self._socket is not None:
                    await self._serve(self._socket)
        finally:
            self._close()
            await cancel_in_order(list(self._sessions))

    async def _serve(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(listening, self._accept, listening)
        try:
            while (left_s := self._admission.open_for_s()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await self._changed.wait()
                self._changed.clear()
        finally:
            loop.remove_reader(listening)
            self._close()  # closes only the port: open connections still get their answers
        if self._admission.invitations.ended_by_wrong_codes:
            log.warning("all invitations are ended: too many wrong codes were shown at %s", self._listen)

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            log.info("no device can join any more at %s", self._listen)

    def _accept(self, listening: socket.socket) -> None:
        """Accept one waiting connection; close it at once if there are too many."""
        try:
            connection, peer = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no more files can be opened, for example
            log.warning("join port: a connection cannot be accepted: %s; trying again", system_reason(error))
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening)
            loop.call_later(ACCEPT_PAUSE_S, self._resume, listening)
            return
        host = str(peer[0])
        if self._connected.total() >= MAX_JOIN_CONNECTIONS or self._connected[host] >= MAX_JOIN_CONNECTIONS_OF_HOST:
            connection.close()
            return
        connection.setblocking(False)
        self._connected[host] += 1
        session = asyncio.create_task(self._serve_guarded(connection, host))
        self._sessions.add(session)
        session.add_done_callback(partial(self._on_end, connection, host))

    def _resume(self, listening: socket.socket) -> None:
        if listening is self._socket:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _on_end(self, connection: socket.socket, host: str, session: asyncio.Task[None]) -> None:
        """Remove a connection; close it here, because a task that was cancelled before it began has not done so."""
        connection.close()
        self._connected -= Counter([host])
        self._sessions.discard(session)
        self._changed.set()

    async def _serve_guarded(self, connection: socket.socket, host: str) -> None:
        """Serve one connection; an error ends only this one."""
        try:
            async with asyncio.timeout(JOIN_CONNECTION_TIMEOUT_S):
                await self._serve_connection(connection, host)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            log.debug("join port: connection from %s: %r", host, error)
        except Exception:  # a bug that one connection meets must not end the others
            log.exception("join port: connection from %s failed", host)

    async def _serve_connection(self, connection: socket.socket, host: str) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_JOIN_LINE_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=JOIN_CONNECTION_TIMEOUT_S
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            line = await reader.readuntil(b"\n")
            writer.write(self._answer(line, host).model_dump_json().encode() + b"\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        finally:
            transport.abort()  # a peer that never closes must not keep the connection open

    def _answer(self, line: bytes, host: str) -> Message:
        try:
            request = _REQUEST.validate_json(line)
        except ValidationError:
            return JoinRefusal(refused="the request cannot be read; install the same release on both devices")
        if isinstance(request, AuthorityRequest):
            return AuthorityAnswer(authority=self._authority.certificate.decode())
        try:
            return self._admission.join(request)
        except DeepThingsError as error:
            log.warning("a device at %s could not join: %s", host, error)
            return JoinRefusal(refused=str(error))


def _serving_context(authority: Authority) -> ssl.SSLContext:
    """Return the TLS context of the join port: only the gateway shows a certificate, as devices have none yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(authority.identity.certificate_file, authority.identity.key_file)
    return context


def _open_listening_socket(address: Address) -> socket.socket:
    """Return a listening socket. Raises ListenError."""
    listening = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(MAX_JOIN_CONNECTIONS)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ListenError(
            f"cannot listen on {address}: {listen_reason(error, address.port)}; stop what uses the port, or choose "
            "another one with cluster.join_port or --join-port"
        ) from error
    return listening
