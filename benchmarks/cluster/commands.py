"""Runs the tools that configure the kernel."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Iterable

TOOL_TIMEOUT_S = 10.0
"""The slowest tool, `ip netns delete`, waits for the kernel for a few tenths of a second."""


class EmulationError(DeepThingsError):
    """The kernel, or a tool that configures it, cannot provide a part of the emulated cluster."""


def run_tool(*command: str, lines: Iterable[str] = ()) -> str:
    """Run a tool with `lines` as its input, and return its output.

    Raises EmulationError with the first line of the tool's error message.
    """
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=text, timeout=TOOL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        message = str(error.stderr).strip() or f"exit code {error.returncode}"
        raise EmulationError(f"{' '.join(command)}: {message.splitlines()[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise EmulationError(f"{' '.join(command)}: it takes longer than {TOOL_TIMEOUT_S} s") from error
    except OSError as error:
        raise EmulationError(f"{' '.join(command)}: {system_reason(error)}") from error
    return done.stdout
