"""The last line that a command prints, however much it prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TAIL_BYTES = 4096
"""Kept of the output; the last line is in it, unless it is longer than anybody reads."""

MAX_LINE_LENGTH = 300
"""Characters of the last line that are shown."""

OUTPUT_TIMEOUT_S = 1.0
"""The rest of the output is there as soon as all who could write are gone; one who left the group may hold it open."""


class CommandOutput(asyncio.Protocol):
    """The end of what was written to `entrance`, a file descriptor; the transport's own methods are not for callers."""

    def __init__(self, entrance: int) -> None:
        self.entrance = entrance
        self._tail = b""
        self._ended = asyncio.Event()

    async def last_line(self) -> str:
        """The last line that is not empty, fit for a log. Call when the command has ended."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_TIMEOUT_S):
                await self._ended.wait()
        return last_line(self._tail)

    def close(self) -> None:
        """Write nothing more from here."""
        if self.entrance >= 0:
            os.close(self.entrance)
            self.entrance = -1

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the protocol's own signature)
        self._ended.set()


@contextlib.asynccontextmanager
async def command_output() -> AsyncIterator[CommandOutput]:
    """A pipe that is read from, and closed at the end."""
    way_out, way_in = os.pipe()
    output = CommandOutput(way_in)
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: output, os.fdopen(way_out, "rb", buffering=0)
        )
        try:
            yield output
        finally:
            transport.close()
    finally:
        output.close()


def last_line(text: bytes) -> str:
    """The last line with anything in it, without what cannot be printed, and no longer than MAX_LINE_LENGTH."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    shown = "".join(letter if letter.isprintable() else " " for letter in lines[-1]) if lines else ""
    return shown if len(shown) <= MAX_LINE_LENGTH else shown[: MAX_LINE_LENGTH - 1] + "…"
