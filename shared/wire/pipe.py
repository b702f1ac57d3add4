"""Pipes: the streams of bytes below all connections of the data plane, which hide the sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Protocol, Self

from shared.network.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

SILENT_PEER_TIMEOUT_S = 20
"""A host that acknowledges nothing for this time is lost; without a limit, a cut cable would be noticed after hours."""

WAKE_BYTES = 64 * 1024
"""A read waits for at most this many bytes. The kernel's buffer holds a few times as many; more would stall the sender.
"""

MAX_BUFFERS_PER_CALL = 512
"""Buffers in one system call: half of Linux's limit."""


class Pipe(Protocol):
    """A stream of bytes in both directions. All methods that wait raise OSError when the stream breaks.

    One coroutine may read and one may write at the same time.
    """

    async def read_some(self, buffer: memoryview, wake_at: int = 1) -> int:
        """Wait for bytes, read those that have come into the buffer, and return their number; 0 at the end.

        With `wake_at`, wait until this many bytes have come; the caller knows that they will come.
        """

    async def fill(self, buffer: memoryview) -> None:
        """Read until the buffer is full. Raises ConnectionResetError at the end of the stream."""

    async def write(self, buffers: Sequence[memoryview]) -> None:
        """Write these buffers of bytes, in order."""

    def write_now(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        """Write as much as possible without waiting; return the rest, for `write`. Raises OSError."""

    def finish(self) -> None:
        """End the sending direction; the peer can read all bytes up to the end."""

    def close(self) -> None:
        """Close both directions; coroutines that wait get an OSError or the end. Safe to call again."""


class TcpPipe:
    """A connection by TCP."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_silence(sock)
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._reader: tuple[memoryview, asyncio.Future[int]] | None = None
        self._watched = False
        self._waiting = 0
        self._closing = False
        self._woken_at = 1

    @classmethod
    async def connect(cls, address: Address) -> Self:
        """Connect to an address. Raises OSError; OverflowError or ValueError for an invalid host or port."""
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (address.host, address.port))
            return cls(sock)
        except BaseException:
            sock.close()
            raise

    @property
    def same_machine(self) -> bool:
        """Return whether the peer is a process of this machine."""
        with contextlib.suppress(OSError):
            return str(self._socket.getsockname()[0]) == str(self._socket.getpeername()[0])
        return False

    async def read_some(self, buffer: memoryview, wake_at: int = 1) -> int:
        if not self._watched:
            return await self._read(buffer, wake_at)
        self._wake_at(wake_at)  # nothing came since the last read, or the loop would have stopped watching
        return await self._receive_into(buffer)

    async def fill(self, buffer: memoryview) -> None:
        """Read until the buffer is full. Raises ConnectionResetError at the end of the stream.

        While many bytes are missing, the kernel does not wake this process for every packet. On a slow link, waking up
        would take more of a small device's time than reading the bytes.
        """
        while buffer:
            count = await self._read(buffer, min(len(buffer), WAKE_BYTES))
            if count == 0:
                raise ConnectionResetError
            buffer = buffer[count:]

    async def _read(self, buffer: memoryview, wake_at: int) -> int:
        """Read the bytes that have come; if there are none, wait for `wake_at` bytes or the end."""
        try:
            return self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            self._wake_at(wake_at)
            return await self._receive_into(buffer)

    async def _receive_into(self, buffer: memoryview) -> int:
        """Wait until the socket is readable, then read.

        The event loop goes on watching the socket afterwards, because the next read usually begins before more bytes
        come: registering the socket again would take longer than reading a small message.
        """
        future: asyncio.Future[int] = self._loop.create_future()
        self._reader = buffer, future
        if not self._watched:
            self._loop.add_reader(self._socket, self._on_readable)
            self._watched = True
        self._waiting += 1
        try:
            return await future
        finally:
            self._reader = None
            self._end_waiting()

    def _on_readable(self) -> None:
        if self._reader is None or self._reader[1].done():  # no read is waiting: the loop would call again and again
            self._unwatch()
            return
        buffer, future = self._reader
        try:
            future.set_result(self._socket.recv_into(buffer))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            future.set_exception(error)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket)

    async def write(self, buffers: Sequence[memoryview]) -> None:
        """Write these buffers of bytes, in order, without copying them; small ones share system calls and packets."""
        left = [part for part in buffers if part.nbytes]
        self._waiting += 1
        try:
            while left := self.write_now(left):  # the kernel's buffer is full: wait until the next buffer is written
                await self._loop.sock_sendall(self._socket, left.pop(0))
        finally:
            self._end_waiting()

    def write_now(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        left = [part for part in buffers if part.nbytes]
        while left:
            try:
                sent = self._socket.sendmsg(left[:MAX_BUFFERS_PER_CALL])
            except (BlockingIOError, InterruptedError):
                break
            left = _after(left, sent)
        return left

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._waiting == 0:  # a coroutine that is still waiting would wait for the closed descriptor for ever
            self._unwatch()
            self._socket.close()

    def _end_waiting(self) -> None:
        """Close the descriptor, if `close` was called while this coroutine still used it."""
        self._waiting -= 1
        if self._closing:
            self.close()

    def _wake_at(self, count: int) -> None:
        """Set the number of bytes from which the socket is readable (SO_RCVLOWAT)."""
        if count != self._woken_at:
            self._woken_at = count
            with contextlib.suppress(OSError):  # without it we are only woken more often
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)


class TcpListener:
    """Accepts connections by TCP."""

    def __init__(self, listen: Address) -> None:
        """Listen at once; port 0 chooses a free one. Raises OSError; OverflowError, ValueError for an invalid address.

        `host_and_port` is the address of the listener, also after it is closed.
        """
        self._socket = socket.socket(listen.family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((listen.host, listen.port))
            self._socket.listen(64)
        except BaseException:
            self._socket.close()
            raise
        host, port = self._socket.getsockname()[:2]
        self.host_and_port: tuple[str, int] = str(host), int(port)

    async def accept(self) -> tuple[TcpPipe, Address]:
        """Wait for a connection; return it, and the peer's address."""
        sock, name = await asyncio.get_running_loop().sock_accept(self._socket)
        return TcpPipe(sock), Address(str(name[0]), int(name[1]))

    def close(self) -> None:
        self._socket.close()


def _after(buffers: list[memoryview], sent: int) -> list[memoryview]:
    """Return what remains of the buffers after the first `sent` bytes."""
    for index, part in enumerate(buffers):
        if sent < part.nbytes:
            return [part[sent:], *buffers[index + 1 :]]
        sent -= part.nbytes
    return []


def _notice_silence(sock: socket.socket) -> None:
    """Let the kernel end a connection, idle or not, if its host no longer answers."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_PEER_TIMEOUT_S // 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_PEER_TIMEOUT_S // 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_PEER_TIMEOUT_S * 1000)
