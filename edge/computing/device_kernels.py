"""The costs of kinds of layers on this device: measured once for a program, kept beside it, measured again on drift."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from shared.engine.kernel_kinds import MAX_KERNEL_COST, KernelKind
from shared.engine.kernel_measuring import run_kernel_trial
from shared.engine.kernel_trial import KernelTrial
from shared.files.whole_file import write_whole
from shared.process.usable_cores import PROBE_PERIODS, QUOTA_PERIOD_S
from shared.process.usable_memory import RUNTIME_BYTES, free_memory
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engine.opening import TileKinds
    from shared.process.usable_cores import ComputingCores

log = logging.getLogger(__name__)

KERNELS_FILE = "kernels.json"
"""In the folder of a prepared program, which is made for one model and one processor."""

KERNELS_FORMAT = 1
"""Version of this file; those of others are measured again."""

DRIFT = 0.3
"""The speed may differ by this part from that at the measurement; heat and other programs change kinds unequally."""

DRIFT_TRIALS = 2
"""Trials of the speed in a row that must differ: a single one may have been disturbed."""


MAX_UNTOLD = 3
"""Measurements in a row that told nothing: then only a drift is a reason for another one."""


class DeviceKernels:
    """Knows the costs of kinds of layers here. `costs` are those measured, by the names of kinds; empty before."""

    def __init__(self, computing: ComputingCores) -> None:
        self._computing = computing
        self._measured_with = 0.0
        self._drifted = self._untold = 0
        self.costs: dict[str, float] = {}

    def read_kept(self, folder: Path, threads: int) -> bool:
        """Use what was measured before with this prepared program; return whether there is something."""
        try:
            kept = json.loads((folder / KERNELS_FILE).read_bytes())
            costs = {KernelKind(kind).value: float(cost) for kind, cost in kept["costs"].items()}
            fits = kept["format"] == KERNELS_FORMAT and kept["threads"] == threads
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False
        if fits and all(0 < cost <= MAX_KERNEL_COST for cost in costs.values()):
            self.costs = costs
        return bool(fits and self.costs)

    async def measure(self, folder: Path, kinds: TileKinds, threads: int, macs_per_s: float) -> None:
        """Measure with the largest tile of a prepared program, in a process of its own, and keep the result.

        `macs_per_s`: the speed now, by which a drift is recognised. If nothing could be told, what was known stays.
        """
        self._measured_with, self._drifted = macs_per_s, 0
        trial = KernelTrial(
            folder, kinds.largest, kinds.working_bytes, threads, PROBE_PERIODS * QUOTA_PERIOD_S, self._stopped(threads)
        )
        free = free_memory()
        if free is not None and free < 2 * (kinds.working_bytes + RUNTIME_BYTES):
            log.info("there is too little memory to measure kinds of layers: %.0f MiB are free", free / 2**20)
            return
        measured = await run_kernel_trial(trial)
        if not measured:
            self._untold += 1
            return
        self._untold = 0
        self.costs = {kind.value: float(f"{cost:.3g}") for kind, cost in measured.items()}
        kept = {"format": KERNELS_FORMAT, "threads": threads, "costs": self.costs}
        try:
            write_whole(folder / KERNELS_FILE, json.dumps(kept).encode(), durable=False, mode=None)
        except OSError as error:
            log.warning("%s cannot be written: %s", folder / KERNELS_FILE, system_reason(error))
        log.info("kinds of layers cost here, by a usual operation: %s", self)

    def is_due(self, macs_per_s: float) -> bool:
        """Note the speed of a trial; return whether kinds should be measured again.

        That is when the speed has changed for a while, or when other programs have disturbed the measurement.
        """
        if not self._measured_with:
            self._measured_with = macs_per_s
        within = (1 - DRIFT) * self._measured_with <= macs_per_s <= self._measured_with / (1 - DRIFT)
        self._drifted = 0 if within or not macs_per_s else self._drifted + 1
        return self._drifted >= DRIFT_TRIALS or 0 < self._untold < MAX_UNTOLD

    def _stopped(self, threads: int) -> float:
        """Return the part of the time for which a quota stops this process; several threads are never stopped."""
        limited = self._computing.is_limited and threads == 1
        return max(0.0, 1 - self._computing.usable) if limited else 0.0

    def __str__(self) -> str:
        return ", ".join(f"{kind} {cost:.3g}" for kind, cost in self.costs.items())
