"""Measure whether a device computes more tiles with several side by side, or with several threads in each.

This runs in a process of its own: every candidate needs its own sessions, which may take too much memory.

    python -P -m shared.engine.lane_trial < trial.json
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.engine.arena import share_arena
from shared.engine.lanes import TileLanes
from shared.engine.program_manifest import form_from_json, form_to_json
from shared.engine.sessions import PreparedEngine, read_manifest
from shared.process.children import lower_thread_priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Form

LANE_ROUNDS = 4
"""The candidates take turns this many times, so that a disturbance does not hit only one of them."""

LANE_ROUND_S = 0.5
"""Length of a turn. All turns of a candidate last 20 periods of a CPU quota: in the first periods, before the quota
stops it, a process computes faster than later."""

MIN_BUSY_SHARE = 0.8
"""A trial is undisturbed if this share of the cores was busy: tiles side by side never wait for each other."""


@dataclass(frozen=True, slots=True)
class LaneTrial:
    """The prepared program in `folder`, the form of the tile, and the candidates."""

    folder: Path
    form: Form
    working_bytes: int
    candidates: tuple[TileLanes, ...]

    def to_json(self) -> str:
        """Return the input of the process."""
        pairs = [[lanes.count, lanes.threads] for lanes in self.candidates]
        return json.dumps([str(self.folder), form_to_json(self.form), self.working_bytes, pairs])

    @classmethod
    def from_json(cls, text: str) -> LaneTrial:
        """Decode the result of to_json."""
        folder, form, working_bytes, pairs = json.loads(text)
        return cls(Path(folder), form_from_json(form), working_bytes, tuple(TileLanes(*pair) for pair in pairs))


@dataclass(slots=True)
class LaneReading:
    """The tiles that one candidate computed in `wall_s`, for which it used `cpu_s` of all cores together."""

    tiles: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Return the tiles per second."""
        return self.tiles / max(1e-9, self.wall_s)

    @property
    def busy_cores(self) -> float:
        """Return the mean number of cores that were busy with this candidate."""
        return self.cpu_s / max(1e-9, self.wall_s)


def is_undisturbed(readings: Mapping[TileLanes, LaneReading]) -> bool:
    """Return whether any candidate got most of the time of its cores, so that no other program or quota took it."""
    return any(
        reading.busy_cores >= MIN_BUSY_SHARE * lanes.count * lanes.threads for lanes, reading in readings.items()
    )


def measure_lanes(trial: LaneTrial, round_s: float = LANE_ROUND_S) -> dict[TileLanes, LaneReading]:
    """Return the readings of all candidates, each of which computes for LANE_ROUNDS turns of `round_s`.

    Raises DamageError, ModelError or OSError when the prepared program cannot be opened.
    """
    share_arena(trial.working_bytes)
    manifest = read_manifest(trial.folder)
    kind = replace(next(kind for kind in manifest.kinds if kind.form.kind == trial.form.kind), form=trial.form)
    alone = replace(manifest, kinds=(kind,))
    with ThreadPoolExecutor(max(lanes.count for lanes in trial.candidates), initializer=lower_thread_priority) as pool:
        engines = {
            lanes: pool.submit(PreparedEngine, trial.folder, alone, lanes).result() for lanes in trial.candidates
        }
        readings = {lanes: LaneReading() for lanes in trial.candidates}
        for lanes, engine in engines.items():
            _compute(pool, lanes, engine, trial.form, 0.0)  # the first tiles are slow
        for _ in range(LANE_ROUNDS):
            for lanes, engine in engines.items():
                before, cpu_s = time.monotonic(), time.process_time()
                readings[lanes].tiles += _compute(pool, lanes, engine, trial.form, round_s)
                readings[lanes].wall_s += time.monotonic() - before
                readings[lanes].cpu_s += time.process_time() - cpu_s
    return readings


def _compute(pool: ThreadPoolExecutor, lanes: TileLanes, engine: PreparedEngine, form: Form, seconds: float) -> int:
    """Compute tiles in all lanes for this many seconds, at least one in each lane; return the number of tiles."""
    parts, strips = engine.trial_input(form)
    until = time.monotonic() + seconds

    def lane() -> int:
        tiles = 0
        while not tiles or time.monotonic() < until:
            engine.run(form, parts, strips)
            tiles += 1
        return tiles

    return sum(future.result() for future in [pool.submit(lane) for _ in range(lanes.count)])


def decode_readings(text: str) -> dict[TileLanes, LaneReading]:
    """Decode what the process prints. Raises ValueError or TypeError for anything else."""
    rows: Sequence[Any] = json.loads(text)
    return {TileLanes(int(count), int(threads)): LaneReading(*figures) for count, threads, *figures in rows}


def main() -> None:
    readings = measure_lanes(LaneTrial.from_json(sys.stdin.read()))
    rows = [[lanes.count, lanes.threads, each.tiles, each.wall_s, each.cpu_s] for lanes, each in readings.items()]
    print(json.dumps(rows))  # noqa: T201  (read by the process that started this one)


if __name__ == "__main__":
    main()
