"""The fork server: python -P -m camera_sources.fork_server.serving DESCRIPTOR

The edge starts this process, and communicates with it over a pair of sockets. The process has a single thread, and
imports nothing that starts other threads, such as onnxruntime: a forked process has only the thread that forked it, and
locks that other threads held stay locked for ever. The fork server ends when the edge has closed its socket or has
ended; its agents end with it, see `exit_with_parent`.
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

import camera_sources.command  # noqa: F401  (imports all that agents need, once for all of them)
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
"""One call receives at most this many bytes."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that this process ignores, so that only the edge ends it. When all processes of a service get a signal, the
agents can still send their last reports, because the fork server goes on running."""


RARE_SCHEMES = {"mqtt", "mqtts"}
"""Schemes of few cameras; only their agents load paho-mqtt."""


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
        """Serve until the edge has ended, then return None. In a forked process, return the request for its agent."""
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
                    request = self._handle(decode_message(line))
                    if request is not None:
                        return request

    def _handle(self, message: ForkMessage) -> StartAgent | None:
        """Handle a message of the edge. Return the request in a forked process, else None."""
        if isinstance(message, StartAgent):
            return self._fork(message)
        if isinstance(message, SignalAgent) and message.agent in self._processes:
            os.kill(self._processes[message.agent], message.number)  # it was not reaped, so its id is not used again
        return None

    def _fork(self, request: StartAgent) -> StartAgent | None:
        # A signal that comes before the agent has restored its handlers must not be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process = os.fork()
            if process == 0:
                self._become_independent()
                return request
        except OSError as error:
            self._send(AgentNotStarted(agent=request.agent, errno=error.errno or errno.EAGAIN))
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._processes[request.agent] = process
        self._send(AgentStarted(agent=request.agent, process=process))
        return None

    def _become_independent(self) -> None:
        """Separate a forked process from the server: a session of its own, no sockets, the original signal handlers."""
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
        with contextlib.suppress(ConnectionError):  # the edge has ended, which the next read of the channel shows
            self._channel.sendall(encode_message(message))


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing. While blocked, a signal that is ignored (SIG_IGN) is lost, but one with a handler is kept."""


def prepare() -> None:
    """Import the modules that all agents use, and prepare the memory that they share with this process."""
    cv2.setNumThreads(1)
    for reference in {reference for scheme, reference in BUILT_IN_SOURCES.items() if scheme not in RARE_SCHEMES}:
        importlib.import_module(reference.partition(":")[0])
    share_malloc_arena()
    release_freed_memory()  # it freezes what agents share


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
