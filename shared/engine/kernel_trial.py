"""Measure what each kind of layer costs on this device, with the kernels that a plan runs.

This runs in a process of its own: a profiled session is slower, and on a device that is short of memory the system must
end the measurement, not the worker.

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
"""Bounds of the number of runs, besides the first one. A profile takes 700 bytes for each layer of each run, so their
number is limited; with a fast network, pauses between the runs make the trial as long as `seconds` says."""

CLEAN_RUNS = 12
"""Runs that a trial should have: in one of them each layer should run without a stop by a quota or another program."""

MAX_STRETCH = 5.0
"""To reach CLEAN_RUNS, a trial may last up to this many times its `seconds`."""

GOLDEN_RATIO = 0.618
"""The fractional parts of its multiples are spread evenly from 0 to 1, however many there are."""


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
    """The costs by kind, empty if they could not be measured; `run_s` as in `kernel_costs`; the mean time of a run."""

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
        while _needs_another_run(trial, len(took_s), time.monotonic() - begun):
            if trial.stopped:
                _use_processor((len(took_s) * GOLDEN_RATIO % 1) * QUOTA_PERIOD_S * (1 - trial.stopped))
            run_at, cpu_at = time.monotonic(), time.process_time()
            engine.run(trial.form, parts, strips)
            took_s.append(time.monotonic() - run_at)
            cpu_s.append(time.process_time() - cpu_at)
            time.sleep(max(0.0, trial.seconds / MAX_RUNS - took_s[-1]))
        (profile,) = engine.end_profiles()
        events: list[dict[str, Any]] = json.loads(profile.read_text(encoding="utf-8"))
    run_s = min(took_s) if trial.threads > 1 else fmean(cpu_s) if trial.stopped else min(cpu_s)
    return KernelReading(kernel_costs(events, run_s, trial.stopped), run_s, fmean(took_s))


def _use_processor(seconds: float) -> None:
    """Use processor time without a result, so that the pauses of a quota fall on different layers in each run."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def _needs_another_run(trial: KernelTrial, runs: int, passed_s: float) -> bool:
    """Return whether a trial needs another run after `runs` runs, which took `passed_s` seconds together."""
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
