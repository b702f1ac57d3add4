"""Starts cameras' agents as processes of their own, so that a driver that hangs or crashes affects no other camera."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from camera_sources.fork_server.fork_messages import (
    AgentEnded,
    AgentNotStarted,
    AgentStarted,
    SignalAgent,
    StartAgent,
    decode_message,
    encode_message,
)
from shared.errors import ProtocolError
from shared.process.children import parent_death_prefix

if TYPE_CHECKING:
    from camera_sources.camera_settings import AssignedCamera
    from camera_sources.fork_server.fork_messages import ForkMessage
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

SERVER_MODULE = "camera_sources.fork_server.serving"

SERVER_ENDED = "the process that starts agents has ended"

SERVER_STOP_TIMEOUT_S = 2.0
"""The fork server ends at once when its connection is closed, unless the device is very busy."""


class AgentProcess:
    """An agent, as asyncio.subprocess.Process has it. The fork server is its parent."""

    def __init__(self, agent: int, server: _ForkServer) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._agent = agent
        self._server = server
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code; -n when signal n has ended it."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self._server.send(SignalAgent(agent=self._agent, number=signal.SIGTERM))

    def kill(self) -> None:
        self._server.send(SignalAgent(agent=self._agent, number=signal.SIGKILL))

    def end(self, code: int) -> None:
        """Store the exit code."""
        self.returncode = code
        self._ended.set()


class AgentStarter:
    """Starts agents by a fork server: it imports once what they need, and they share its memory.

    It runs from the first start until `close`, and is started again if it ends.
    """

    def __init__(self) -> None:
        self._server: _ForkServer | None = None
        self._turn = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def start(self, name: str, camera: AssignedCamera, edge: Address, token: str) -> AgentProcess:
        """Start `deepthings camera`, whose log goes to ours.

        It gets its settings, which contain the password, and the `token` with which it identifies itself in messages:
        other users can see neither. It ends when this process ends, even during its start, and gets no signals from
        the terminal. Raises OSError.
        """
        arguments = ["camera", "--settings", "-", "--name", name, "--edge", str(edge)]
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            arguments.append("-v")
        async with self._turn:
            if self._server is None or self._server.ended:
                self._server = await _ForkServer.execute()
        request = StartAgent(
            agent=next(self._numbers), arguments=tuple(arguments), token=token, settings=f"{camera.encode()}\n"
        )
        return await self._server.start_agent(request)

    async def close(self) -> None:
        """End the fork server, and with it agents that still run; the next start executes another."""
        async with self._turn:
            if self._server is not None:
                await self._server.close()
            self._server = None


class _ForkServer:
    """The process of a fork server and the connection with it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.ended = False
        self._process = process
        self._reader = reader
        self._writer = writer
        self._agents: dict[int, AgentProcess] = {}
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def execute(cls) -> _ForkServer:
        """Execute a fork server afresh: a fork of this process would have its threads' locks and its memory.

        Raises OSError.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *parent_death_prefix(), sys.executable, "-P", "-m", SERVER_MODULE, str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy would start threads when it is imported
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer)

    async def start_agent(self, request: StartAgent) -> AgentProcess:
        """Return the agent when it runs; kill it if this is cancelled before. Raises OSError."""
        agent = self._agents[request.agent] = AgentProcess(request.agent, self)
        if self.ended:
            agent.started.set_exception(ConnectionResetError(SERVER_ENDED))
        self.send(request)
        try:
            await agent.started
        except BaseException:
            agent.kill()  # after the request, so that the server knows it by then
            self._agents.pop(request.agent, None)
            raise
        return agent

    def send(self, message: ForkMessage) -> None:
        """Send a message soon; no effect when the server has ended."""
        if not self.ended:
            self._writer.write(encode_message(message))

    async def close(self) -> None:
        """Close the connection, which ends the process, and wait for it."""
        self._writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVER_STOP_TIMEOUT_S):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.gather(self._receiving, return_exceptions=True)

    async def _receive(self) -> None:
        """Receive until the server has ended; then its agents have ended, too."""
        try:
            while line := await self._reader.readline():
                self._on_message(decode_message(line))
        except (OSError, ValueError, ProtocolError) as error:
            log.error("the process that starts agents is ended: %s", error)  # noqa: TRY400  (expected when it is killed)
        self.ended = True
        self._writer.close()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        for agent in self._agents.values():
            if not agent.started.done():
                agent.started.set_exception(ConnectionResetError(SERVER_ENDED))
            agent.end(-signal.SIGKILL)
        self._agents.clear()

    def _on_message(self, message: ForkMessage) -> None:
        agent = None if isinstance(message, StartAgent) else self._agents.get(message.agent)
        if agent is None:
            return  # its start was cancelled
        match message:
            case AgentStarted(process=process):
                agent.pid = process
                agent.started.set_result(None)
            case AgentNotStarted(errno=number):
                agent.started.set_exception(OSError(number, os.strerror(number)))
            case AgentEnded(agent=number, code=code):
                del self._agents[number]
                agent.end(code)
