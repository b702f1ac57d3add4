"""The figures of `deepthings plan`: every possible cut of a network, and the memory that the chosen one needs."""

from __future__ import annotations

import contextlib
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from gateway.plan_report.peak_memory import measure_memory
from shared.errors import ConfigurationError
from shared.ftp.costs import StepMemory, peak_bytes, tile_memory
from shared.ftp.cuts import DEFAULT_DEVICES, cost_of_cut, cut_costs, deepest_cut
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.tiles import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.partitioned import PartitionedModel
    from shared.ftp.stage import Stage
    from shared.model.network import Network

USUAL_GRIDS = (Grid(3, 3), Grid(5, 5))
"""Grids whose memory is reported beside the requested grid: those of the paper's figures."""


class Figures(BaseModel):
    """Base of the parts of a report."""

    model_config = ConfigDict(frozen=True)


class CutFigures(Figures):
    """One cut, with the tiles of the report's grid.

    `crossing_bytes`: bytes of the maps at the cut; `*_macs`: multiply-accumulate operations; `receptive_field`:
    (height, width) in pixels. `work_factor` is the work of all tiles divided by that of the whole head; `largest_tile`
    is the work of the largest tile as a share of the head; `longest_chain` is the longest chain of work of a frame,
    with `devices` edges and an equally fast gateway, divided by the work of the whole network.
    """

    maps: tuple[str, ...]
    layers: int
    crossing_bytes: int
    head_macs: int
    tail_macs: int
    tiled_macs: int
    work_factor: float
    largest_tile: float
    receptive_field: tuple[int, int]
    longest_chain: float
    chosen: bool
    deepest: bool
    fastest: bool


class MapBytes(Figures):
    """The bytes of the maps that exist while a layer runs: its input, its output, and maps held for later layers."""

    input: int
    output: int
    held: int


class LayerFigures(Figures):
    """The memory of a layer of the head, together with the layers that work in place on its output.

    `whole_maps`, `whole_bytes`: for the whole frame; `tile_bytes`: by grid, for the largest tile, weights included.
    """

    layer: str
    op: str
    in_place: tuple[str, ...]
    weight_bytes: int
    whole_maps: MapBytes
    whole_bytes: int
    tile_bytes: dict[str, int]


class TiledMemory(Figures):
    """The memory of one tile, compared with the whole head. `layer_reduction` is the mean reduction over the layers."""

    peak_bytes: int
    peak_reduction: float
    layer_reduction: float


class AnalyticMemory(Figures):
    """Memory computed from sizes, with float32 maps. A peak is the layer with the largest maps, plus all weights."""

    weight_bytes: int
    whole_peak_bytes: int
    grids: dict[str, TiledMemory]
    layers: tuple[LayerFigures, ...]


class MeasuredMemory(Figures):
    """Peak resident bytes of a process, without its imports.

    `default_bytes`: of onnxruntime with default settings; `grids`: of a worker, by grid.
    """

    default_bytes: int
    grids: dict[str, int]


class Memory(Figures):
    """The memory that one device needs for the head, computed and measured."""

    analytic: AnalyticMemory
    measured: MeasuredMemory | None = None


class PlanReport(Figures):
    """A model at a grid: all cuts, from the first layer on, and the memory that the chosen one needs.

    `unreadable` is the reason why no decoder reads its outputs, else "".
    """

    model: str
    input: tuple[int, int]
    grid: str
    devices: int
    total_macs: int
    cuts: tuple[CutFigures, ...]
    memory: Memory
    unreadable: str = ""

    @property
    def chosen(self) -> CutFigures:
        """Return the chosen cut."""
        return next(cut for cut in self.cuts if cut.chosen)


