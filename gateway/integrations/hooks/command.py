"""Events as a command's standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gateway.integrations.hooks.delivery import DeliveryOutcome
from gateway.integrations.hooks.output import CommandOutput, command_output
from shared.process.children import dying_with_parent
from shared.reasons.system_reasons import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.configuration.automation import CommandHook
    from gateway.integrations.hooks.delivery import Delivery

KEPT_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a command gets of our own environment, as passwords may be in the rest."""

TERMINATION_GRACE_S = 1.0
"""From SIGTERM to SIGKILL when its time is over."""

_KILL_TIMEOUT_S = 2.0
"""What is killed is gone in milliseconds, unless the kernel itself waits for a dead disk."""


class CommandSender:
    """Runs one command for each event, without a shell, in a process group of its own that ends with it."""

    def __init__(self, hook: CommandHook) -> None:
        self.name = Path(hook.command[0]).name
        self._hook = hook

    async def send(self, delivery: Delivery) -> DeliveryOutcome:
        """Run it to its end, or to the end of its time; whatever it left running ends with it."""
        variables = _environment(delivery)
        program = shutil.which(self._hook.command[0], path=variables["PATH"])
        if program is None:
            return DeliveryOutcome(failure="the command is not there, or may not be run; give its full path")
        with _standard_input(delivery.body) as event:
            async with command_output() as output:
                try:
                    process = await asyncio.create_subprocess_exec(
                        *dying_with_parent(number=signal.SIGTERM), program, *self._hook.command[1:],
                        stdin=event, stdout=output.entrance, stderr=output.entrance, env=variables,
                        start_new_session=True,
                    )  # fmt: skip
                except OSError as error:
                    return DeliveryOutcome(failure=f"the command cannot be started: {reason(error)}")
                return await self._finish(process, output)

    async def _finish(self, process: asyncio.subprocess.Process, output: CommandOutput) -> DeliveryOutcome:
        in_time = False
        try:
            async with asyncio.timeout(self._hook.timeout):
                await process.wait()
            in_time = True
        except TimeoutError:
            _signal(process, signal.SIGTERM)
            await _gone(process, TERMINATION_GRACE_S)
        finally:
            _signal(process, signal.SIGKILL)
            await _gone(process, _KILL_TIMEOUT_S)
        said = await output.last_line()
        if not in_time:
            return DeliveryOutcome(failure=_with(f"not finished within {self._hook.timeout:g} s, ended", said))
        if process.returncode:
            return DeliveryOutcome(failure=_with(_ending(process.returncode), said))
        return DeliveryOutcome(said=said)


def _environment(delivery: Delivery) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    told = {
        "DEEPTHINGS_EVENT": delivery.kind,
        "DEEPTHINGS_CAMERA": delivery.camera,
        "DEEPTHINGS_LABEL": delivery.label,
    }
    if delivery.trigger:
        told["DEEPTHINGS_TRIGGER"] = delivery.trigger
    return {"PATH": os.defpath} | kept | told


@contextlib.contextmanager
def _standard_input(body: bytes) -> Iterator[IO[bytes]]:
    """A file without a name, in memory, as a card may be full: a command may read it or not, at its own pace."""
    with open(os.memfd_create("delivery"), "w+b") as file:  # noqa: PTH123  (it has no path)
        file.write(body)
        file.seek(0)
        yield file


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the whole group; one that is empty is left alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def _gone(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await process.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"


def _with(reason: str, said: str) -> str:
    return f"{reason}: {said}" if said else reason
