"""Tries plans that divide the work of one camera among weak devices, and predicts their speed.

Most plans divide each frame. One does not: it gives whole frames to different devices.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.process_trees import process_tree, proportional_bytes
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION, CameraFeed
from benchmarks.scale.scale_rows import rate_text, time_text
from gateway.cluster.plan_changes import CAMERA_LASTS_S, FITTED_LASTS_S
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_prediction import predict_plan
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from gateway.planning.stage_fitting import fit_stages
from shared.ftp.grid import Grid

if TYPE_CHECKING:
    from benchmarks.cluster.shaping import Link
    from benchmarks.scale.cluster_window import ClusterWindow
    from benchmarks.scale.emulated_bench import EmulatedBench
    from benchmarks.scale.scale_cluster import ScaleCluster
    from gateway.models.catalogue import Model
    from gateway.planning.plan_prediction import DivisionCosts
    from shared.wire.map_values import MapType

SEVERAL_FRAMES = ("--frames-in-flight", "3")
"""Options of an edge that lets several frames of a camera be under way, so that no device is idle."""

PATIENT = ("--deadline", "30", "--lease", "5", "--verify-share", "0")
"""Options of a gateway for frames that take weak devices several seconds.

It does not check results. A check takes many seconds and comes once in an hour, so it would slow down one window and
not another.
"""

FITTING_S = FITTED_LASTS_S + CAMERA_LASTS_S + 20.0
"""In this time, the gateway fits tiles to the speeds of the devices, then to the camera's edge, and weak devices
prepare their programs for these tiles, or find them in the cache."""

ALONE_FPS = 0.5
"""Pictures a second of a camera so slow that the cluster has only one frame at a time."""


@dataclass(frozen=True, slots=True)
class DividedPlan:
    """A plan to try.

    `grid`: None for one tile for each device, as large as fits its speed; `maps`: type of their values on the wire;
    `options`: more of the gateway; `alone`: also measure the latency of a frame while there is no other.
    With method `whole`, the gateway runs with method `auto`, which chooses whole frames if there are many. Only then
    do the gateway's own cores take part.
    """

    method: Method
    grid: Grid | None = None
    maps: MapType = "float32"
    options: tuple[str, ...] = ()
    alone: bool = False

    def __str__(self) -> str:
        return "whole frames, the gateway too" if self.whole else f"{self.method} {self.grid or 'by speed'}"

    @property
    def whole(self) -> bool:
        """Return whether each frame is computed by one device."""
        return self.method is Method.WHOLE

    def gateway_options(self, cut: str) -> tuple[str, ...]:
        """Return the options of the gateway; `cut`: the maps up to which frames are divided."""
        if self.whole:
            return ("--method", Method.AUTO, *PATIENT, *self.options)
        grid = ("--grid", str(self.grid)) if self.grid else ()
        division = (*grid, "--cut", cut, "--maps", self.maps)
        return ("--method", self.method, *division, *PATIENT, *self.options, NO_COMPUTING_OPTION)

    def divide(self, model: Model, cut: str, cluster: ClusterProfile) -> tuple[PartitionedModel, ClusterProfile]:
        """Return the model divided by this plan, and the cluster with its devices in the order of the tiles."""
        if self.whole:
            return PartitionedModel.whole(model), cluster
        if self.grid is not None:
            return PartitionedModel.of(model, self.grid, cut, self.method), cluster
        maps = PartitionedModel.of(model, Grid(1, 1), cut).cut
        fitted = fit_stages(model.network, cluster, maps)
        return PartitionedModel(model, fitted.stages, self.method), cluster.in_order(fitted.devices)


@dataclass(frozen=True, slots=True)
class PlanTrial:
    """The observation of a plan that was tried.

    `predicted_per_s`: frames a second, as predicted; `frame_bytes`: of a frame on all links; `alone_s`: latency of a
    frame while there is no other, 0 if not measured; `memory_bytes`: of the edge that has most; `maps_share`: memory
    of the maps of the largest tile, divided by that of the whole network's maps.
    """

    name: str
    predicted_per_s: float
    window: ClusterWindow
    frame_bytes: float = 0.0
    alone_s: float = 0.0
    memory_bytes: int = 0
    maps_share: float = 1.0

    def __str__(self) -> str:
        alone = f" ({time_text(self.alone_s)} alone)" if self.alone_s else ""
        return (
            f"{self.name}: {rate_text(self.window.frames_per_s)}, {time_text(self.window.latency_s)} a frame{alone}, "
            f"predicted {rate_text(self.predicted_per_s)}"
        )

    @property
    def figures(self) -> dict[str, float]:
        """Return the numbers that plots and the row of predictions use."""
        return {
            "measured": self.window.frames_per_s,
            "predicted": self.predicted_per_s,
            "latency_s": self.window.latency_s,
            "alone_s": self.alone_s,
            "bytes": self.frame_bytes,
            "memory": self.memory_bytes,
        }


async def try_plan(
    bench: EmulatedBench, model: Model, cut: str, plan: DividedPlan, link: Link, windows: int = 1
) -> PlanTrial:
    """Observe a camera with a plan; it sends pictures as fast as they are taken.

    `windows`: how many times the scope's usual time the observation lasts; frames that take long need more.
    """
    # Without an option, as many whole frames are under way as devices compute. Divided ones need an option for that.
    options = () if plan.whole else SEVERAL_FRAMES
    cluster = await bench.restart(*plan.gateway_options(cut), edge_options=options)
    begun = _sent_bytes(bench)
    settle_s, seconds = windows * bench.scope.settle_s, windows * bench.scope.window_s
    settle_s = max(settle_s, 0.0 if plan.grid else FITTING_S)
    window = await cluster.watch(CameraFeed({"camera": "edge-1"}), settle_s, seconds)
    published = max((frame.number for frame in window.frames), default=0) + 1
    sent = _sent_bytes(bench) - begun
    alone_s = await _latency_alone(bench, cluster) if plan.alone else 0.0
    edge = await bench.beside_others("edge-1")
    whole = PartitionedModel.whole(model).costs
    profile = _profile(bench, plan, whole.total * edge.session.frames_per_s, link, window)
    partitioned, profile = plan.divide(model, cut, profile)
    costs = partitioned.costs
    predicted = predict_plan(plan.method, costs, profile)
    # The prediction knows only the link of each device. If they share one medium, this carries the bytes of all.
    medium_per_s = link.rate_bytes / predicted.frame_bytes if link.shared else math.inf
    return PlanTrial(
        str(plan),
        min(predicted.frames_per_s, medium_per_s),
        window,
        sent / published,
        alone_s,
        _memory_of_edges(cluster),
        _maps_share(costs, whole),
    )


async def _latency_alone(bench: EmulatedBench, cluster: ScaleCluster) -> float:
    """Return the median latency of frames while the cluster has only one frame at a time."""
    seconds = bench.scope.window_s * 2
    window = await cluster.watch(CameraFeed({"camera": "edge-1"}, ALONE_FPS), bench.scope.warm_s, seconds)
    return window.latency_s


def _memory_of_edges(cluster: ScaleCluster) -> int:
    """Return the proportional memory, in bytes, of the edge that has most; its camera agents are not counted."""
    return max(proportional_bytes(process_tree(edge.process.pid)[0]) for edge in cluster.edges.values())


def _maps_share(costs: DivisionCosts, whole: DivisionCosts) -> float:
    """Return the memory of the largest tile's maps, divided by that of the whole network's maps."""
    return max(costs.tile_bytes) / max(whole.tile_bytes)


def _sent_bytes(bench: EmulatedBench) -> int:
    """Return the bytes that all devices have sent so far."""
    return sum(counted.sent_bytes for name in bench.devices if (counted := bench.nodes.counters(name)) is not None)


def _profile(
    bench: EmulatedBench, plan: DividedPlan, speed: float, link: Link, window: ClusterWindow
) -> ClusterProfile:
    """Return the cluster for a prediction; `speed`: operations a second of the first edge.

    If the gateway assigns tiles to devices, there is a device for each tile: the one that computed it in the window.
    """

    def device(name: str) -> DeviceProfile:
        return DeviceProfile(name, speed * bench.relative_speed(name), link.rate_bytes)

    devices = tuple(map(device, bench.devices if plan.whole else bench.edges))
    if plan.grid is not None and plan.method.distribution.by_gateway:
        names = assigned_nodes(window, plan.grid.count)
        devices = tuple(device(name) for name in names) or devices
    return ClusterProfile(devices, device(GATEWAY_NODE), "edge-1", plan.maps)


def assigned_nodes(window: ClusterWindow, tiles: int) -> tuple[str, ...]:
    """Return a node for each tile, so that each node has as many tiles as in most frames of the window.

    Nodes take turns. Empty if most frames had another number of tiles.
    """
    counts = Counter(tuple(sorted(frame.tiles.items())) for frame in window.frames)
    usual = dict(counts.most_common(1)[0][0]) if counts else {}
    nodes = [name for turn in range(tiles) for name, count in usual.items() if count > turn]
    return tuple(nodes) if len(nodes) == tiles else ()
