"""Computes the paper's figures of memory from the sizes of maps and weights, and measures them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from gateway.plan_report.peak_memory import measure_memory
from gateway.planning.methods import Method, stages_of
from shared.ftp.costs import StepMemory, peak_bytes, tile_memory
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.models.catalogue import Model
    from shared.ftp.stage import Stage
    from shared.model.network import Network

DIVISIONS = {"FTP 3x3": Grid(3, 3), "FTP 5x5": Grid(5, 5), "BODP, 4 devices": Grid(4, 1)}


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of one device for one division of the fused layers: bytes by layer, and the peak.

    Reductions are shares of the memory of the undivided layers: `peak_reduction` of their peak, `layer_reduction` of
    each layer, in the mean.
    """

    layers: tuple[int, ...]
    peak_bytes: int
    peak_reduction: float
    layer_reduction: float


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """Figures by division of the layers.

    `analytic`: calculated, with tiles of equal size as in the paper; `measured`: peak resident memory in bytes.
    """

    layers: tuple[str, ...]
    analytic: dict[str, DeviceMemory]
    measured: dict[str, int]


def memory_figures(model: Model, cut: str, *, measured: bool = True) -> MemoryFigures:
    """Return the figures of a model's layers up to `cut`; measuring takes some seconds for each grid."""
    network = model.network
    whole = tile_memory(network, partition(network, [cut], Grid(1, 1)))[0]
    analytic = {"whole": _memory_of(whole, [whole])}
    for division, grid in DIVISIONS.items():
        stages = (
            stages_of(Method.BODP, network, [cut], grid)
            if division.startswith("BODP")
            else (partition(network, [cut], grid),)
        )
        analytic[division] = _memory_of(whole, _by_device(network, stages))
    grids = [Grid(1, 1), Grid(3, 3), Grid(5, 5)]
    peaks = measure_memory(model, [cut], grids) if measured else {}
    return MemoryFigures(tuple(step.layer for step in whole), analytic, peaks)


def _by_device(network: Network, stages: Sequence[Stage]) -> list[list[StepMemory]]:
    """Return, for each device, the steps of its tile in all stages."""
    by_stage = [tile_memory(network, stage) for stage in stages]
    return [[step for steps in tiles for step in steps] for tiles in zip(*by_stage, strict=True)]


def _memory_of(whole: Sequence[StepMemory], devices: Sequence[Sequence[StepMemory]]) -> DeviceMemory:
    largest = [max(step.bytes for step in steps) for steps in zip(*devices, strict=True)]
    peak = max(peak_bytes(steps) for steps in devices)
    return DeviceMemory(
        tuple(largest),
        peak,
        1 - peak / peak_bytes(whole),
        fmean(1 - tile / step.bytes for tile, step in zip(largest, whole, strict=True)),
    )
