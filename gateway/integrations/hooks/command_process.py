"""Runs a command in its own process group, and keeps the end of its output, in bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import IO, TYPE_CHECKING, cast

from shared.process.children import parent_death_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_MAX_TAIL_BYTES = 4096
"""Bytes at the end of the output that are kept; they contain the last line, unless it is very long."""

MAX_LINE_LENGTH = 300
"""Characters of the last line that are shown."""

OUTPUT_TIMEOUT_S = 1.0
"""Time to wait for the end of the output after the command has ended. A process that left the group may keep the pipe
open for ever."""

_KILL_TIMEOUT_S = 2.0
"""Time to wait for a killed process. It ends within milliseconds, unless the kernel waits for a broken disk."""


class CommandProcess(asyncio.SubprocessProtocol):
    """A running command.

    `asyncio.subprocess.Process` cannot be used: its `wait` returns only when every process that inherited the pipe has
    closed it, not when the command itself has ended.
    """

    def __init__(self) -> None:
        self._transport: asyncio.SubprocessTransport | None = None
        self._exited, self._output_closed = asyncio.Event(), asyncio.Event()
        self._tail = b""
        self._killed = False

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while the command runs."""
        return None if self._transport is None else self._transport.get_returncode()

    async def wait(self, timeout_s: float) -> bool:
        """Return whether the command has ended, after at most `timeout_s`."""
        return await _is_set(self._exited, timeout_s)

    async def kill(self) -> None:
        """Kill all remaining processes of the process group, and wait for the end of the command."""
        if not self._killed:  # only once, because another process group may get the same number later
            self._killed = True
            self.send_signal(signal.SIGKILL)
        await _is_set(self._exited, _KILL_TIMEOUT_S)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group, if it still exists."""
        assert self._transport is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    async def last_line(self) -> str:
        """Return the last line of the output that is not blank, in printable characters. Call it after `kill`."""
        await _is_set(self._output_closed, OUTPUT_TIMEOUT_S)
        return last_line(self._tail)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport of a command that was started."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002  (the protocol's own signature)
        """Keep the end of the output."""
        self._tail = (self._tail + data)[-_MAX_TAIL_BYTES:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  (see above)
        """Note the end of the output."""
        self._output_closed.set()

    def process_exited(self) -> None:
        """Note the end of the command."""
        self._exited.set()


@contextlib.asynccontextmanager
async def running_command(
    command: Sequence[str], standard_input: IO[bytes], environment: Mapping[str, str]
) -> AsyncIterator[CommandProcess]:
    """Run a command as long as the context lasts; then kill all remaining processes of its group. Raises OSError."""
    starting = asyncio.create_task(
        asyncio.get_running_loop().subprocess_exec(
            CommandProcess, *parent_death_prefix(number=signal.SIGTERM), *command,
            stdin=standard_input, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment, start_new_session=True,
        )
    )  # fmt: skip
    try:
        # Shielded, because asyncio, if cancelled while it starts a command, kills the command but not its children.
        _, process = await asyncio.shield(starting)
        yield process
    finally:
        transport, process = await starting
        try:
            await process.kill()
        finally:
            transport.close()


def last_line(text: bytes) -> str:
    """Return the last line that is not blank, of at most MAX_LINE_LENGTH characters that can be printed."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    shown = "".join(letter if letter.isprintable() else " " for letter in lines[-1]) if lines else ""
    return shown if len(shown) <= MAX_LINE_LENGTH else shown[: MAX_LINE_LENGTH - 1] + "…"


async def _is_set(event: asyncio.Event, timeout_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()
