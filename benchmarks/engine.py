"""Compares tiles on one device with the whole network: memory, time and exactness.

The workload is the paper's: YOLOv2's first 16 layers at 608 x 608 with seeded random weights, one thread. Times are
measured in rounds, in which all engines run in turn in one process. Memory is measured in a new process for each
engine. Whole networks are compared with onnxruntime's own session of the same file, here called bare.

    .venv/bin/python benchmarks/engine.py [--rounds N] [--quick] [--no-tiles] [--model FILE ...]
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from benchmarks.depthwise import write_depthwise
from benchmarks.workload import INPUT_SIZE, PAPER_CUT, write_yolov2
from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL, Model, open_model
from gateway.plan_report.peak_memory import peak_of_tiles, peak_of_whole
from gateway.planning.partitioned import PartitionedModel, TiledHead, verify_tiles
from shared.engine.opening import open_engine
from shared.engine.sessions import PaddingEngine
from shared.files.unfinished import temporary_folder
from shared.ftp.costs import tile_costs
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.model.cutting import with_outputs
from shared.model.letterbox import Letterbox
from shared.model.normalising import normalise
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from shared.engine.measuring import Construction
    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Stage
    from shared.model.arrays import Pixels

ENGINE_GRIDS = ("1x1", "3x3", "5x5")
"""Grids of which memory and time are measured: the whole, and the paper's."""

_QUICK_SIDE = 160
"""Width and height of the input with --quick, in pixels."""

_EXACT_GRIDS = ("1x2", "2x2", "3x3", "5x5")
"""Grids at which tiles are compared with the whole network, value by value."""

_MIB = 2**20


def paper_workload(folder: Path, side: int = INPUT_SIZE) -> Model:
    """Return YOLOv2's layers 0 to 15, with a detection layer behind them; its files are written to the folder."""
    return open_model(str(write_yolov2(folder, whole=False, side=side)))


@dataclass(frozen=True)
class GridBench:
    """The workload at one grid, with its program on disk; `cache` is the folder for prepared programs."""

    partitioned: PartitionedModel
    program: Path
    cache: Path

    @classmethod
    def prepare(cls, model: Model, grid: str, folder: Path) -> GridBench:
        partitioned = PartitionedModel.of(model, Grid.parse(grid), PAPER_CUT)
        program = folder / f"program_{grid}.onnx"
        program.write_bytes(partitioned.build_programs()[0].join())
        return cls(partitioned, program, folder)

    @property
    def work(self) -> float:
        """Return the operations of all tiles together, divided by those of the undivided layers."""
        tiled = sum(cost.macs for tile in tile_costs(self.partitioned.model.network, self.stage) for cost in tile)
        return tiled / macs_of(self.partitioned.model.network, self.stage.layers)

    @property
    def stage(self) -> Stage:
        return self.partitioned.stage

    def run_tiles(self, engine: TileEngine, pixels: Pixels) -> None:
        for tile in self.stage.tiles:
            engine.run(tile.form, [pixels[tile.inputs[0].slices]])


def memory_table(benches: dict[str, GridBench], folder: Path) -> Table:
    """Measure the peak resident memory of each engine, above what imports take, in a new process.

    An engine has loaded all kinds of tile.
    """
    default = peak_of_whole(benches["1x1"].partitioned, folder)
    table = Table("run", "peak, MiB", "of onnxruntime's default, whole", "of our own whole")
    table.add_row("onnxruntime as it comes, whole", f"{default / _MIB:.1f}", "100 %", "")
    constructions: tuple[Construction, ...] = ("prepared", "plain")
    for construction in constructions:
        own = 0
        for grid, bench in benches.items():
            peak = peak_of_tiles(bench.partitioned, folder, construction)
            own = own or peak
            shares = (f"{peak / default:.1%}", f"{peak / own:.1%}")
            table.add_row(f"{construction} engine, {grid}", f"{peak / _MIB:.1f}", *shares)
    return table


def speed_table(benches: dict[str, GridBench], whole: Path, rounds: int) -> Table:
    """Measure the time of all tiles together against that of the whole, and compare it with the ratio of operations."""
    input_size = benches["1x1"].partitioned.model.network.input_size
    pixels = np.random.default_rng(1).integers(0, 256, (*input_size, 3), np.uint8)
    image = normalise(pixels, Preprocessing())
    session = bare_session(whole)
    name = session.get_inputs()[0].name
    runs: dict[str, Callable[[], object]] = {"whole": lambda: session.run(None, {name: image})}
    for grid, bench in benches.items():
        prepared = asyncio.run(open_engine(bench.program, bench.partitioned.kinds[0], bench.cache))
        plain = PaddingEngine(bench.program)
        runs[f"prepared {grid}"] = partial(bench.run_tiles, prepared, pixels)
        runs[f"plain {grid}"] = partial(bench.run_tiles, plain, pixels)
    times = interleave(runs, rounds)
    table = Table("run", "median, ms", "÷ whole", "operations ÷ whole", "time ratio ÷ operations ratio")
    table.add_row("onnxruntime, whole", f"{median(times['whole']) * 1e3:.0f}", "1", "1", "")
    for name in list(runs)[1:]:
        ratio = median(tiled / whole for tiled, whole in zip(times[name], times["whole"], strict=True))
        work = benches[name.split()[1]].work
        row = (f"{median(times[name]) * 1e3:.0f}", f"{ratio:.2f}", f"{work:.2f}", f"{ratio / work:.3f}")
        table.add_row(f"{name.split()[0]} engine, {name.split()[1]}", *row)
    return table


