"""Measures the memory that a device needs for a plan: the peak memory of a worker, in a new process each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.planning.partitioned import PartitionedModel
from shared.engine.measuring import MemoryTrial, run_memory_trial
from shared.engine.opening import open_engine
from shared.errors import ConfigurationError
from shared.files.unfinished import temporary_folder
from shared.ftp.stage import Form
from shared.model.cutting import with_outputs
from shared.process.signals import run_coroutine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.models.catalogue import Model
    from shared.engine.measuring import Construction
    from shared.ftp.grid import Grid


def peak_of_tiles(partitioned: PartitionedModel, folder: Path, construction: Construction = "prepared") -> int:
    """Return the peak bytes of a worker that computes all tiles of a frame, without the bytes of its imports.

    `folder` keeps the prepared programs. Raises ModelError.
    """
    program = folder / f"program_{partitioned.stages[0].grid}.onnx"
    program.write_bytes(partitioned.build_programs()[0].join())
    if construction == "prepared":
        run_coroutine(lambda: open_engine(program, partitioned.kinds[0], folder))
    tiles = tuple(tile.form for tile in partitioned.stages[0].tiles)
    trial = MemoryTrial(construction, str(program), tiles, partitioned.kinds[0].working_bytes, str(folder))
    return run_memory_trial(trial).peak_bytes


def peak_of_whole(partitioned: PartitionedModel, folder: Path) -> int:
    """Return the peak bytes of onnxruntime with default settings that computes the whole head of a frame at once."""
    model = partitioned.model
    whole = folder / "whole.onnx"
    whole.write_bytes(with_outputs(model.proto, partitioned.stage.cut).SerializeToString())
    covering = Form((model.network.input_size,), ())
    return run_memory_trial(MemoryTrial("default", str(whole), (covering,), 1, str(folder))).peak_bytes


def measure_whole(partitioned: PartitionedModel) -> tuple[int, int]:
    """Return the peak bytes of a whole network in onnxruntime with default settings, and in the engine of an edge."""
    with temporary_folder("plan") as folder:
        program = folder / "program.onnx"
        program.write_bytes(partitioned.build_programs()[0].join())
        opened = run_coroutine(lambda: open_engine(program, partitioned.kinds[0], folder))
        construction: Construction = "prepared" if opened.name == "prepared" else "plain"
        return peak_of_whole(partitioned, folder), peak_of_tiles(partitioned, folder, construction)


def measure_memory(model: Model, cut: Sequence[str], grids: Sequence[Grid]) -> dict[str, int]:
    """Return peak bytes by grid, and under `default` those of onnxruntime with default settings.

    Grids that are too large for the cut are left out.
    """
    peaks: dict[str, int] = {}
    with temporary_folder("plan") as folder:
        for grid in grids:
            try:
                partitioned = PartitionedModel.of(model, grid, ",".join(cut))
            except ConfigurationError:
                continue
            peaks.setdefault("default", peak_of_whole(partitioned, folder))
            peaks[str(grid)] = peak_of_tiles(partitioned, folder)
    return peaks
