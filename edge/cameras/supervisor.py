"""The cameras that an edge looks after: an agent process for each, started again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from edge.cameras.process import start_agent
from shared.errors import ConfigurationError
from shared.network.backoff import Backoff
from shared.process.children import stop_process
from shared.reasons.system_reasons import reason
from shared.wire.headers import ControlHeader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camera_sources.camera_settings import AssignedCamera
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0
"""Half of a pause is random: an agent that ends is started again after 1 to 2 s first, 15 to 30 s in the end."""

STEADY_S = 60.0
"""An agent that has lived for so long did not end at its start: the next pause is a short one again."""

STOP_TIMEOUT_S = 8.0
"""An agent says goodbye to its camera and its edge in less, unless a driver hangs."""


class Sessions(Protocol):
    """What the supervisor needs of the connections of agents."""

    def control(self, camera: str, control: ControlHeader | None) -> None: ...

    def expect(self, camera: str, token: str | None) -> None: ...


class CameraSupervisor:
    """Keeps the agents running that the assignment wants, and tells them of changes."""

    def __init__(self, edge_address: Address, sessions: Sessions) -> None:
        """`edge_address` is where the agents find this edge."""
        self._edge_address = edge_address
        self._sessions = sessions
        self._wanted: dict[str, AssignedCamera] = {}
        self._keepers: dict[str, Keeper] = {}
        self._changed = asyncio.Event()
        self._closing = False

    def assign(self, cameras: Mapping[str, AssignedCamera]) -> None:
        """From now on these, by name; the agents of those that have not changed run on."""
        if self._closing:
            return
        for name in self._wanted.keys() - cameras.keys():
            self._sessions.control(name, None)
            self._sessions.expect(name, None)
        for name, camera in cameras.items():
            if name not in self._wanted or _control(self._wanted[name]) != _control(camera):
                self._sessions.control(name, _control(camera))
        self._wanted = dict(cameras)
        self._changed.set()

    def restart(self, name: str) -> None:
        """End a camera's agent and start it at once. Raises ConfigurationError for a camera that is not here."""
        if name not in self._wanted:
            here = ", ".join(sorted(self._wanted)) or "none"
            raise ConfigurationError(f"camera {name} is not looked after by this edge; it has: {here}")
        if name in self._keepers:
            self._keepers[name].restart()

    async def run(self) -> None:
        """Look after them until cancelled; then all agents are stopped."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._adjust()
        finally:
            await self._stop(list(self._keepers))

    async def close(self) -> None:
        """Stop all agents for good, while what they say at their end is still heard."""
        self._closing = True
        self._wanted = {}
        await self._stop(list(self._keepers))

    async def _adjust(self) -> None:
        """Stop what is not wanted so any more, then start what is missing."""
        wanted = dict(self._wanted)
        await self._stop(
            [name for name, keeper in self._keepers.items()
             if name not in wanted or wanted[name].settings != keeper.camera.settings]
        )  # fmt: skip
        for name, camera in wanted.items():
            if name in self._keepers:
                self._keepers[name].camera = camera  # should it be started again
            else:
                self._keepers[name] = Keeper(name, camera, self._edge_address, self._sessions)

    async def _stop(self, names: list[str]) -> None:
        """All at once; they are told to end before anything is waited for."""
        keepers = {name: self._keepers[name] for name in names}
        for keeper in keepers.values():
            keeper.end()
        for name, keeper in keepers.items():
            await keeper.ended()
            if self._keepers.get(name) is keeper:  # not before: what is cancelled here is left to the end of `run`
                del self._keepers[name]


class Keeper:
    """Keeps one agent running, from its making until `end`."""

    def __init__(self, name: str, camera: AssignedCamera, edge_address: Address, sessions: Sessions) -> None:
        self.camera = camera
        self._sessions = sessions
        self._name = name
        self._edge_address = edge_address
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._again = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def restart(self) -> None:
        self._again.set()

    def end(self) -> None:
        """Have the agent end, for good. A second time changes nothing: it would keep the agent from being stopped."""
        if not self._task.cancelling():
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until it has ended; one that does not listen is killed."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._again.clear()
            begun = time.monotonic()
            ended_well = await self._live()
            if self._again.is_set():
                self._backoff.reset()
                continue
            if ended_well:
                log.info("camera %s has come to its end", self._name)
                await self._again.wait()
                continue
            if time.monotonic() - begun > STEADY_S:
                self._backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_s()):
                    await self._again.wait()

    async def _live(self) -> bool:
        """One life of the agent; whether it ended by itself and well. A restart, or being cancelled, ends it."""
        token = secrets.token_hex(16)
        self._sessions.expect(self._name, token)
        try:
            process = await start_agent(self._name, self.camera, self._edge_address, token)
        except OSError as error:
            log.error("camera %s: its agent cannot be started: %s", self._name, reason(error))  # noqa: TRY400
            return False
        except Exception:  # a mistake of ours with one camera must not end the others
            log.exception("camera %s: its agent cannot be started", self._name)
            return False
        ending, again = asyncio.create_task(process.wait()), asyncio.create_task(self._again.wait())
        try:
            await asyncio.wait([ending, again], return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and process.returncode:
                log.warning("camera %s: its agent ended with code %s", self._name, process.returncode)
            return ending.done() and process.returncode == 0
        finally:
            again.cancel()
            await stop_process(process, STOP_TIMEOUT_S)
            await asyncio.gather(ending, again, return_exceptions=True)


def _control(camera: AssignedCamera) -> ControlHeader:
    return ControlHeader(detect=camera.detect, fps=camera.fps)
