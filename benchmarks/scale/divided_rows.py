"""Rows of one camera whose frames are divided among six weak devices: YOLOv2's first 16 layers, and all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.cluster.shaping import Link
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bench_group import BenchGroup
from benchmarks.scale.device_rows import EDGE_COUNT
from benchmarks.scale.emulated_bench import EDGE_CORES, GATEWAY_CORES, LINK, open_emulated
from benchmarks.scale.physical_bound import DividedJob, bound_frames_per_s
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION, CameraFeed
from benchmarks.scale.scale_rows import ScaleResult, rate_text, time_text
from benchmarks.workload import PAPER_CUT, write_yolov2
from gateway.models.catalogue import open_model
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_prediction import predict_plan
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from shared.ftp.grid import Grid
from shared.wire.map_values import value_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.scale.bare_figures import BareDevice
    from benchmarks.scale.bench_group import ScaleScope, ScaleStep
    from benchmarks.scale.cluster_window import ClusterWindow
    from benchmarks.scale.emulated_bench import EmulatedBench
    from gateway.models.catalogue import Model
    from shared.wire.map_values import MapType

GIGABIT, WIRELESS = Link(1000, shared=False), Link(62, shared=True)

DEEPEST_CUT = "layer_24,layer_26"
"""The maps before YOLOv2's reorganisation, which cannot be divided."""

SEVERAL_FRAMES = ("--frames-in-flight", "3")
PATIENT = ("--deadline", "30", "--lease", "5")
GATEWAY_SPEED = GATEWAY_CORES / EDGE_CORES

MethodAndGrid = tuple[Method, Grid]
STAGED: MethodAndGrid = (Method.STAGED, Grid(2, 3))
STOLEN: MethodAndGrid = (Method.WST, Grid(2, 3))


@dataclass(frozen=True, slots=True)
class DividedRow:
    """A row: the least ratio to the device `alone`, undivided; the best of the plans counts."""

    row: str
    goal: float
    maps: MapType = "float32"
    plans: tuple[MethodAndGrid, ...] = (STAGED, STOLEN)
    cut: str = PAPER_CUT
    alone: str = "edge-1"


@dataclass(frozen=True, slots=True)
class PlanTrial:
    """A plan that ran: its name, the frames a second that were predicted of it, and what was observed."""

    name: str
    predicted_per_s: float
    window: ClusterWindow

    def __str__(self) -> str:
        return (
            f"{self.name}: {rate_text(self.window.frames_per_s)}, {time_text(self.window.latency_s)} a frame, "
            f"predicted {rate_text(self.predicted_per_s)}"
        )


def _step(row: DividedRow, link: Link) -> ScaleStep:
    """Return the step that measures a row on devices with these links."""

    async def measure(bench: EmulatedBench) -> list[ScaleResult]:
        rival, edge = await bench.alone(row.alone), await bench.alone("edge-1")
        model = open_model(bench.model)
        trials = [await _try_plan(bench, model, row, plan, link, edge) for plan in row.plans]
        await bench.close()
        undivided = PartitionedModel.of(model, Grid(1, 1), row.cut)
        bound = bound_frames_per_s(_job(undivided, edge.session.latency_s, row.maps), EDGE_COUNT, link)
        return [divided_result(row, trials, rival, bound)]

    return measure


async def _try_plan(
    bench: EmulatedBench, model: Model, row: DividedRow, plan: MethodAndGrid, link: Link, edge: BareDevice
) -> PlanTrial:
    """Observe one camera with a plan, as fast as its frames are taken."""
    method, grid = plan
    cluster = await bench.restart(
        "--method", method, "--grid", str(grid), "--cut", row.cut, "--maps", row.maps, *PATIENT, NO_COMPUTING_OPTION,
        edge_options=SEVERAL_FRAMES,
    )  # fmt: skip
    window = await cluster.watch(CameraFeed({"camera": "edge-1"}), bench.scope.settle_s, bench.scope.window_s)
    speed = PartitionedModel.whole(model).costs.total * edge.session.frames_per_s
    devices = tuple(DeviceProfile(name, speed, link.rate_bytes) for name in bench.edges)
    profile = ClusterProfile(
        devices, DeviceProfile(GATEWAY_NODE, GATEWAY_SPEED * speed, link.rate_bytes), "edge-1", row.maps
    )
    costs = PartitionedModel.of(model, grid, row.cut, method).costs
    return PlanTrial(f"{method} {grid}", predict_plan(method, costs, profile).frames_per_s, window)


def _job(undivided: PartitionedModel, device_s: float, maps: MapType) -> DividedJob:
    """Return the job for the bound; `device_s`: seconds of the whole network on an edge."""
    costs = undivided.costs
    seconds = device_s / (costs.total + costs.tail)
    return DividedJob(
        device_s=costs.total * seconds,
        pixel_bytes=sum(costs.pixel_bytes),
        result_bytes=sum(costs.result_bytes) * value_bytes(maps) // value_bytes("float32"),
        tail_s=costs.tail * seconds / GATEWAY_SPEED,
    )


def divided_result(row: DividedRow, trials: Sequence[PlanTrial], rival: BareDevice, bound: float) -> ScaleResult:
    """Return the row with its best plan. `bound`: the frames a second that physics allows."""
    best = max(trials, key=lambda trial: trial.window.frames_per_s)
    measured, bare = best.window.frames_per_s, rival.loop.frames_per_s
    plans = "; ".join(map(str, trials))
    return ScaleResult(
        row.row, rate_text(measured), rate_text(bare), rate_text(rival.session.frames_per_s), measured / bare,
        measured >= row.goal * bare,
        f"physics allows {bound / bare:.2f}x, {measured / bound * 100:.0f} % of it was reached; {plans}",
        {
            "measured": measured, "bare": bare, "bound": bound,
            "plans": {
                trial.name: {"measured": trial.window.frames_per_s, "predicted": trial.predicted_per_s,
                             "latency_s": trial.window.latency_s} for trial in trials
            },
        },
    )  # fmt: skip


def _group(name: str, folder: str, link: Link, rows: Sequence[DividedRow], *, whole: bool) -> BenchGroup:
    def open_devices(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
        model = write_yolov2(scope.folder / "models", whole=whole)
        return open_emulated(scope, folder, str(model), EDGE_COUNT, link)

    return BenchGroup(name, True, open_devices, tuple(((row.row,), _step(row, link)) for row in rows))


DIVIDED_GROUPS = (
    _group(
        "YOLOv2's first layers", "head", LINK,
        (DividedRow("head", 3.2), DividedRow("head-half", 3.5, "float16")), whole=False,
    ),
    _group(
        "YOLOv2's first layers, fast links", "head-gigabit", GIGABIT,
        (DividedRow("head-gigabit", 4.4, "float16"),), whole=False,
    ),
    _group(
        "YOLOv2's first layers, one shared medium", "head-shared", WIRELESS,
        (DividedRow("head-shared", 2.6),), whole=False,
    ),
    _group(
        "YOLOv2 divided", "end-to-end", LINK,
        (DividedRow("end-to-end", 2.2, plans=(STAGED,), cut=DEEPEST_CUT, alone=GATEWAY_NODE),), whole=True,
    ),
)  # fmt: skip
"""Without the gateway's own computing: its cores merge, and run the layers behind the cut."""
