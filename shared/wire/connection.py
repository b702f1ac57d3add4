"""One data-plane connection: complete messages in both directions, or none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from shared.errors import PeerLostError, PeerTimeoutError, ProtocolError
from shared.reasons.network_reasons import network_reason
from shared.wire.codec import PREFIX_BYTES, MessagePrefix, decode_prefix, encode_prefix
from shared.wire.headers import HEADERS, Header, RefusedHeader
from shared.wire.unreached import UnreachedAddresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.network.addresses import Address

MESSAGE_TIMEOUT_S = 30.0
"""Limit for a message once it has begun, in addition to the time of its bytes on the slowest link."""

SLOWEST_LINK_BYTES_PER_S = 2**20
"""8 Mbit/s, Wi-Fi at its worst: the program of a large model, 200 MB, may take three minutes there."""

ANSWER_TIMEOUT_S = 5.0
"""Requests are answered from memory; a peer that has not begun to answer by then hangs, or is without power."""

SILENT_PEER_TIMEOUT_S = 20
"""A host that acknowledges nothing for this long is lost; without this, a cut cable is noticed after hours."""

CONNECT_TIMEOUT_S = 5.0
"""A host on the local network that has not answered by then does not exist or is off."""

WAKE_BYTES = 64 * 1024
"""The kernel's buffer holds a few of these; waiting for more would stall the sender."""

JOINED_BYTES = 16 * 1024
"""Smaller buffers are joined before sending: a copy costs less than separate packets."""

Payload = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
H = TypeVar("H", bound=Header)


