"""Sends changes to open pages as server-sent events. While no page is open, nothing is computed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

log = logging.getLogger(__name__)

STATE_PERIOD_S = 1.0
"""Changes are sent to open pages this often."""

MAX_VIEWERS = 32
"""Pages that are open at the same time."""

MAX_WAITING_CHUNKS = 4
"""Changes that wait for a page that does not read them. With more, its stream ends; a live page connects again."""

SILENT_PERIODS = 15
"""After this many periods without a change a comment is sent, so that both sides notice a lost connection."""


class Viewers:
    """Compares the sections of the page once a second, and sends the changed ones, which are encoded only once."""

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
        """Return whether MAX_VIEWERS pages are open."""
        return len(self._queues) >= MAX_VIEWERS

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the events for one page: first all sections, then changes, until the page is closed."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_CHUNKS)
        if not self._queues:
            self._sent = self._current()
        queue.put_nowait(_chunk(self._sent))
        self._queues.add(queue)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._send_changes())
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

    async def _send_changes(self) -> None:
        silent = 0
        while self._queues:
            await asyncio.sleep(STATE_PERIOD_S)
            try:
                now = self._current()
            except Exception:  # an error of the page must not end the gateway
                log.exception("the page could not be brought up to date")
                continue
            changed = {name: text for name, text in now.items() if text != self._sent.get(name)}
            self._sent = now
            silent = 0 if changed else silent + 1
            if changed or silent % SILENT_PERIODS == 0:
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
    """Return server-sent events, one for each section. Their JSON contains no line breaks, which would end an event."""
    return b"".join(b"event: " + name.encode() + b"\ndata: " + text + b"\n\n" for name, text in sections.items())
