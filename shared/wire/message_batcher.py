"""Sends small messages by one connection, several at once: each sending wakes both processes, whatever is in it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from shared.wire.connection import Connection
    from shared.wire.header import Header


class MessageBatcher:
    """Sends messages without payload in order. Errors close the connection, which whoever receives from it notices."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsent: list[Header] = []
        self._sender: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of messages that wait."""
        return len(self._unsent)

    def send_soon(self, header: Header) -> None:
        """Send a message, together with others of the same turn of the loop, and with those that wait."""
        self._unsent.append(header)
        self._begin_sending()

    def send_within(self, header: Header, seconds: float) -> None:
        """Send a message together with the next one, at the latest after this time."""
        self._unsent.append(header)
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(seconds, self._begin_sending)

    async def wait_sent(self, timeout_s: float | None = None) -> None:
        """Send all messages now; wait until they are sent, at most `timeout_s`."""
        self._begin_sending()
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=timeout_s)

    def close(self) -> None:
        """Send nothing more."""
        self._cancel_timer()
        self._unsent.clear()
        if self._sender is not None:
            self._sender.cancel()

    def _begin_sending(self) -> None:
        self._cancel_timer()
        if self._unsent and (self._sender is None or self._sender.done()):
            self._sender = asyncio.create_task(self._send())

    def _cancel_timer(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def _send(self) -> None:
        with contextlib.suppress(DeepThingsError):
            while self._unsent:
                headers, self._unsent = self._unsent, []
                await self._connection.send_together(headers)
