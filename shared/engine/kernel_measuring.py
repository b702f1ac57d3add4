"""Run the measurement of kinds of layers in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from shared.engine.kernel_trial import decode_reading
from shared.process.children import parent_death_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engine.kernel_kinds import KernelKind
    from shared.engine.kernel_trial import KernelTrial

log = logging.getLogger(__name__)

KERNEL_TRIAL_TIMEOUT_S = 120.0
"""For a trial; one with a quota of a twentieth of a core needs about twenty seconds."""


async def run_kernel_trial(trial: KernelTrial) -> Mapping[KernelKind, float]:
    """Return the costs that another process measures; none when it fails, or was disturbed. Kill it when cancelled."""
    command = [*parent_death_prefix(), sys.executable, "-P", "-m", "shared.engine.kernel_trial"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(KERNEL_TRIAL_TIMEOUT_S):
            printed, _ = await process.communicate(trial.to_json().encode())
        reading = decode_reading(printed.decode())
    except (TimeoutError, ValueError, TypeError):
        log.warning("the costs of kinds of layers could not be measured; plans are predicted with the usual ones")
        return {}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log.debug("a run took %.4f s of computing, %.4f s in all: %s", reading.run_s, reading.took_s, reading.costs)
    if not reading.costs:
        log.info("kinds of layers cannot be told apart here; plans are predicted with the usual costs")
    return reading.costs