def report_on(partitioned: PartitionedModel, *, measured: bool = False) -> PlanReport:
    """Return all figures of a partitioned model; measuring takes some seconds.

    Raises CutError for a network that cannot be tiled, and ModelError for one that cannot be run.
    """
    network, stage = partitioned.model.network, partitioned.stage
    total = macs_of(network, network.layers)
    return PlanReport(
        model=partitioned.spec.name,
        input=network.input_size,
        grid=str(stage.grid),
        devices=DEFAULT_DEVICES,
        total_macs=total,
        cuts=_cuts(network, stage, total),
        memory=Memory(analytic=_compute_memory(network, stage), measured=_measure(partitioned) if measured else None),
        unreadable=partitioned.model.unreadable,
    )


def _cuts(network: Network, stage: Stage, total: int) -> tuple[CutFigures, ...]:
    costs = cut_costs(network, stage.grid)
    deepest = deepest_cut(network)
    for maps in (stage.cut, deepest):
        if not any(set(cost.maps) == set(maps) for cost in costs):
            with contextlib.suppress(ConfigurationError):  # its maps are smaller than the grid
                costs.append(cost_of_cut(network, maps, stage.grid))
    costs.sort(key=lambda cost: (cost.layers, cost.head_macs))
    fastest = min(costs, key=lambda cost: (cost.frame_macs(), cost.crossing_bytes))
    return tuple(
        CutFigures(
            maps=cost.maps,
            layers=cost.layers,
            crossing_bytes=cost.crossing_bytes,
            head_macs=cost.head_macs,
            tail_macs=cost.tail_macs,
            tiled_macs=cost.tiled_macs,
            work_factor=cost.tiled_macs / max(1, cost.head_macs),
            largest_tile=cost.largest_tile_macs / max(1, cost.head_macs),
            receptive_field=cost.receptive_field,
            longest_chain=cost.frame_macs() / max(1, total),
            chosen=set(cost.maps) == set(stage.cut),
            deepest=set(cost.maps) == set(deepest),
            fastest=cost is fastest,
        )
        for cost in costs
    )


def _compute_memory(network: Network, stage: Stage) -> AnalyticMemory:
    whole = tile_memory(network, partition(network, stage.cut, Grid(1, 1)))[0]
    largest, grids = {}, {}
    for tiled in _stages(network, stage):
        tiles = tile_memory(network, tiled)
        largest[str(tiled.grid)] = [max(step.bytes for step in steps) for steps in zip(*tiles, strict=True)]
        grids[str(tiled.grid)] = _tiled_memory(whole, max(map(peak_bytes, tiles)), largest[str(tiled.grid)])
    return AnalyticMemory(
        weight_bytes=sum(step.weight_bytes for step in whole),
        whole_peak_bytes=peak_bytes(whole),
        grids=grids,
        layers=tuple(
            LayerFigures(
                layer=step.layer,
                op=step.op,
                in_place=step.in_place,
                weight_bytes=step.weight_bytes,
                whole_maps=MapBytes(input=step.input_bytes, output=step.output_bytes, held=step.held_bytes),
                whole_bytes=step.bytes,
                tile_bytes={grid: bytes_[index] for grid, bytes_ in largest.items()},
            )
            for index, step in enumerate(whole)
        ),
    )


def _measure(partitioned: PartitionedModel) -> MeasuredMemory:
    grids = dict.fromkeys((Grid(1, 1), partitioned.stage.grid, *USUAL_GRIDS))
    peaks = measure_memory(partitioned.model, partitioned.stage.cut, list(grids))
    return MeasuredMemory(default_bytes=peaks.pop("default"), grids=peaks)


def _stages(network: Network, stage: Stage) -> list[Stage]:
    """Return the stage, and the same cut at the usual grids that are not larger than its maps."""
    stages = [stage]
    for grid in USUAL_GRIDS:
        if grid != stage.grid:
            try:
                stages.append(partition(network, stage.cut, grid, balanced=True))
            except ConfigurationError:
                continue
    return stages


def _tiled_memory(whole: Sequence[StepMemory], peak: int, largest: Sequence[int]) -> TiledMemory:
    return TiledMemory(
        peak_bytes=peak,
        peak_reduction=1 - peak / peak_bytes(whole),
        layer_reduction=fmean(1 - tile / step.bytes for tile, step in zip(largest, whole, strict=True)),
    )
