"""The entrance of a server: identifies peers, and admits members and, while that is allowed, peers without keys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, PeerLostError, PeerRefusedError
from shared.logs.rate_limit import RateLimit
from shared.network.hosts import is_loopback
from shared.security.tls import JOIN_HINT, TLS_FIRST_BYTE
from shared.wire.connection import Connection
from shared.wire.connection_limits import ConnectionLimits
from shared.wire.encryption import encrypt_as_server
from shared.wire.headers import RefusedHeader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.network.addresses import Address
    from shared.security.member_list import Member
    from shared.wire.permissions import Door
    from shared.wire.pipe import TcpPipe
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 10.0
"""Timeout of a handshake; a Raspberry Pi Zero on a bad network needs two seconds."""

REFUSAL_TIMEOUT_S = 2.0
"""Time for a refused peer to read the reason: closing while it still sends would discard the reason."""

REFUSAL_LOG_PERIOD_S = 60.0
"""A refusal is logged once in this time for each address, because refused peers come back again and again."""

CLOSED = f"this cluster is closed to devices without keys: {JOIN_HINT}"

ENCRYPTED_HERE = (
    "this device has no keys and does not encrypt: join the cluster with it, or remove the keys of the other one"
)


class Entrance:
    """Identifies and admits the peers of one server."""

    def __init__(self, traffic: WireTraffic, door: Door | None) -> None:
        """`door` has the messages that each kind of peer may send; None: all."""
        self._traffic = traffic
        self._door = door
        self._limits = ConnectionLimits()
        self._warnings = RateLimit(REFUSAL_LOG_PERIOD_S)

    def refuse_unseen(self, address: Address) -> str:
        """Return, and log, the reason why a new connection is refused at once; empty: it is counted as unknown."""
        reason = self._limits.refuse_unknown(address.host, time.monotonic())
        if reason and self._warnings.allows((address.host, reason), time.monotonic()):
            log.warning("connection from %s closed: %s", address, reason)
        return reason

    async def identify(self, pipe: TcpPipe, address: Address) -> Connection:
        """Return the connection with an identified peer. Raises PeerRefusedError, after sending the peer the reason."""
        first = memoryview(bytearray(1))
        if not await pipe.read_some(first):
            raise PeerLostError(f"{address} closed the connection without a message")
        if first[0] == TLS_FIRST_BYTE:
            return await self._identify_member(pipe, address, bytes(first))
        return await self._identify_plain(pipe, address, bytes(first))

    async def _identify_member(self, pipe: TcpPipe, address: Address, received: bytes) -> Connection:
        security = self._traffic.security
        if security is None:
            raise PeerRefusedError(ENCRYPTED_HERE)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                encrypted = await encrypt_as_server(pipe, security, received)
        except TimeoutError as error:
            raise PeerRefusedError(f"it did not finish the handshake in {HANDSHAKE_TIMEOUT_S:.0f} s") from error
        connection = Connection(encrypted, str(address), self._traffic)
        try:
            connection.member = security.admit(encrypted.certificate)
        except PeerRefusedError as error:
            await refuse_connection(connection, str(error))
            raise
        if self._door is not None:
            connection.accepts = self._door.kinds_for(connection.member.role)
            connection.refusal = f"{connection.member} may not send {{}} to {self._door.what}"
        security.watch(connection)
        return connection

    async def _identify_plain(self, pipe: TcpPipe, address: Address, received: bytes) -> Connection:
        connection, security = Connection(pipe, str(address), self._traffic, received=received), self._traffic.security
        door = self._door
        if door is not None and security is None:
            connection.accepts, connection.refusal = door.known, f"{{}} is not a message for {door.what}"
        elif door is not None and security is not None and security.open:
            connection.accepts, connection.refusal = door.plain, f"{{}} is not taken without keys: {JOIN_HINT}"
        elif door is not None and door.local and is_loopback(address.host):
            connection.accepts, connection.refusal = door.local, f"{{}} is not taken: {CLOSED}"
        elif security is not None and not security.open:
            await refuse_connection(connection, CLOSED)
            raise PeerRefusedError(CLOSED)
        if security is not None:
            if security.open and not is_loopback(address.host):  # an agent of this machine needs no keys
                self._note_plain(address.host)
            security.watch(connection)
        return connection

    def _note_plain(self, host: str) -> None:
        if self._traffic.visitors.note_plain(host, time.monotonic()):
            log.warning(
                "%s has no keys; it takes part until the cluster is closed ('deepthings close'): %s", host, JOIN_HINT
            )

    @contextlib.contextmanager
    def identified(self, connection: Connection, host: str) -> Iterator[None]:
        """Count a connection for its member, or for the address of a peer without keys. Raises PeerRefusedError."""
        member, limits = connection.member, self._limits
        reason = limits.refuse_plain(host) if member is None else limits.refuse_member(member, host)
        if reason:
            raise PeerRefusedError(reason)
        try:
            yield
        finally:
            if member is None:
                limits.release_plain(host)
            else:
                limits.release_member(member)

    def forget_unknown(self, address: Address) -> None:
        """Stop counting a connection as unknown: it has ended, or `identified` counts it."""
        self._limits.release_unknown(address.host)

    def log_refusal(self, address: Address, member: Member | None, reason: str) -> None:
        """Log the refusal of a peer, and remember it for the gateway's reports."""
        now = time.monotonic()
        self._traffic.visitors.note_refused(address.host, now, reason)
        self._limits.note_refused(address.host, now)
        level = logging.WARNING if self._warnings.allows((address.host, member), now) else logging.DEBUG
        log.log(level, "connection from %s refused: %s", address, reason)


async def refuse_connection(connection: Connection, reason: str) -> None:
    """Send the reason, then close when the peer does, or after REFUSAL_TIMEOUT_S."""
    with contextlib.suppress(DeepThingsError):
        await connection.send(RefusedHeader(reason=reason))
        connection.end_sending()
        await connection.discard_until_closed(REFUSAL_TIMEOUT_S)
    connection.close()
