"""Delivers events to a command, as JSON on its standard input."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gateway.integrations.hooks.command_process import running_command
from gateway.integrations.hooks.delivery import DeliveryOutcome
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.configuration.automation import CommandHookSection
    from gateway.integrations.hooks.command_process import CommandProcess
    from gateway.integrations.hooks.delivery import Delivery

KEPT_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""The variables of the gateway's environment that a command gets; the others may contain passwords."""

TERMINATION_GRACE_S = 1.0
"""Time between SIGTERM, which is sent at the timeout, and SIGKILL."""


class CommandSender:
    """Runs one command for each event, without a shell, in its own process group, which ends with the command."""

    def __init__(self, hook: CommandHookSection) -> None:
        self.name = Path(hook.command[0]).name
        self._hook = hook

    async def send(self, delivery: Delivery) -> DeliveryOutcome:
        """Run the command until it ends, or until its timeout; then kill every process that it left running."""
        variables = _environment(delivery)
        program = shutil.which(self._hook.command[0], path=variables["PATH"])
        if program is None:
            return DeliveryOutcome(failure="the command was not found, or is not executable; give its full path")
        try:
            with _standard_input(delivery.body) as event:
                async with running_command((program, *self._hook.command[1:]), event, variables) as process:
                    return await self._outcome(process)
        except OSError as error:
            return DeliveryOutcome(failure=f"the command cannot be started: {system_reason(error)}")

    async def _outcome(self, process: CommandProcess) -> DeliveryOutcome:
        in_time = await process.wait(self._hook.timeout)
        if not in_time:
            process.send_signal(signal.SIGTERM)
            await process.wait(TERMINATION_GRACE_S)
        await process.kill()
        output = await process.last_line()
        if not in_time:
            return DeliveryOutcome(failure=_with_output(f"not finished within {self._hook.timeout:g} s, ended", output))
        if process.exit_code:
            return DeliveryOutcome(failure=_with_output(_exit_reason(process.exit_code), output))
        return DeliveryOutcome(output=output)


def _environment(delivery: Delivery) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    described = {
        "DEEPTHINGS_EVENT": delivery.kind,
        "DEEPTHINGS_CAMERA": delivery.camera,
        "DEEPTHINGS_LABEL": delivery.label,
    }
    if delivery.trigger:
        described["DEEPTHINGS_TRIGGER"] = delivery.trigger
    return {"PATH": os.defpath} | kept | described


@contextlib.contextmanager
def _standard_input(body: bytes) -> Iterator[IO[bytes]]:
    """Provide a file with the body, in memory, as an SD card may be full. A command may read it, or ignore it."""
    with open(os.memfd_create("delivery"), "w+b") as file:  # noqa: PTH123  (it has no path)
        file.write(body)
        file.seek(0)
        yield file


def _exit_reason(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"


def _with_output(reason: str, output: str) -> str:
    return f"{reason}: {output}" if output else reason