def whole_rows(models: Sequence[Model], folder: Path, rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each model: onnxruntime's own session of the file, and ours of the whole network.

    The bare session gets a normalised input; our engines get pixels, and must normalise them first. The bare session
    runs at the beginning and at the end of each round, so that the mean of both is compared with ours.
    """
    for model in models:
        whole, name = PartitionedModel.whole(model), model.spec.name
        file, program = folder / f"{name}.onnx", folder / f"{name}_program.onnx"
        file.write_bytes(model.original.SerializeToString())
        program.write_bytes(whole.build_programs()[0].join())
        prepared = asyncio.run(open_engine(program, whole.kinds[0], folder))
        ordinary = TiledHead(whole, threads=1)
        pixels = np.random.default_rng(1).integers(0, 256, (*model.network.input_size, 3), np.uint8)
        session, form = bare_session(file), whole.stage.tiles[0].form
        feeds = {session.get_inputs()[0].name: normalise(pixels, model.spec.preprocessing)}
        runs: dict[str, Callable[[], object]] = {
            "bare": partial(session.run, None, feeds),
            "edge": partial(prepared.run, form, [pixels]),
            "detect": partial(ordinary.run, pixels),
            "bare again": partial(session.run, None, feeds),
        }
        times = interleave(runs, rounds)
        bare = [fmean(pair) for pair in zip(times["bare"], times["bare again"], strict=True)]
        shares = (median(b / own for b, own in zip(bare, times[key], strict=True)) for key in ("edge", "detect"))
        yield name, f"{median(bare) * 1e3:.1f}", prepared.name, *(f"{share:.1%}" for share in shares)


def bare_session(file: Path) -> Any:  # noqa: ANN401  (onnxruntime has no type information)
    """Return onnxruntime's session of a file with its defaults, but with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def interleave(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each run in each round; an additional first round is discarded."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - begun)
    return times


def exactness_rows(models: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each model and grid: cut, layers, engine, largest difference, the map's standard deviation."""
    picture = next(open_source(str(FOOTAGE)).pictures())
    for name in models:
        model = open_model(name)
        letterbox = Letterbox.for_picture(picture.shape, model.network.input_size, model.spec.preprocessing)
        pixels = letterbox.apply(picture, model.spec.preprocessing)
        for grid in _EXACT_GRIDS:
            partitioned = PartitionedModel.of(model, Grid.parse(grid))
            difference, engine = verify_tiles(partitioned, pixels, 1)
            layers = f"{len(partitioned.stage.layers)} of {len(model.network.layers)}"
            figures = f"{difference.max_abs_diff:.2g}", f"{difference.map_std:.2g}"
            yield model.spec.name, grid, ", ".join(partitioned.stage.cut), layers, engine, *figures


def tiles_tables(console: Console, folder: Path, rounds: int, side: int) -> None:
    """Measure the memory and the time of tiles, and print both tables. `side`: of the input, in pixels."""
    model = paper_workload(folder, side)
    whole = folder / "whole.onnx"
    whole.write_bytes(with_outputs(model.proto, [PAPER_CUT]).SerializeToString())
    benches = {grid: GridBench.prepare(model, grid, folder) for grid in ENGINE_GRIDS}
    console.print(f"Memory: YOLOv2's first 16 layers at {side}, one process with all kinds of tile")
    console.print(memory_table(benches, folder))
    console.print(f"Time: the same, medians of {rounds} interleaved rounds")
    console.print(speed_table(benches, whole, rounds))


def whole_table(folder: Path, rounds: int, *, quick: bool) -> Table:
    """Measure whole networks against onnxruntime's own session."""
    networks = [open_model(DEFAULT_MODEL), open_model(str(write_depthwise(folder)))]
    if not quick:
        networks.append(open_model(str(write_yolov2(folder, whole=True))))
    table = Table("network", "session.run, ms", "engine of an edge", "its throughput ÷ bare", "that of detect ÷ bare")
    for row in whole_rows(networks, folder, rounds):
        table.add_row(*row)
    return table


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=7, help="Rounds of the time measurement.")
@click.option("--quick", is_flag=True, help="Small pictures, and YOLOv2's first layers only: does it work here?")
@click.option("--tiles/--no-tiles", default=True, help="Measure tiles, or only whole networks.")
@click.option("--model", "models", multiple=True, help="Also measure how exact the tiles of this model are.")
def main(rounds: int, models: tuple[str, ...], *, quick: bool, tiles: bool) -> None:
    """Print the tables of docs/engine.md."""
    console = Console(width=120)
    with temporary_folder("bench") as folder:
        if tiles:
            tiles_tables(console, folder, rounds, _QUICK_SIDE if quick else INPUT_SIZE)
        console.print(f"Whole networks: throughput against a bare session.run, medians of {rounds} interleaved rounds")
        console.print(whole_table(folder, rounds, quick=quick))
    if models:
        table = Table("model", "grid", "cut", "layers", "engine", "largest difference", "of a standard deviation of")
        for row in exactness_rows(list(models)):
            table.add_row(*row)
        console.print("Exactness: tiles against the user's own file, run whole", table)


if __name__ == "__main__":
    main()
