"""A pipe that encrypts the bytes of another pipe with TLS."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from shared.wire.pipe import WAKE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.wire.pipe import Pipe

ENCRYPTED_AT_ONCE = 256 * 1024
"""Bytes that are encrypted before they are sent: sixteen TLS records, which fit into the kernel's buffer."""

RECEIVED_AT_ONCE = 64 * 1024
"""Bytes that are read before they are decrypted, as many as WAKE_BYTES; each connection has a buffer of this size."""

MAX_HANDSHAKE_BYTES = 64 * 1024
"""Bytes that are received before the peer has shown its certificate; a handshake of members takes three thousand."""

JOINED_BYTES = 16 * 1024
"""Messages up to this size, that of a TLS record, are joined into one buffer, because every additional record takes
both sides as long as some thousand bytes."""

_NOTHING = memoryview(b"")


class TlsPipe:
    """Encrypts what goes through another pipe."""

    def __init__(self, pipe: Pipe, context: ssl.SSLContext, *, server: bool, received: bytes = b"") -> None:
        """`received` are bytes that were read from the pipe already."""
        self._pipe = pipe
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(received)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._received = memoryview(bytearray(RECEIVED_AT_ONCE))
        self._unsent: list[memoryview] = []
        self._sending = False

    async def handshake(self) -> None:
        """Do the TLS handshake, before all other calls. Raises OSError, and ssl.SSLError for errors of TLS."""
        count = 0
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if count > MAX_HANDSHAKE_BYTES:  # checked here, as the last bytes may include a message behind it
                    raise ConnectionResetError from None
                await self._send_encrypted()
                read = await self._receive_encrypted(1)
                count += read
                if not read:
                    raise ConnectionResetError from None
            except ssl.SSLError:
                self._flush()  # sends the alert with the reason
                raise
            else:
                await self._send_encrypted()
                return

    @property
    def certificate(self) -> bytes | None:
        """Return the peer's certificate in DER; None when it has shown none."""
        return self._tls.getpeercert(binary_form=True)

    async def read_some(self, buffer: memoryview, wake_at: int = 1) -> int:
        while True:
            if self._incoming.pending or self._tls.pending():
                try:
                    return int(self._tls.read(len(buffer), buffer))
                except ssl.SSLWantReadError:
                    pass  # the record is incomplete
                except ssl.SSLZeroReturnError:
                    return 0
                self._flush()  # TLS may have to answer the peer, for example to update keys
            if not await self._receive_encrypted(wake_at):
                return 0

    async def fill(self, buffer: memoryview) -> None:
        while buffer:
            # Encryption adds bytes, so at least this many more are to come.
            missing = len(buffer) - self._incoming.pending - self._tls.pending()
            count = await self.read_some(buffer, max(1, min(missing, WAKE_BYTES)))
            if count == 0:
                raise ConnectionResetError
            buffer = buffer[count:]

    async def write(self, buffers: Sequence[memoryview]) -> None:
        left = list(buffers)
        while True:
            await self._send_encrypted()
            left = self.write_now(left)
            if not left:
                return

    def write_now(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        left = [part for part in buffers if part.nbytes]
        if sum(part.nbytes for part in left) <= JOINED_BYTES and len(left) > 1:
            left = [memoryview(b"".join(left))]
        while self._flush():
            if not left:
                return []
            left = self._encrypt(left)
        return left or [_NOTHING]  # not empty, so that the caller calls `write`, which sends the encrypted bytes

    def finish(self) -> None:
        # TLS's closing alert is not sent: messages have lengths, so the peer notices one that is cut off.
        with contextlib.suppress(OSError):
            self._flush()
        self._pipe.finish()

    def close(self) -> None:
        self._pipe.close()

    def _encrypt(self, buffers: list[memoryview]) -> list[memoryview]:
        """Encrypt some of the buffers; return the rest."""
        while buffers and self._outgoing.pending < ENCRYPTED_AT_ONCE:
            part = buffers[0][:ENCRYPTED_AT_ONCE]
            written = self._tls.write(part)
            rest = buffers[0][written:]
            buffers = [rest, *buffers[1:]] if rest else buffers[1:]
        return buffers

    def _flush(self) -> bool:
        """Send as many encrypted bytes as possible without waiting; return whether all are sent."""
        if self._sending:
            return False
        if self._outgoing.pending:
            self._unsent.append(memoryview(self._outgoing.read()))
        self._unsent = self._pipe.write_now(self._unsent)
        return not self._unsent

    async def _send_encrypted(self) -> None:
        """Send all encrypted bytes, unless another call is doing so."""
        while not self._flush() and not self._sending:
            unsent, self._unsent = self._unsent, []
            self._sending = True
            try:
                await self._pipe.write(unsent)
            finally:
                self._sending = False

    async def _receive_encrypted(self, wake_at: int) -> int:
        """Wait for encrypted bytes; return their number, 0 at the end."""
        count = await self._pipe.read_some(self._received, wake_at)
        self._incoming.write(self._received[:count])
        return count
