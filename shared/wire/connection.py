"""One data-plane connection: complete messages in both directions, or none."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from typing import TYPE_CHECKING, Self, TypeVar, cast

import numpy as np

from shared.errors import DeepThingsError, PeerLostError, PeerTimeoutError, ProtocolError
from shared.reasons.network_reasons import network_reason
from shared.wire.codec import PREFIX_BYTES, MessageKind, decode_prefix
from shared.wire.encryption import encrypt_as_client
from shared.wire.header import Header
from shared.wire.headers import HEADERS, RefusedHeader
from shared.wire.message_buffers import encode_buffers, encode_start
from shared.wire.pipe import TcpPipe
from shared.wire.read_ahead import READ_AHEAD_BYTES, ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.network.addresses import Address
    from shared.security.data_security import ExpectedPeer
    from shared.security.member_list import Member
    from shared.wire.codec import MessagePrefix
    from shared.wire.pipe import Pipe
    from shared.wire.wire_traffic import WireTraffic

MESSAGE_TIMEOUT_S = 30.0
"""Longest time of a message once it has begun, in addition to the time that its bytes take on the slowest link."""

SLOWEST_LINK_BYTES_PER_S = 2**20
"""8 Mbit/s, Wi-Fi at its worst. The program of a large model, 200 MB, may take three minutes."""

ANSWER_TIMEOUT_S = 5.0
"""Longest time until an answer begins. Requests are answered from memory; a peer that is slower hangs or is off."""

CONNECT_TIMEOUT_S = 5.0
"""Timeout of a connection; a host on the local network that is slower does not exist or is off."""

STALE_AFTER_S = 240.0
"""After this time without use, a client opens a new connection, because the peer may be about to close this one."""

DISCARDED_BYTES = 64 * 1024
"""Size of the pieces in which unwanted payloads, and data for a connection that is ending, are read and dropped."""

_TRAFFIC_NAMES = {kind: kind.name.lower() for kind in MessageKind}
"""The names of kinds in WireTraffic."""

Payload = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
H = TypeVar("H", bound=Header)


class Connection:
    """Sends and receives complete messages; a failure in the middle of one closes the connection."""

    def __init__(
        self, pipe: Pipe, peer: str, traffic: WireTraffic, *, member: Member | None = None, received: bytes = b""
    ) -> None:
        """`member` is the peer, None without keys. `received` are bytes that were read from the pipe already."""
        self.peer = peer
        self.member = member
        self.accepts: frozenset[MessageKind] | None = None
        """The kinds of message that the peer may send; None: all."""
        self.refusal = "{} is not expected here"
        """The error message for any other kind of message, which replaces the braces."""
        self.may_idle = False
        """The peer keeps the connection open to receive, so a server must not close it when nothing comes."""
        self.bound_of: Callable[[Header], int | None] | None = None
        """A function that returns the largest payload, in bytes, for a header; None if the message is unwanted."""
        self._used_at = time.monotonic()
        self._pipe = pipe
        self._traffic = traffic
        self._sending = asyncio.Lock()
        self._rest: list[memoryview] = []
        self._finishing: asyncio.Task[bool] | None = None
        self._ahead = ReadAhead(READ_AHEAD_BYTES)
        self._ahead.room[: len(received)] = received
        self._ahead.add(len(received))
        self._closed = False

    @classmethod
    async def open(cls, address: Address, traffic: WireTraffic, expected: ExpectedPeer | None = None) -> Self:
        """Connect to an address. A process with keys must name the `expected` member, and connects to no other peer.

        Raises PeerLostError or PeerTimeoutError, naming the address.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                connection = await cls._connect(address, traffic, expected)
        except (OSError, OverflowError, ValueError) as error:  # the last two: invalid host or port
            traffic.unreached.record_failure(*address, network_reason(error), time.monotonic())
            if isinstance(error, TimeoutError):
                raise PeerTimeoutError(f"{address} does not answer") from error
            raise PeerLostError(f"{address} cannot be reached: {network_reason(error)}") from error
        traffic.unreached.record_success(*address)
        return connection

    @classmethod
    async def _connect(cls, address: Address, traffic: WireTraffic, expected: ExpectedPeer | None) -> Self:
        pipe, security = await TcpPipe.connect(address), traffic.security
        if security is None:
            return cls(pipe, str(address), traffic)
        assert expected is not None, "a process with keys must name the member that it connects to"
        try:
            if security.connects_plain(expected):
                connection = cls(pipe, str(address), traffic)
            else:
                encrypted, member = await encrypt_as_client(pipe, security, expected)
                connection = cls(encrypted, str(address), traffic, member=member)
        except BaseException:
            pipe.close()
            raise
        security.watch(connection)
        return connection

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def idle_s(self) -> float:
        """Return the seconds since the last message in either direction."""
        return time.monotonic() - self._used_at

    @property
    def stale(self) -> bool:
        """Return whether a client should open another connection: this one is closed, or was unused too long."""
        return self._closed or self.idle_s > STALE_AFTER_S

    def check_name(self, name: str) -> None:
        """Check that `name` is the peer's own, if this process has keys. Raises PeerRefusedError."""
        if self._traffic.security is not None:
            self._traffic.security.check_name(self.member, name)

    def close(self) -> None:
        """Close the connection; pending `send` and `receive` calls fail. Safe to call again."""
        self._closed = True
        self._pipe.close()

    def end_sending(self) -> None:
        """End sending. Closing while the peer sends would discard data that it has not read yet."""
        self._pipe.finish()

    async def discard_until_closed(self, timeout_s: float) -> None:
        """Discard received data until the peer closes or the timeout ends. Raises PeerLostError."""
        discarded = memoryview(bytearray(DISCARDED_BYTES))
        with self._closing_on_failure("did not close"), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while await self._pipe.read_some(discarded):
                    pass

    async def send(self, header: Header, payload: Iterable[memoryview] = ()) -> None:
        """Send one message; its payload are these buffers in order.

        Raises PeerLostError or PeerTimeoutError, with the connection closed.
        """
        buffers, size = encode_buffers(header, payload)
        await self._write(buffers, size)

    async def send_together(self, headers: Sequence[Header]) -> None:
        """Send messages without payloads at once, so that the peer wakes up only once. Raises the errors of `send`."""
        await self._write([encode_start(header) for header in headers], 0)

    def send_now(self, headers: Sequence[Header], payload: Iterable[memoryview] = ()) -> bool:
        """Send small messages if nothing else is being sent; return whether they are. Raises the errors of `send`.

        `payload` belongs to the last message. Bytes that the socket does not take at once are copied, and sent in the
        background.
        """
        if self._sending.locked() or self._rest:
            return False
        buffers = [*(encode_start(header) for header in headers[:-1]), *encode_buffers(headers[-1], payload)[0]]
        with self._closing_on_failure("stopped reading"):
            self._rest = [memoryview(bytes(left)) for left in self._pipe.write_now(buffers)]
        self._finishing = asyncio.create_task(self._send_rest()) if self._rest else None
        return True

    @property
    def finishing(self) -> asyncio.Task[bool] | None:
        """Return the task that sends the rest of what `send_now` accepted, or None if nothing was left.

        Its result is whether the rest was sent; if not, the connection is closed.
        """
        return self._finishing

    async def _send_rest(self) -> bool:
        try:
            await self._write((), 0)
        except DeepThingsError:
            return False
        return True

    async def _write(self, buffers: Sequence[memoryview], payload_bytes: int) -> None:
        async with self._sending:
            buffers, self._rest = [*self._rest, *buffers], []
            with self._closing_on_failure("stopped reading"):
                self._used_at = time.monotonic()
                left = self._pipe.write_now(buffers)
                if left:
                    async with asyncio.timeout(_time_for(payload_bytes)):
                        await self._pipe.write(left)

    async def receive(
        self, begin_within_s: float | None = None, kinds: tuple[type[Header], ...] = (), max_payload: int | None = None
    ) -> tuple[Header, Payload]:
        """Wait for the next message; return its header and payload, uint8 (bytes,).

        The message must begin within `begin_within_s`; without it, at any time. With `kinds` it must be of one of them,
        and its payload must have at most `max_payload` bytes; nothing is allocated for any other. An unwanted message,
        see `bound_of`, is read in small pieces and dropped; then the next one is received.

        Raises PeerLostError, PeerTimeoutError or ProtocolError, with the connection closed.
        """
        expected = _kinds_of(kinds)
        with self._closing_on_failure("does not answer, or stopped in the middle of a message"):
            message = None
            while message is None:
                if not self._ahead:
                    await self._begin_message(begin_within_s)
                message = self._take_message(expected, max_payload)
                if message is None and self._ahead:
                    async with asyncio.timeout(MESSAGE_TIMEOUT_S) as limit:
                        message = await self._receive_message(limit, expected, max_payload)
        header, payload = message
        if isinstance(header, RefusedHeader):
            self.close()
            raise ProtocolError(f"{self.peer} refused: {header.reason}")
        return header, payload

    def _closing_on_failure(self, when_late: str) -> _ClosingOnFailure:
        """Return a context that closes the connection on any failure. Raises PeerLostError if it is closed already."""
        if self._closed:
            raise PeerLostError(f"the connection to {self.peer} is closed")
        return _ClosingOnFailure(self, when_late)

    def refuse(self, reason: str) -> None:
        """Send the reason, if that is possible without waiting, and close."""
        with contextlib.suppress(OSError):
            self._pipe.write_now([encode_start(RefusedHeader(reason=reason))])
        self.close()

    async def request(self, request: Header, *kinds: type[H], max_payload: int | None = None) -> tuple[H, Payload]:
        """Send a request and wait for the answer, which must begin soon and be of one of `kinds`.

        Raises PeerLostError, PeerTimeoutError or ProtocolError, with the connection closed.
        """
        await self.send(request)
        return cast("tuple[H, Payload]", await self.receive(ANSWER_TIMEOUT_S, kinds, max_payload))

    async def expect(self, *kinds: type[H], max_payload: int | None = None) -> tuple[H, Payload]:
        """Wait for a message of one of `kinds`. Raises ProtocolError for another, with the connection closed."""
        return cast("tuple[H, Payload]", await self.receive(None, kinds, max_payload))

    async def _begin_message(self, within_s: float | None) -> None:
        """Wait for the first bytes of a message."""
        if within_s is not None:
            async with asyncio.timeout(within_s):
                count = await self._pipe.read_some(self._ahead.room)
        else:
            count = await self._pipe.read_some(self._ahead.room)
        if count == 0:
            raise ConnectionResetError
        self._ahead.add(count)

    def _check_kind(self, prefix: MessagePrefix, expected: frozenset[MessageKind], max_payload: int | None) -> None:
        """Check that the peer may send this message now. Raises ProtocolError."""
        kind = prefix.kind
        if kind is MessageKind.REFUSED:
            return
        if expected and kind not in expected:
            names = " or ".join(sorted(each.name for each in expected))
            raise ProtocolError(f"{self.peer} sent {kind.name} instead of {names}")
        if self.accepts is not None and kind not in self.accepts:
            raise ProtocolError(self.refusal.format(kind.name))
        if max_payload is not None and prefix.payload_bytes > max_payload:
            raise ProtocolError(
                f"{self.peer} sent {kind.name} with {prefix.payload_bytes} bytes instead of at most {max_payload}"
            )

    def _take_message(self, expected: frozenset[MessageKind], max_payload: int | None) -> tuple[Header, Payload] | None:
        """Return the next message if it was read ahead completely. A timeout would take as long as the message.

        Messages before it that nobody waits for are dropped.
        """
        while len(self._ahead) >= PREFIX_BYTES:
            prefix = decode_prefix(self._ahead.peek(PREFIX_BYTES))
            self._check_kind(prefix, expected, max_payload)
            if len(self._ahead) < PREFIX_BYTES + prefix.header_bytes + prefix.payload_bytes:
                break
            self._ahead.skip(PREFIX_BYTES)
            header = HEADERS[prefix.kind].decode(bytes(self._ahead.peek(prefix.header_bytes)))
            self._ahead.skip(prefix.header_bytes)
            self._count(prefix, header)
            if self._is_awaited(prefix, header):
                payload = np.empty(prefix.payload_bytes, np.uint8)
                self._ahead.take_into(payload.data)
                return header, payload
            self._ahead.skip(prefix.payload_bytes)
        return None

    async def _receive_message(
        self, limit: asyncio.Timeout, expected: frozenset[MessageKind], max_payload: int | None
    ) -> tuple[Header, Payload] | None:
        """Receive a message; return None for an unwanted one. The `limit` is extended by the time for its payload."""
        start = bytearray(PREFIX_BYTES)
        await self._fill(memoryview(start))
        prefix = decode_prefix(start)
        self._check_kind(prefix, expected, max_payload)
        limit.reschedule(asyncio.get_running_loop().time() + _time_for(prefix.payload_bytes))
        encoded = bytearray(prefix.header_bytes)
        await self._fill(memoryview(encoded))
        header = HEADERS[prefix.kind].decode(encoded)
        if not self._is_awaited(prefix, header):
            await self._drop(prefix.payload_bytes)
            self._count(prefix, header)
            return None
        payload = np.empty(prefix.payload_bytes, np.uint8)
        await self._fill(payload.data)
        return self._count(prefix, header), payload

    def _is_awaited(self, prefix: MessagePrefix, header: Header) -> bool:
        """Return whether the payload of a message is wanted. Raises ProtocolError when it is too large."""
        if self.bound_of is None or not prefix.payload_bytes:
            return True
        bound = self.bound_of(header)
        if bound is not None and prefix.payload_bytes > bound:
            raise ProtocolError(
                f"{self.peer} sent {prefix.kind.name} with {prefix.payload_bytes} bytes; at most {bound} fit the plan"
            )
        return bound is not None

    async def _drop(self, count: int) -> None:
        """Read this many bytes, and drop them."""
        room = memoryview(bytearray(min(count, DISCARDED_BYTES)))
        while count:
            piece = room[: min(count, len(room))]
            await self._fill(piece)
            count -= len(piece)

    def _count(self, prefix: MessagePrefix, header: Header) -> Header:
        """Count the bytes of a message that is complete; return its header."""
        self._used_at = time.monotonic()
        self._traffic[_TRAFFIC_NAMES[prefix.kind]] += PREFIX_BYTES + prefix.header_bytes + prefix.payload_bytes
        return header

    async def _fill(self, target: memoryview) -> None:
        """Fill memory with the bytes that were read ahead, and with those that come next."""
        left = self._ahead.take_into(target)
        if left:
            await self._pipe.fill(left)


@functools.cache  # a process expects the same few again and again
def _kinds_of(headers: tuple[type[Header], ...]) -> frozenset[MessageKind]:
    """Return the kinds of message of these headers."""
    return frozenset(header.kind for header in headers)


def _time_for(payload_bytes: int) -> float:
    """Return the seconds that a message of this size may take once it has begun."""
    return MESSAGE_TIMEOUT_S + payload_bytes / SLOWEST_LINK_BYTES_PER_S


class _ClosingOnFailure:
    """Closes a connection on any failure, after which the start of the next message cannot be found in the stream.

    It is a class, because a generator would take as long as all else about a small message.
    """

    __slots__ = ("_connection", "_when_late")

    def __init__(self, connection: Connection, when_late: str) -> None:
        self._connection = connection
        self._when_late = when_late

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProtocolError):
            self._connection.refuse(str(error))
        elif error is not None:
            self._connection.close()
        if isinstance(error, TimeoutError):
            raise PeerTimeoutError(f"{self._connection.peer} {self._when_late}") from error
        if isinstance(error, OSError):
            raise PeerLostError(f"the connection to {self._connection.peer} was lost") from error
