"""Measures how fast this device computes a plan, before the first frame: others decide by it whether it helps them."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.process.children import lower_thread_priority

if TYPE_CHECKING:
    from edge.computing.plan_work import PlanWork

log = logging.getLogger(__name__)

TRIAL_S = 0.3
"""Duration of a trial."""

QUOTA_TRIAL_S = 2.0
"""The same in a control group with a quota: 20 of its periods, as a short burst in a small group is not throttled."""


@dataclass(slots=True)
class _Trial:
    """Runs of a tile; the first one does not count, because it is slow."""

    runs: int = 0
    seconds: float = 0.0

    def run(self, work: PlanWork, trial_s: float) -> float:
        tile = work.tile(0)
        pixels = [np.zeros((*size, 3), np.uint8) for size in tile.form.sizes]
        end = time.monotonic() + trial_s
        while True:
            begun = time.monotonic()
            work.engines[0].run(tile.form, pixels)
            now = time.monotonic()
            if self.runs or now >= end:  # a slow device has no time for a second run
                self.seconds += now - begun
            self.runs += 1
            if now >= end:
                return tile.macs * max(1, self.runs - 1) / max(1e-6, self.seconds)


async def measure_speed(work: PlanWork, *, quota: bool) -> float:
    """Return the multiply-accumulate operations that one lane computes in a second; 0 if a run fails.

    `quota`: this process may not use all time of its cores.
    """
    with ThreadPoolExecutor(1, "speed", initializer=lower_thread_priority) as pool:
        trial_s = QUOTA_TRIAL_S if quota else TRIAL_S
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, _Trial().run, work, trial_s)
        except Exception:  # whatever an engine raises: the first frame fails in the same way, and is reported
            log.debug("the speed cannot be measured", exc_info=True)
            return 0.0
