"""A queue of received messages that wait for their handlers; it ends with the connection."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Bound of all waiting payloads: a thousand messages of the largest size would fill the memory of a small device."""


class Arrivals(Generic[T]):
    """A bounded queue with one reader; after `close` it gives what it has, then raises the error of `close`."""

    def __init__(self, maxsize: int) -> None:
        self._limit = maxsize
        self._waiting: deque[T] = deque()
        self._bytes = 0
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: T) -> None:
        """Add a message. Raises asyncio.QueueFull."""
        size = _size(message)
        if len(self._waiting) >= self._limit or (self._waiting and self._bytes + size > MAX_WAITING_BYTES):
            raise asyncio.QueueFull
        self._waiting.append(message)
        self._bytes += size
        self._wake()

    def close(self, error: Exception) -> None:
        """End the queue: the reader gets the remaining messages, then `error` is raised for it."""
        self._error = self._error or error
        self._wake()

    async def get(self) -> T:
        """Return the next message. Raises the error of `close`."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        message = self._waiting.popleft()
        self._bytes -= _size(message)
        return message

    def qsize(self) -> int:
        """Return the number of waiting messages."""
        return len(self._waiting)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _size(message: object) -> int:
    """Return the bytes of a message's payload."""
    payload = getattr(message, "payload", None)
    return len(payload) if isinstance(payload, bytes) else 0
