"""Run the measurement of kinds of layers in a process of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.engine.kernel_trial import decode_reading
from shared.process.children import run_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engine.kernel_kinds import KernelKind
    from shared.engine.kernel_trial import KernelTrial

log = logging.getLogger(__name__)

KERNEL_TRIAL_TIMEOUT_S = 120.0
"""Timeout of a trial; a process with a quota of a twentieth of a core needs about twenty seconds."""


async def run_kernel_trial(trial: KernelTrial) -> Mapping[KernelKind, float]:
    """Return the costs that a child process measures; empty when it fails or is disturbed.

    The child process is killed when this is cancelled.
    """
    try:
        printed = await run_module("shared.engine.kernel_trial", trial.to_json(), KERNEL_TRIAL_TIMEOUT_S)
        reading = decode_reading(printed)
    except (TimeoutError, ValueError, TypeError):
        log.warning("the costs of kinds of layers could not be measured; plans are predicted with the usual ones")
        return {}
    log.debug("a run took %.4f s of computing, %.4f s in all: %s", reading.run_s, reading.took_s, reading.costs)
    if not reading.costs:
        log.info("kinds of layers cannot be told apart here; plans are predicted with the usual costs")
    return reading.costs
