"""Measure the peak resident memory and the time of tiles in a fresh process.

python -P -m shared.engine.measuring < trial.json
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime

from shared.engine.opening import TileKinds, open_engine
from shared.engine.program_manifest import form_from_json, form_to_json
from shared.engine.sessions import PaddingEngine
from shared.errors import ModelError
from shared.process.children import parent_death_prefix
from shared.process.signals import run_coroutine

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Form

Construction = Literal["default", "plain", "prepared"]
"""A measured engine: a model in onnxruntime with its defaults, or a stage's program, plain or prepared."""

MEMORY_TRIAL_TIMEOUT_S = 900.0
"""Timeout of a trial: as for preparing a program, which it may include."""


@dataclass(frozen=True, slots=True)
class MemoryTrial:
    """The input of a measurement.

    `model` is the path of an ordinary float model for "default", else of a program that reads pixels. `tiles` are the
    forms of all tiles; for "default" a single one, the whole frame. `cache` is the folder for prepared programs.
    """

    construction: Construction
    model: str
    tiles: tuple[Form, ...]
    working_bytes: int
    cache: str
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The result of a measurement.

    `peak_bytes` is the peak resident memory above that of the imports; `seconds` has the time of all tiles, by round.
    """

    peak_bytes: int
    seconds: tuple[float, ...]


def run_memory_trial(trial: MemoryTrial) -> MemoryReading:
    """Run a trial in a new process. Raises ModelError when it fails."""
    command = [*parent_death_prefix(), sys.executable, "-P", "-m", "shared.engine.measuring"]
    try:
        done = subprocess.run(
            command, input=json.dumps(_to_json(trial)), capture_output=True, text=True, timeout=MEMORY_TRIAL_TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"measuring took longer than {MEMORY_TRIAL_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise ModelError(f"measuring failed: {(done.stderr.strip().splitlines() or ['unknown reason'])[-1]}")
    measured = json.loads(done.stdout)
    return MemoryReading(measured["peak_bytes"], tuple(measured["seconds"]))


def peak_rss() -> int:
    """Return the peak resident memory of this process so far, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _to_json(trial: MemoryTrial) -> dict[str, Any]:
    return {**asdict(trial), "tiles": [form_to_json(form) for form in trial.tiles]}


def _runner(trial: MemoryTrial) -> Callable[[Form], object]:
    """Return a function that runs one tile of noise."""
    if trial.construction == "default":
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(trial.model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda form: session.run(None, {name: _noise((1, 3, *form.sizes[0])).astype(np.float32)})
    if trial.construction == "plain":
        engine: TileEngine = PaddingEngine(Path(trial.model))
    else:
        kinds = TileKinds.from_forms(trial.tiles, trial.working_bytes)
        engine = run_coroutine(lambda: open_engine(Path(trial.model), kinds, Path(trial.cache)))
        if engine.name != "prepared":
            raise ModelError("the program could not be prepared")
    return lambda form: engine.run(form, [_noise((*form.sizes[0], 3))])


def _noise(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return noise that needs little memory, unlike a random generator."""
    count = int(np.prod(shape))
    return np.resize(np.arange(251, dtype=np.uint8), count).reshape(shape)


def main() -> None:
    fields = json.load(sys.stdin)
    trial = MemoryTrial(tiles=tuple(form_from_json(row) for row in fields.pop("tiles")), **fields)
    baseline = peak_rss()
    run = _runner(trial)
    seconds = []
    for _ in range(trial.rounds):
        begun = time.perf_counter()
        for form in trial.tiles:
            run(form)
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"peak_bytes": peak_rss() - baseline, "seconds": seconds}))  # noqa: T201  (read by run_memory_trial)


if __name__ == "__main__":
    main()
