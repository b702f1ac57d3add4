"""The fork server: python -P -m camera_sources.fork_server.serving DESCRIPTOR

The edge executes it, and speaks with it over a pair of sockets. It has a single thread, and imports nothing that starts
others, such as onnxruntime: a fork has only the thread that forked it, and locks that others held stay locked for ever.
It ends when the edge has closed its socket or is gone; the agents end with it, see `exit_with_parent`.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING

import cv2

import camera_sources.command  # noqa: F401  (what all agents need is imported once, here)
from camera_sources.camera_settings import TOKEN_VARIABLE
from camera_sources.fork_server.fork_messages import (
    AgentEnded,
    AgentNotStarted,
    AgentStarted,
    ForkMessage,
    MessageBuffer,
    SignalAgent,
    StartAgent,
    decode_message,
    encode_message,
)
from camera_sources.urls.schemes import BUILT_IN_SOURCES
from shared.cli import main as run_command
from shared.process.malloc import release_freed_memory, share_malloc_arena
from shared.process.title import set_title

if TYPE_CHECKING:
    from types import FrameType

RECEIVE_BYTES = 65536

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The edge alone ends this process: a signal to all processes lets the agents take leave of it first."""


RARE_SCHEMES = {"mqtt", "mqtts"}
"""Few cameras publish their pictures; the agents of those load paho-mqtt themselves."""


class ForkServer:
    """Forks agents on request and reports their ends."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._received = MessageBuffer()
        self._processes: dict[int, int] = {}
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self._woken, self._waking = socket.socketpair()
        self._waking.setblocking(False)
        for number in (*_SIGNALS, signal.SIGCHLD):
            signal.signal(number, _ignore)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)

    def serve(self) -> StartAgent | None:
        """Serve until the edge is gone, then return None. In a forked process, return what it is to run."""
        while True:
            ready, _, _ = select.select([self._channel, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(RECEIVE_BYTES)
                self._report_ends()
            if self._channel in ready:
                data = self._channel.recv(RECEIVE_BYTES)
                if not data:
                    return None
                for line in self._received.add(data):
                    request = self._obey(decode_message(line))
                    if request is not None:
                        return request

    def _obey(self, message: ForkMessage) -> StartAgent | None:
        """Do what the edge requests; return it in a forked process only."""
        if isinstance(message, StartAgent):
            return self._fork(message)
        if isinstance(message, SignalAgent) and message.agent in self._processes:
            os.kill(self._processes[message.agent], message.number)  # not reaped yet: the ID is still its own
        return None

    def _fork(self, request: StartAgent) -> StartAgent | None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # or the agent would lose one that comes at once
        try:
            process = os.fork()
            if process == 0:
                self._leave()
                return request
        except OSError as error:
            self._send(AgentNotStarted(agent=request.agent, errno=error.errno or errno.EAGAIN))
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._processes[request.agent] = process
        self._send(AgentStarted(agent=request.agent, process=process))
        return None

    def _leave(self) -> None:
        """Make a process of its own of a fork: out of the session of the server, with signals as they were."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for each in (self._channel, self._woken, self._waking):
            each.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _report_ends(self) -> None:
        """Reap agents that have ended, and report their exit codes."""
        for agent, process in list(self._processes.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del self._processes[agent]
                self._send(AgentEnded(agent=agent, code=os.waitstatus_to_exitcode(status)))

    def _send(self, message: ForkMessage) -> None:
        with contextlib.suppress(ConnectionError):  # the edge is gone: the next look at the channel finds out
            self._channel.sendall(encode_message(message))


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing. An ignored signal would be lost in a fork; one with a handler waits until it is unblocked."""


def prepare() -> None:
    """Import and allocate what agents share."""
    cv2.setNumThreads(1)
    for reference in {reference for scheme, reference in BUILT_IN_SOURCES.items() if scheme not in RARE_SCHEMES}:
        importlib.import_module(reference.partition(":")[0])
    share_malloc_arena()
    release_freed_memory()  # it freezes objects, too: the collector would copy their pages in each agent


def become_agent(request: StartAgent, server: int) -> None:
    """Run an agent in this process, which was forked from process `server`."""
    arguments = [*request.arguments, "--parent", str(server)]
    name = request.arguments[request.arguments.index("--name") + 1]
    set_title(f"camera {name}", ["deepthings", *arguments])
    os.environ[TOKEN_VARIABLE] = request.token
    sys.argv[1:] = arguments
    sys.stdin = io.TextIOWrapper(io.BytesIO(request.settings.encode()))
    run_command()


def main() -> None:
    set_title("fork server", sys.orig_argv)
    prepare()
    server = os.getpid()
    request = ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve()
    if request is not None:
        become_agent(request, server)


if __name__ == "__main__":
    main()
