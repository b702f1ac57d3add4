"""Measure what each kind of layer costs on this device, with the kernels that a plan runs.

This runs in a process of its own: a session that is profiled is slower, and a device that is short of memory must not
lose its worker by a measurement.

    python -P -m shared.engine.kernel_trial < trial.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from shared.engine.arena import share_arena
from shared.engine.kernel_kinds import KernelKind, kernel_costs
from shared.engine.lanes import TileLanes
from shared.engine.program_manifest import form_from_json, form_to_json
from shared.engine.sessions import PreparedEngine, read_manifest
from shared.process.children import lower_thread_priority
from shared.process.usable_cores import QUOTA_PERIOD_S

if TYPE_CHECKING:
    from shared.ftp.stage import Form

MIN_RUNS, MAX_RUNS = 2, 60
"""Runs besides the first one. A profile has 700 bytes for each layer of each run, so a fast network pauses between
them: the trial still lasts as long as it should."""

CLEAN_RUNS = 12
"""Runs among which there should be one for each layer in which neither a quota nor another program stops it."""

MAX_STRETCH = 5.0
"""For these runs a trial may last this many times as long as it should, but no longer."""

GOLDEN_RATIO = 0.618
"""Its multiples are spread evenly between two whole numbers, however many there are."""


@dataclass(frozen=True, slots=True)
class KernelTrial:
    """The prepared program in `folder`, the form of the tile, its threads, and the least duration of the measurement.

    `stopped`: the part of the time for which a quota stops this process; 0: there is none.
    """

    folder: Path
    form: Form
    working_bytes: int
    threads: int
    seconds: float
    stopped: float = 0.0

    def to_json(self) -> str:
        """Return the input of the process."""
        form = form_to_json(self.form)
        return json.dumps([str(self.folder), form, self.working_bytes, self.threads, self.seconds, self.stopped])

    @classmethod
    def from_json(cls, text: str) -> KernelTrial:
        """Decode the result of to_json."""
        folder, form, working_bytes, threads, seconds, stopped = json.loads(text)
        return cls(Path(folder), form_from_json(form), working_bytes, threads, seconds, stopped)


@dataclass(frozen=True, slots=True)
class KernelReading:
    """The costs by kind, none if they could not be told; `run_s` as in `kernel_costs`; and the mean time of a run."""

    costs: dict[KernelKind, float]
    run_s: float
    took_s: float


def measure_kernels(trial: KernelTrial) -> KernelReading:
    """Run the tile repeatedly in a profiled session. Raises DamageError, ModelError or OSError."""
    share_arena(trial.working_bytes)
    manifest = read_manifest(trial.folder)
    kind = replace(next(kind for kind in manifest.kinds if kind.form.kind == trial.form.kind), form=trial.form)
    alone = replace(manifest, kinds=(kind,))
    with tempfile.TemporaryDirectory(prefix="deepthings-kernels-") as folder:
        engine = PreparedEngine(trial.folder, alone, TileLanes(1, trial.threads), profile=Path(folder) / "profile")
        parts, strips = engine.trial_input(trial.form)
        engine.run(trial.form, parts, strips)
        took_s: list[float] = []
        cpu_s: list[float] = []
        begun = time.monotonic()
        while _goes_on(trial, len(took_s), time.monotonic() - begun):
            if trial.stopped:
                _compute_nothing((len(took_s) * GOLDEN_RATIO % 1) * QUOTA_PERIOD_S * (1 - trial.stopped))
            run_at, cpu_at = time.monotonic(), time.process_time()
            engine.run(trial.form, parts, strips)
            took_s.append(time.monotonic() - run_at)
            cpu_s.append(time.process_time() - cpu_at)
            time.sleep(max(0.0, trial.seconds / MAX_RUNS - took_s[-1]))
        (profile,) = engine.end_profiles()
        events: list[dict[str, Any]] = json.loads(profile.read_text(encoding="utf-8"))
    run_s = min(took_s) if trial.threads > 1 else fmean(cpu_s) if trial.stopped else min(cpu_s)
    return KernelReading(kernel_costs(events, run_s, trial.stopped), run_s, fmean(took_s))


def _compute_nothing(seconds: float) -> None:
    """Use processor time, so that the pauses of a quota hit other layers in each run."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def _goes_on(trial: KernelTrial, runs: int, passed_s: float) -> bool:
    if runs < MIN_RUNS or passed_s < trial.seconds:
        return runs < MAX_RUNS
    return runs < CLEAN_RUNS and passed_s < MAX_STRETCH * trial.seconds


def decode_reading(text: str) -> KernelReading:
    """Decode what the process prints. Raises ValueError or TypeError for anything else."""
    costs, run_s, took_s = json.loads(text)
    return KernelReading({KernelKind(kind): float(cost) for kind, cost in dict(costs).items()}, run_s, took_s)


def main() -> None:
    lower_thread_priority()
    reading = measure_kernels(KernelTrial.from_json(sys.stdin.read()))
    print(json.dumps([reading.costs, reading.run_s, reading.took_s]))  # noqa: T201  (read by the process that started this one)


if __name__ == "__main__":
    main()
