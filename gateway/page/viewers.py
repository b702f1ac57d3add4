"""Sends changes to open pages, as server-sent events. While no page is open, nothing is computed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

log = logging.getLogger(__name__)

STATE_PERIOD_S = 1.0
"""Open pages get changes this often."""

MAX_VIEWERS = 32
"""Open pages at once."""

MAX_WAITING_CHUNKS = 4
"""Changes that wait for a page that does not read; then it is given up, and connects again if it lives."""

SILENCE_S = 15
"""After so many periods without a change a comment is sent, so that both sides notice a lost connection."""


class Viewers:
    """Compares the sections of the page once a second, and sends those that have changed, made once for all."""

    def __init__(self, sections: Callable[[], Mapping[str, Any]]) -> None:
        self._sections = sections
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._sent: dict[str, bytes] = {}
        self._ticking: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """Return the number of open pages."""
        return len(self._queues)

    @property
    def full(self) -> bool:
        """Return whether no further page may be opened."""
        return len(self._queues) >= MAX_VIEWERS

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield events for one page: first everything, then changes, until the page is left."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_CHUNKS)
        if not self._queues:
            self._sent = self._current()
        queue.put_nowait(_chunk(self._sent))
        self._queues.add(queue)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
        finally:
            self._queues.discard(queue)

    async def close(self) -> None:
        """End all streams."""
        for queue in list(self._queues):
            self._end(queue)
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking

    async def _tick(self) -> None:
        silent = 0
        while self._queues:
            await asyncio.sleep(STATE_PERIOD_S)
            try:
                now = self._current()
            except Exception:  # the page is not worth the gateway
                log.exception("the page could not be brought up to date")
                continue
            changed = {name: text for name, text in now.items() if text != self._sent.get(name)}
            self._sent = now
            silent = 0 if changed else silent + 1
            if changed or silent % SILENCE_S == 0:
                self._send(_chunk(changed) if changed else b": still here\n\n")

    def _current(self) -> dict[str, bytes]:
        sections = self._sections()
        return {name: json.dumps(value, separators=(",", ":")).encode() for name, value in sections.items()}

    def _send(self, chunk: bytes) -> None:
        for queue in list(self._queues):
            if queue.full():
                self._end(queue)
            else:
                queue.put_nowait(chunk)

    def _end(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)


def _chunk(sections: Mapping[str, bytes]) -> bytes:
    """Return server-sent events, one for each section; JSON has no line breaks."""
    return b"".join(b"event: " + name.encode() + b"\ndata: " + text + b"\n\n" for name, text in sections.items())
