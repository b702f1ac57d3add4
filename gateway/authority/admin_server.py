"""Serves the socket in the folder of keys, by which commands on the same machine administer the running gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gateway.authority.admin_messages import ADMIN_SOCKET, MAX_ADMIN_LINE_BYTES, AdminRefusal
from shared.errors import DeepThingsError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from shared.payloads.base import Message

    Handler = Callable[[Any], Awaitable[Message]]

log = logging.getLogger(__name__)

ADMIN_TIMEOUT_S = 30.0
"""Time for a request of a command and its answer; the slowest requests wait for a restart of the broker."""


class AdminServer:
    """Answers commands. It needs no login: only a user who can read the keys of the cluster can open its socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handlers: dict[str, tuple[type[Message], Handler]] = {}

    def serve(self, request: type[Message], handler: Handler) -> None:
        """Answer requests of this kind with the message that `handler(request)` returns.

        The default of the field `command` identifies the kind. If `handler` raises a DeepThingsError, the command gets
        its text and exit code.
        """
        self._handlers[request.model_fields["command"].default] = request, handler

    async def run(self) -> None:
        """Serve until cancelled. If the socket cannot be opened, log that, and let the gateway do its other work."""
        try:
            with socket_path(self._folder) as path:
                _remove_socket(path)
                server = await asyncio.start_unix_server(self._serve_connection, path, limit=MAX_ADMIN_LINE_BYTES)
        except (OSError, DeepThingsError) as error:
            reason = system_reason(error) if isinstance(error, OSError) else str(error)
            log.error("commands such as 'deepthings invite' cannot reach this gateway: %s", reason)  # noqa: TRY400
            await asyncio.Event().wait()
            return
        try:
            await server.serve_forever()
        finally:
            with contextlib.suppress(OSError):
                (self._folder / ADMIN_SOCKET).unlink()

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ADMIN_TIMEOUT_S):
                answer = await self._answer(await reader.readuntil(b"\n"))
                writer.write(answer.model_dump_json().encode() + b"\n")
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            log.debug("admin socket: %r", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Message:
        try:
            kind, handler = self._handlers[json.loads(line)["command"]]
            return await handler(kind.model_validate_json(line))
        except DeepThingsError as error:
            return AdminRefusal(error=str(error), exit_code=error.exit_code)
        except (ValueError, KeyError, TypeError, ValidationError):
            return AdminRefusal(error="the running gateway is of another release; start it again")


@contextlib.contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """Yield a short path of the socket in `folder`: the path of a Unix socket must not exceed 107 bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{ADMIN_SOCKET}"
    finally:
        os.close(descriptor)


def _remove_socket(path: str) -> None:
    """Remove the socket of a gateway that was killed. Raises DeepThingsError if one answers there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except OSError:
            os.unlink(path)  # noqa: PTH108  (`path` is a str)
            return
    raise DeepThingsError("another gateway with the same state folder is running, and answers them; stop one of both")
