"""A pipe through TLS 1.3 over another pipe: for measuring, what the data plane would cost encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.wire.pipe import Pipe

ENCRYPTED_AT_ONCE = 256 * 1024
"""Bytes that are encrypted before they are sent: sixteen records, which fit into the kernel's buffer."""


def tls_context(certificate: Path, *, server: bool) -> ssl.SSLContext:
    """Return a context for one side; `certificate` is a file with a certificate and its key, which both sides use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        context.load_cert_chain(certificate)
    else:
        context.check_hostname = False
        context.load_verify_locations(certificate)
    return context


class TlsPipe:
    """Encrypts what goes through another pipe."""

    def __init__(self, pipe: Pipe, context: ssl.SSLContext, *, server: bool) -> None:
        self._pipe = pipe
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._received = memoryview(bytearray(ENCRYPTED_AT_ONCE))
        self._sending = asyncio.Lock()

    async def handshake(self) -> None:
        """Agree on keys; needed once, before everything else. Raises OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send_encrypted()
                if not await self._receive_encrypted():
                    raise ConnectionResetError from None
            else:
                await self._send_encrypted()
                return

    async def read_some(self, buffer: memoryview) -> int:
        while True:
            try:
                return int(self._tls.read(len(buffer), buffer))
            except ssl.SSLWantReadError:
                if not await self._receive_encrypted():
                    return 0
            except ssl.SSLZeroReturnError:
                return 0

    async def fill(self, buffer: memoryview) -> None:
        while buffer:
            count = await self.read_some(buffer)
            if count == 0:
                raise ConnectionResetError
            buffer = buffer[count:]

    async def write(self, buffers: Sequence[memoryview]) -> None:
        for part in buffers:
            left = part
            while left:
                left = left[self._tls.write(left[:ENCRYPTED_AT_ONCE]) :]
                if self._outgoing.pending >= ENCRYPTED_AT_ONCE:
                    await self._send_encrypted()
        await self._send_encrypted()

    def write_now(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        if self._sending.locked() or sum(part.nbytes for part in buffers) > ENCRYPTED_AT_ONCE:
            return list(buffers)
        for part in filter(None, buffers):
            self._tls.write(part)
        left = self._pipe.write_now([memoryview(self._outgoing.read())])
        self._outgoing.write(b"".join(left))
        return [memoryview(b"")] if self._outgoing.pending else []  # `write` sends what is encrypted already

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # it wants the peer's answer, which comes later
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._pipe.write_now([memoryview(self._outgoing.read())])
        self._pipe.finish()

    def close(self) -> None:
        self._pipe.close()

    async def _send_encrypted(self) -> None:
        async with self._sending:
            if self._outgoing.pending:
                await self._pipe.write([memoryview(self._outgoing.read())])

    async def _receive_encrypted(self) -> bool:
        """Wait for encrypted bytes; return whether there are any before the end."""
        count = await self._pipe.read_some(self._received)
        self._incoming.write(self._received[:count])
        return count > 0
