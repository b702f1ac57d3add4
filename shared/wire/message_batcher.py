"""Sends small messages by one connection, several at once, because each sending wakes up both processes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from shared.wire.connection import Connection
    from shared.wire.header import Header


class MessageBatcher:
    """Sends messages without payload, in order. An error closes the connection; its receiver notices that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsent: list[Header] = []
        self._sender: asyncio.Task[None] | None = None
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of messages that wait."""
        return len(self._unsent)

    def send_soon(self, header: Header) -> None:
        """Send a message together with those that wait, and with others of the same turn of the event loop."""
        self._unsent.append(header)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._begin_sending)

    def send_within(self, header: Header, seconds: float) -> None:
        """Send a message together with the next one, but at the latest after `seconds`."""
        self._unsent.append(header)
        if self._soon is None and self._later is None:
            self._later = asyncio.get_running_loop().call_later(seconds, self._begin_sending)

    async def wait_sent(self, timeout_s: float | None = None) -> None:
        """Send all messages now; wait until they are sent, at most `timeout_s`."""
        self._begin_sending()
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=timeout_s)

    def close(self) -> None:
        """Drop all messages that wait, and stop sending."""
        self._cancel_timers()
        self._unsent.clear()
        if self._sender is not None:
            self._sender.cancel()

    def _begin_sending(self) -> None:
        """Send the messages that wait, without a task if possible: a task would take as long as the sending."""
        self._cancel_timers()
        if not self._unsent or self._sender is not None:
            return
        with contextlib.suppress(DeepThingsError):
            headers, self._unsent = self._unsent, []
            if not self._connection.send_now(headers):
                self._unsent = headers
                self._sender = asyncio.create_task(self._send())

    def _cancel_timers(self) -> None:
        for timer in (self._soon, self._later):
            if timer is not None:
                timer.cancel()
        self._soon = self._later = None

    async def _send(self) -> None:
        try:
            with contextlib.suppress(DeepThingsError):
                while self._unsent:
                    headers, self._unsent = self._unsent, []
                    await self._connection.send_together(headers)
        finally:
            self._sender = None
