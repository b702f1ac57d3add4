"""The cameras that an edge looks after: an agent process for each, started again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from edge.cameras.agent_process import start_agent
from shared.errors import ConfigurationError
from shared.network.backoff import Backoff
from shared.process.children import stop_process
from shared.reasons.system_reasons import reason
from shared.wire.headers import Control

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camera_sources.camera_settings import AssignedCamera
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

_RETRY_FIRST_S, _RETRY_MAX_S = 2.0, 30.0
"""Half of a pause is random: an agent that ends is started again after 1 to 2 s first, 15 to 30 s in the end."""

STEADY_AFTER_S = 60.0
"""An agent that has lived for so long did not end at its start: the next pause is a short one again."""

AGENT_STOP_TIMEOUT_S = 8.0
"""An agent says goodbye to its camera and its edge in less, unless a driver hangs."""


class AgentSessions(Protocol):
    """What the supervisor needs of the connections of agents."""

    def set_control(self, camera: str, control: Control | None) -> None: ...

    def expect_agent(self, camera: str, token: str | None) -> None: ...


class CameraSupervisor:
    """Keeps the agents running that the assignment wants, and tells them of changes."""

    def __init__(self, edge_address: Address, sessions: AgentSessions) -> None:
        """`edge_address` is where the agents find this edge."""
        self._edge_address = edge_address
        self._sessions = sessions
        self._wanted: dict[str, AssignedCamera] = {}
        self._runners: dict[str, AgentRunner] = {}
        self._changed = asyncio.Event()
        self._closing = False

    def assign_cameras(self, cameras: Mapping[str, AssignedCamera]) -> None:
        """From now on these, by name; the agents of those that have not changed run on."""
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
        """End a camera's agent and start it at once. Raises ConfigurationError for a camera that is not here."""
        if name not in self._wanted:
            here = ", ".join(sorted(self._wanted)) or "none"
            raise ConfigurationError(f"camera {name} is not looked after by this edge; it has: {here}")
        if name in self._runners:
            self._runners[name].request_restart()

    async def run(self) -> None:
        """Look after them until cancelled; then all agents are stopped."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._start_and_stop()
        finally:
            await self._stop_agents(list(self._runners))

    async def close(self) -> None:
        """Stop all agents for good, while what they say at their end is still heard."""
        self._closing = True
        self._wanted = {}
        await self._stop_agents(list(self._runners))

    async def _start_and_stop(self) -> None:
        """Stop what is not wanted so any more, then start what is missing."""
        wanted = dict(self._wanted)
        await self._stop_agents(
            [name for name, keeper in self._runners.items()
             if name not in wanted or wanted[name].settings != keeper.camera.settings]
        )  # fmt: skip
        for name, camera in wanted.items():
            if name in self._runners:
                self._runners[name].camera = camera  # should it be started again
            else:
                self._runners[name] = AgentRunner(name, camera, self._edge_address, self._sessions)

    async def _stop_agents(self, names: list[str]) -> None:
        """All at once; they are told to end before anything is waited for."""
        keepers = {name: self._runners[name] for name in names}
        for keeper in keepers.values():
            keeper.request_stop()
        for name, keeper in keepers.items():
            await keeper.wait_stopped()
            if self._runners.get(name) is keeper:  # not before: what is cancelled here is left to the end of `run`
                del self._runners[name]


class AgentRunner:
    """Keeps one agent running, from its making until `end`."""

    def __init__(self, name: str, camera: AssignedCamera, edge_address: Address, sessions: AgentSessions) -> None:
        self.camera = camera
        self._sessions = sessions
        self._name = name
        self._edge_address = edge_address
        self._backoff = Backoff(_RETRY_FIRST_S, _RETRY_MAX_S)
        self._restart_requested = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def request_restart(self) -> None:
        self._restart_requested.set()

    def request_stop(self) -> None:
        """Have the agent end, for good. A second time changes nothing: it would keep the agent from being stopped."""
        if not self._task.cancelling():
            self._task.cancel()

    async def wait_stopped(self) -> None:
        """Wait until it has ended; one that does not listen is killed."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._restart_requested.clear()
            begun = time.monotonic()
            ended_well = await self._run_once()
            if self._restart_requested.is_set():
                self._backoff.reset()
                continue
            if ended_well:
                log.info("camera %s has come to its end", self._name)
                await self._restart_requested.wait()
                continue
            if time.monotonic() - begun > STEADY_AFTER_S:
                self._backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_s()):
                    await self._restart_requested.wait()

    async def _run_once(self) -> bool:
        """One life of the agent; whether it ended by itself and well. A restart, or being cancelled, ends it."""
        token = secrets.token_hex(16)
        self._sessions.expect_agent(self._name, token)
        try:
            process = await start_agent(self._name, self.camera, self._edge_address, token)
        except OSError as error:
            log.error("camera %s: its agent cannot be started: %s", self._name, reason(error))  # noqa: TRY400
            return False
        except Exception:  # a mistake of ours with one camera must not end the others
            log.exception("camera %s: its agent cannot be started", self._name)
            return False
        ending, again = asyncio.create_task(process.wait()), asyncio.create_task(self._restart_requested.wait())
        try:
            await asyncio.wait([ending, again], return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and process.returncode:
                log.warning("camera %s: its agent ended with code %s", self._name, process.returncode)
            return ending.done() and process.returncode == 0
        finally:
            again.cancel()
            await stop_process(process, AGENT_STOP_TIMEOUT_S)
            await asyncio.gather(ending, again, return_exceptions=True)


def _control(camera: AssignedCamera) -> Control:
    return Control(detect=camera.detect, fps=camera.fps)