class WireTraffic(Counter[str]):
    """Bytes received on the data plane, by kind of message, and the addresses that could not be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.unreached = UnreachedAddresses()


class Connection:
    """Sends and receives complete messages; a failure in the middle of one closes the connection."""

    def __init__(self, sock: socket.socket, peer: str, traffic: WireTraffic) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_silence(sock)
        self.peer = peer
        self._socket = sock
        self._traffic = traffic
        self._sending = asyncio.Lock()
        self._users = 0
        self._closing = False
        self._woken_at = 1

    @classmethod
    async def open(cls, address: Address, traffic: WireTraffic) -> Self:
        """Connect to an address. Raises PeerLostError or PeerTimeoutError, naming it."""
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().sock_connect(sock, (address.host, address.port))
            connection = cls(sock, str(address), traffic)
        except (OSError, OverflowError, ValueError) as error:  # the last two: invalid host or port
            sock.close()
            traffic.unreached.record_failure(*address, network_reason(error), time.monotonic())
            if isinstance(error, TimeoutError):
                raise PeerTimeoutError(f"{address} does not answer") from error
            raise PeerLostError(f"{address} cannot be reached: {network_reason(error)}") from error
        except BaseException:
            sock.close()
            raise
        traffic.unreached.record_success(*address)
        return connection

    @property
    def closed(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Close the connection; pending `send` and `receive` calls fail. Safe to call again."""
        if not self._closing:
            self._closing = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._users == 0:  # else a pending coroutine would wait for the closed descriptor for ever
            self._socket.close()

    def end_sending(self) -> None:
        """Shut down sending. Closing while the peer sends would discard data that it has not read yet."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def discard_until_closed(self, timeout_s: float) -> None:
        """Discard received data until the peer closes or the timeout ends. Raises PeerLostError."""
        discarded = bytearray(WAKE_BYTES)
        with self._closing_on_failure("did not close"), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while await asyncio.get_running_loop().sock_recv_into(self._socket, discarded):
                    pass

    async def send(self, header: Header, payload: Iterable[memoryview] = ()) -> None:
        """Send one message; its payload are these buffers in order.

        Raises PeerLostError or PeerTimeoutError, with the connection closed.
        """
        buffers = [part.cast("B") for part in payload]
        encoded = header.encode()
        size = sum(part.nbytes for part in buffers)
        prefix = encode_prefix(header.kind, len(encoded), size)
        loop = asyncio.get_running_loop()
        async with self._sending:
            with self._closing_on_failure("stopped reading"):
                async with asyncio.timeout(_time_for(size)):
                    for part in _joined([memoryview(prefix + encoded), *buffers]):
                        await loop.sock_sendall(self._socket, part)

    async def receive(self, begin_within_s: float | None = None) -> tuple[Header, Payload]:
        """Wait for the next message; return its header and payload, uint8 (bytes,).

        Without `begin_within_s` there is no limit for its begin.

        Raises PeerLostError, PeerTimeoutError or ProtocolError, with the connection closed.
        """
        with self._closing_on_failure("does not answer, or stopped in the middle of a message"):
            prefix = bytearray(PREFIX_BYTES)
            async with asyncio.timeout(begin_within_s):
                await self._receive_into(memoryview(prefix)[:1])
            async with asyncio.timeout(MESSAGE_TIMEOUT_S):
                await self._receive_into(memoryview(prefix)[1:])
            message = decode_prefix(prefix)
            async with asyncio.timeout(_time_for(message.payload_bytes)):
                header, payload = await self._receive_rest(message)
        if isinstance(header, RefusedHeader):
            self.close()
            raise ProtocolError(f"{self.peer} refused: {header.reason}")
        return header, payload

    @contextlib.contextmanager
    def _closing_on_failure(self, when_late: str) -> Iterator[None]:
        """Close the connection on any failure: the start of the next message cannot be found in the stream."""
        if self._closing:
            raise PeerLostError(f"the connection to {self.peer} is closed")
        self._users += 1
        try:
            yield
        except TimeoutError as error:
            self.close()
            raise PeerTimeoutError(f"{self.peer} {when_late}") from error
        except OSError as error:
            self.close()
            raise PeerLostError(f"the connection to {self.peer} was lost") from error
        except ProtocolError as error:
            self._refuse(str(error))
            raise
        except BaseException:
            self.close()
            raise
        finally:
            self._users -= 1
            if self._closing:
                self.close()

    def _refuse(self, reason: str) -> None:
        """Send the reason, if that is possible without waiting, and close."""
        encoded = RefusedHeader(reason=reason).encode()
        with contextlib.suppress(OSError):
            self._socket.send(encode_prefix(RefusedHeader.kind, len(encoded), 0) + encoded)
        self.close()

    async def request(self, request: Header, *kinds: type[H]) -> tuple[H, Payload]:
        """Send a request and wait for the answer, which must begin soon and be of one of `kinds`.

        Raises PeerLostError, PeerTimeoutError or ProtocolError, with the connection closed.
        """
        await self.send(request)
        return self._require_kind(await self.receive(ANSWER_TIMEOUT_S), kinds)

    async def expect(self, *kinds: type[H]) -> tuple[H, Payload]:
        """Wait for a message of one of `kinds`. Raises ProtocolError for another, with the connection closed."""
        return self._require_kind(await self.receive(), kinds)

    def _require_kind(self, received: tuple[Header, Payload], kinds: tuple[type[H], ...]) -> tuple[H, Payload]:
        """Return the message if it is of one of `kinds`; otherwise close the connection and raise ProtocolError."""
        header, payload = received
        if not isinstance(header, kinds):
            self.close()
            expected = " or ".join(kind.kind.name for kind in kinds)
            raise ProtocolError(f"{self.peer} sent {header.kind.name} instead of {expected}")
        return header, payload

    async def _receive_rest(self, prefix: MessagePrefix) -> tuple[Header, Payload]:
        encoded = bytearray(prefix.header_bytes)
        await self._receive_into(memoryview(encoded))
        header = HEADERS[prefix.kind].decode(encoded)
        payload = np.empty(prefix.payload_bytes, np.uint8)
        await self._receive_into(payload.data)
        self._traffic[prefix.kind.name.lower()] += PREFIX_BYTES + prefix.header_bytes + prefix.payload_bytes
        return header, payload

    async def _receive_into(self, buffer: memoryview) -> None:
        """Fill a buffer.

        While much of it is missing, the kernel does not wake us for every packet: on a slow link that would take more
        of a small device's time than the bytes do.
        """
        loop = asyncio.get_running_loop()
        while buffer:
            self._wake_at(min(len(buffer), WAKE_BYTES))
            count = await loop.sock_recv_into(self._socket, buffer)
            if count == 0:
                raise ConnectionResetError
            buffer = buffer[count:]

    def _wake_at(self, count: int) -> None:
        """Set the number of bytes from which the socket is readable (SO_RCVLOWAT)."""
        if count != self._woken_at:
            self._woken_at = count
            with contextlib.suppress(OSError):  # without it we are only woken more often
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)


def _joined(buffers: Iterable[memoryview]) -> Iterator[memoryview]:
    """Yield the same bytes with small buffers joined, so that they share packets; large ones are not copied."""
    small: list[memoryview] = []
    size = 0
    for part in buffers:
        if part.nbytes < JOINED_BYTES:
            small.append(part)
            size += part.nbytes
        if size >= JOINED_BYTES or (small and part.nbytes >= JOINED_BYTES):
            yield memoryview(b"".join(small))
            small, size = [], 0
        if part.nbytes >= JOINED_BYTES:
            yield part
    if small:
        yield memoryview(b"".join(small))


def _time_for(payload_bytes: int) -> float:
    """Return the seconds that a message of this size may take once it has begun."""
    return MESSAGE_TIMEOUT_S + payload_bytes / SLOWEST_LINK_BYTES_PER_S


def _notice_silence(sock: socket.socket) -> None:
    """Let the kernel end a connection, idle or not, whose host has vanished."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_PEER_TIMEOUT_S // 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_PEER_TIMEOUT_S // 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_PEER_TIMEOUT_S * 1000)
