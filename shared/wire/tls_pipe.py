"""A pipe through TLS over another pipe."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from shared.wire.pipe import WAKE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.wire.pipe import Pipe

ENCRYPTED_AT_ONCE = 256 * 1024
"""Bytes that are encrypted before they are sent: sixteen records, which fit into the kernel's buffer."""

RECEIVED_AT_ONCE = 64 * 1024
"""Bytes that are read before they are decrypted: as many as wake a reader; each connection keeps a buffer of them."""

MAX_HANDSHAKE_BYTES = 64 * 1024
"""Received before the peer has shown its certificate: a handshake with certificates of ours takes three thousand."""

JOINED_BYTES = 16 * 1024
"""Up to a record, parts of a message are joined: every record costs both sides as much as some thousand bytes."""

_NOTHING = memoryview(b"")


class TlsPipe:
    """Encrypts what goes through another pipe."""

    def __init__(self, pipe: Pipe, context: ssl.SSLContext, *, server: bool, received: bytes = b"") -> None:
        """`received` was read from the pipe already."""
        self._pipe = pipe
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(received)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._received = memoryview(bytearray(RECEIVED_AT_ONCE))
        self._unsent: list[memoryview] = []
        self._sending = False

    async def handshake(self) -> None:
        """Agree on keys; needed once, before everything else. Raises OSError, of TLS as ssl.SSLError."""
        count = 0
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if count > MAX_HANDSHAKE_BYTES:  # only now: a message may have come right behind the handshake
                    raise ConnectionResetError from None
                await self._send_encrypted()
                read = await self._receive_encrypted(1)
                count += read
                if not read:
                    raise ConnectionResetError from None
            except ssl.SSLError:
                self._flush()  # the alert, which tells the peer why
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
                    pass  # a part of a record
                except ssl.SSLZeroReturnError:
                    return 0
                self._flush()  # an answer that the peer's TLS wants
            if not await self._receive_encrypted(wake_at):
                return 0

    async def fill(self, buffer: memoryview) -> None:
        while buffer:
            # Encrypted bytes are more than plain ones, so that at least this many more are on their way.
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
        return left or [_NOTHING]  # `write` sends what is encrypted already

    def finish(self) -> None:
        # Without the alert of TLS that nothing follows: messages have lengths, so that one that is cut off is noticed.
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
        """Send what is encrypted, as far as that is possible without waiting; return whether nothing is left."""
        if self._sending:
            return False
        if self._outgoing.pending:
            self._unsent.append(memoryview(self._outgoing.read()))
        self._unsent = self._pipe.write_now(self._unsent)
        return not self._unsent

    async def _send_encrypted(self) -> None:
        """Send all that is encrypted."""
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
