"""Supervises the assigned cameras: runs an agent process for each, and restarts it whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from edge.cameras.agent_process import AgentStarter
from shared.errors import ConfigurationError
from shared.network.backoff import Backoff
from shared.process.children import stop_process
from shared.reasons.system_reasons import system_reason
from shared.wire.camera_headers import ControlHeader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camera_sources.camera_settings import AssignedCamera
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

_FIRST_RETRY_S, _MAX_RETRY_S = 2.0, 30.0
"""Pauses before an agent is started again. Half of a pause is random: at first 1 to 2 s, in the end 15 to 30 s."""

STEADY_AFTER_S = 60.0
"""After an agent has run for this time, the next pause is short again."""

AGENT_STOP_TIMEOUT_S = 8.0
"""An agent disconnects from its camera and its edge in less time, unless a driver hangs."""


class AgentSessions(Protocol):
    """The part of the agents' connections that the supervisor needs."""

    def set_control(self, camera: str, control: ControlHeader | None) -> None: ...

    def expect_agent(self, camera: str, token: str | None) -> None: ...


class CameraSupervisor:
    """Runs the agents of the assigned cameras, and sends them changes of their control."""

    def __init__(self, edge_address: Address, sessions: AgentSessions) -> None:
        """Prepare without starting; `edge_address`: where the agents reach this edge."""
        self._edge_address = edge_address
        self._sessions = sessions
        self._starter = AgentStarter()
        self._wanted: dict[str, AssignedCamera] = {}
        self._runners: dict[str, AgentRunner] = {}
        self._changed = asyncio.Event()
        self._closing = False

    def assign_cameras(self, cameras: Mapping[str, AssignedCamera]) -> None:
        """Set the cameras by name; agents with unchanged settings keep running."""
        if self._closing:
            return
        for name in self._wanted.keys() - cameras.keys():
            self._sessions.set_control(name, None)
            self._sessions.expect_agent(name, None)
        for name, camera in cameras.items():
            if name not in self._wanted or _control(self._wanted[name]) != _control(camera):
                self._sessions.set_control(name, _control(camera))
        self._wanted = dict(cameras)
        self._changed.set()

    def restart_camera(self, name: str) -> None:
        """Stop a camera's agent and start it at once. Raises ConfigurationError for a camera of another edge."""
        if name not in self._wanted:
            assigned = ", ".join(sorted(self._wanted)) or "none"
            raise ConfigurationError(f"camera {name} is not assigned to this edge; it has: {assigned}")
        if name in self._runners:
            self._runners[name].request_restart()

    async def run(self) -> None:
        """Supervise the agents until cancelled, then stop them all."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._start_and_stop()
        finally:
            await self._stop_agents(list(self._runners))
            await self._starter.close()

    async def close(self) -> None:
        """Stop all agents for good; call while the edge can still receive their final reports."""
        self._closing = True
        self._wanted = {}
        await self._stop_agents(list(self._runners))
        await self._starter.close()

    async def _start_and_stop(self) -> None:
        """Stop agents that are not wanted any more or have other settings, then start the missing ones."""
        wanted = dict(self._wanted)
        await self._stop_agents(
            [name for name, runner in self._runners.items()
             if name not in wanted or wanted[name].settings != runner.camera.settings]
        )  # fmt: skip
        for name, camera in wanted.items():
            if name in self._runners:
                self._runners[name].camera = camera  # for its next start
            else:
                self._runners[name] = AgentRunner(name, camera, self._edge_address, self._sessions, self._starter)
        if not wanted:
            await self._starter.close()  # an edge without cameras should not pay for its memory

    async def _stop_agents(self, names: list[str]) -> None:
        """Request all these agents to stop, then wait for each."""
        runners = {name: self._runners[name] for name in names}
        for runner in runners.values():
            runner.request_stop()
        for name, runner in runners.items():
            await runner.wait_stopped()
            if self._runners.get(name) is runner:  # only now: if this is cancelled, the end of `run` must still find it
                del self._runners[name]


class AgentRunner:
    """Runs one agent, from its construction until `request_stop`."""

    def __init__(
        self, name: str, camera: AssignedCamera, edge_address: Address, sessions: AgentSessions, starter: AgentStarter
    ) -> None:
        self.camera = camera
        self._starter = starter
        self._sessions = sessions
        self._name = name
        self._edge_address = edge_address
        self._backoff = Backoff(_FIRST_RETRY_S, _MAX_RETRY_S)
        self._restart_requested = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def request_restart(self) -> None:
        self._restart_requested.set()

    def request_stop(self) -> None:
        """Stop the agent for good. A second call does nothing: cancelling again would interrupt the stopping."""
        if not self._task.cancelling():
            self._task.cancel()

    async def wait_stopped(self) -> None:
        """Wait until the agent has ended; it is killed if it does not end in time."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._restart_requested.clear()
            begun = time.monotonic()
            succeeded = await self._run_once()
            if self._restart_requested.is_set():
                self._backoff.reset()
                continue
            if succeeded:
                log.info("camera %s: its source has ended", self._name)
                await self._restart_requested.wait()
                continue
            if time.monotonic() - begun > STEADY_AFTER_S:
                self._backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_s()):
                    await self._restart_requested.wait()

    async def _run_once(self) -> bool:
        """Run the agent until it ends or a restart is requested; return whether it ended by itself with code 0."""
        token = secrets.token_hex(16)
        self._sessions.expect_agent(self._name, token)
        try:
            process = await self._starter.start(self._name, self.camera, self._edge_address, token)
        except OSError as error:
            log.error("camera %s: its agent cannot be started: %s", self._name, system_reason(error))  # noqa: TRY400
            return False
        except Exception:  # a bug that shows with one camera must not stop the others
            log.exception("camera %s: its agent cannot be started", self._name)
            return False
        ending, restart = asyncio.create_task(process.wait()), asyncio.create_task(self._restart_requested.wait())
        try:
            await asyncio.wait([ending, restart], return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and process.returncode:
                log.warning("camera %s: its agent ended with code %s", self._name, process.returncode)
            return ending.done() and process.returncode == 0
        finally:
            restart.cancel()
            await stop_process(process, AGENT_STOP_TIMEOUT_S)
            await asyncio.gather(ending, restart, return_exceptions=True)


def _control(camera: AssignedCamera) -> ControlHeader:
    return ControlHeader(detect=camera.detect, fps=camera.fps)
