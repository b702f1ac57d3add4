"""The processes of a cluster on this machine: start, supervision, stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError, DeepThingsError
from shared.process.children import parent_death_prefix, stop_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.network.addresses import Address

CHILD_STOP_TIMEOUT_S = 10.0
"""Time for a child to stop cleanly; then it is killed."""


class ChildError(DeepThingsError):
    """A process of the cluster failed; the message is the last line of its log."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """One process and its log file."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def wait(self) -> None:
        """Wait until it has ended. Raises ChildError if it failed."""
        code = await self.process.wait()
        if code:
            raise ChildError(self._last_line(), code if code == ConfigurationError.exit_code else 1)

    def _last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
        last = errors[-1] if errors else lines[-1] if lines else "its log is empty"
        return f"{self.name} ended: {last}"


class LocalCluster:
    """The child processes of one cluster; the end of the context stops them all."""

    def __init__(self, broker: Address, logs: Path) -> None:
        self.broker = broker
        self._logs = logs
        self._children: list[ChildProcess] = []

    async def __aenter__(self) -> LocalCluster:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all children. The first one, which has the broker, is last: the others publish their end there."""
        await asyncio.gather(*(self.stop(child) for child in self._children[1:]))
        await asyncio.gather(*(self.stop(child) for child in self._children[:1]))

    async def start(self, name: str, *arguments: str, host: Sequence[str] = ()) -> ChildProcess:
        """Start `deepthings ARGUMENTS...`; its output goes to a log file with its name.

        `host` is put before the command: "ip netns exec NAME" runs it as another host.
        """
        log = self._logs / f"{name}.log"
        script = str(Path(sysconfig.get_path("scripts")) / "deepthings")
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *host, *parent_death_prefix(number=signal.SIGTERM), script, *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "XDG_STATE_HOME": str(self._logs / "state")},
            )  # fmt: skip
        child = ChildProcess(name, process, log)
        self._children.append(child)
        return child

    async def stop(self, child: ChildProcess) -> None:
        """Stop one child."""
        await stop_process(child.process, CHILD_STOP_TIMEOUT_S)

    async def until(
        self, condition: asyncio.Event, children: Sequence[ChildProcess], what: str, timeout_s: float | None
    ) -> None:
        """Wait for `condition`. Raises ChildError when a child ends before it, and at the timeout.

        `what` names the awaited event in messages.
        """
        waiting = asyncio.create_task(condition.wait())
        endings = {asyncio.create_task(child.wait()): child for child in children}
        try:
            done, _ = await asyncio.wait([waiting, *endings], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if waiting in done:
                return
            for ending, child in endings.items():
                if ending in done:
                    ending.result()
                    raise ChildError(f"{child.name} ended before {what}; see its log in {self._logs}", 1)
            raise ChildError(f"{what} did not come within {timeout_s:.0f} s; see the logs in {self._logs}", 1)
        finally:
            for task in (waiting, *endings):
                task.cancel()
            await asyncio.gather(waiting, *endings, return_exceptions=True)
