"""Rows of one camera whose frames are divided among six weak devices: YOLOv2's first 16 layers, and all of it.

The bare rival computes the same layers undivided in a loop while all other devices do so too, as they share caches and
memory of one machine here; what it does while they are idle is printed beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.cluster.shaping import Link
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bare_figures import sum_of_rates
from benchmarks.scale.bench_group import BenchGroup
from benchmarks.scale.device_rows import EDGE_COUNT, camera_on_each
from benchmarks.scale.emulated_bench import EDGE_CORES, GATEWAY_CORES, LINK, open_emulated
from benchmarks.scale.physical_bound import DividedJob, bound_frames_per_s
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION, CameraFeed
from benchmarks.scale.scale_rows import ScaleResult, rate_text, throughput_result, time_text
from benchmarks.workload import PAPER_CUT, write_yolov2
from gateway.models.catalogue import open_model
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_prediction import predict_plan
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from gateway.planning.tile_allocation import allocate_tiles
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
WEAK_GATEWAY_CORES = EDGE_CORES

PAPER_FLOATS = ("--pixels", "float32")
"""The paper sends pixels as float32, too."""


@dataclass(frozen=True, slots=True)
class DividedPlan:
    """A plan that is tried. `gateway_computes`: its own cores get tiles, too. `maps` on the wire."""

    method: Method
    grid: Grid
    gateway_computes: bool = False
    maps: MapType = "float32"
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.grid}{' with the gateway' if self.gateway_computes else ''}"


STAGED, STOLEN = (Method.STAGED, Grid(2, 3)), (Method.WST, Grid(2, 3))


def _edges_only(maps: MapType = "float32") -> tuple[DividedPlan, ...]:
    return tuple(DividedPlan(*plan, maps=maps) for plan in (STAGED, STOLEN))


EXACT, HALF = _edges_only(), _edges_only("float16")
ALL_OF_IT = (DividedPlan(*STAGED), DividedPlan(Method.STAGED, Grid(2, 4), gateway_computes=True))
OF_THE_PAPER = DividedPlan(Method.WSH, Grid(3, 3), options=PAPER_FLOATS)


@dataclass(frozen=True, slots=True)
class DividedRow:
    """A row: the least ratio to the device `alone`, undivided; the best of the plans counts."""

    row: str
    goal: float
    plans: tuple[DividedPlan, ...] = EXACT
    cut: str = PAPER_CUT
    alone: str = "edge-1"


@dataclass(frozen=True, slots=True)
class PlanTrial:
    """A plan that ran: its name, the frames a second that were predicted of it, what was observed, bytes of a frame."""

    name: str
    predicted_per_s: float
    window: ClusterWindow
    frame_bytes: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.name}: {rate_text(self.window.frames_per_s)}, {time_text(self.window.latency_s)} a frame, "
            f"predicted {rate_text(self.predicted_per_s)}"
        )


def _step(row: DividedRow, link: Link) -> ScaleStep:
    """Return the step that measures a row on devices with these links."""

    async def measure(bench: EmulatedBench) -> list[ScaleResult]:
        rival, undisturbed = await bench.beside_others(row.alone), await bench.alone(row.alone)
        edge = await bench.beside_others("edge-1")
        model = open_model(bench.model)
        trials = [await try_plan(bench, model, row.cut, plan, link) for plan in row.plans]
        await bench.close()
        undivided = PartitionedModel.of(model, Grid(1, 1), row.cut)
        speed = bench.nodes.cores(GATEWAY_NODE) / EDGE_CORES
        job = _job(undivided, edge.session.latency_s, row.plans[0].maps, speed)
        return [divided_result(row, trials, rival, undisturbed, bound_frames_per_s(job, len(bench.edges), link))]

    return measure


async def try_plan(bench: EmulatedBench, model: Model, cut: str, plan: DividedPlan, link: Link) -> PlanTrial:
    """Observe one camera with a plan, as fast as its frames are taken."""
    cluster = await bench.restart(
        "--method", plan.method, "--grid", str(plan.grid), "--cut", cut, "--maps", plan.maps, *PATIENT, *plan.options,
        *(() if plan.gateway_computes else (NO_COMPUTING_OPTION,)), edge_options=SEVERAL_FRAMES,
    )  # fmt: skip
    begun = sent_bytes(bench)
    window = await cluster.watch(CameraFeed({"camera": "edge-1"}), bench.scope.settle_s, bench.scope.window_s)
    published = max((frame.number for frame in window.frames), default=0) + 1
    edge = await bench.beside_others("edge-1")
    costs = PartitionedModel.of(model, plan.grid, cut, plan.method).costs
    profile = _profile(bench, plan, PartitionedModel.whole(model).costs.total * edge.session.frames_per_s, link)
    predicted = predict_plan(plan.method, costs, profile).frames_per_s
    return PlanTrial(str(plan), predicted, window, (sent_bytes(bench) - begun) / published)


def sent_bytes(bench: EmulatedBench) -> int:
    """Return the bytes that all devices have sent."""
    return sum(counted.sent_bytes for name in bench.devices if (counted := bench.nodes.counters(name)) is not None)


def _profile(bench: EmulatedBench, plan: DividedPlan, speed: float, link: Link) -> ClusterProfile:
    """Return the devices, tile by tile if the gateway assigns these; `speed`: operations a second of an edge."""

    def device(name: str) -> DeviceProfile:
        return DeviceProfile(name, speed * bench.nodes.cores(name) / EDGE_CORES, link.rate_bytes)

    devices = tuple(map(device, bench.devices if plan.gateway_computes else bench.edges))
    if plan.method.distribution.by_gateway:
        places = allocate_tiles(plan.grid.count, [each.macs_per_s for each in devices])
        devices = tuple(devices[place] for place in places)
    return ClusterProfile(devices, device(GATEWAY_NODE), "edge-1", plan.maps)


def _job(undivided: PartitionedModel, device_s: float, maps: MapType, gateway_speed: float) -> DividedJob:
    """Return the job for the bound; `device_s`: seconds of the whole network on an edge."""
    costs = undivided.costs
    seconds = device_s / (costs.total + costs.tail)
    return DividedJob(
        device_s=costs.total * seconds,
        pixel_bytes=sum(costs.pixel_bytes),
        result_bytes=sum(costs.result_bytes) * value_bytes(maps) // value_bytes("float32"),
        tail_s=costs.tail * seconds / gateway_speed,
    )


def divided_result(
    row: DividedRow, trials: Sequence[PlanTrial], rival: BareDevice, undisturbed: BareDevice, bound: float
) -> ScaleResult:
    """Return the row with its best plan. `bound`: the frames a second that physics allows."""
    best = max(trials, key=lambda trial: trial.window.frames_per_s)
    measured, bare = best.window.frames_per_s, rival.loop.frames_per_s
    plans = "; ".join(map(str, trials))
    return ScaleResult(
        row.row, rate_text(measured), rate_text(bare), rate_text(rival.session.frames_per_s), measured / bare,
        measured >= row.goal * bare,
        f"physics allows {bound / bare:.2f}x, {measured / bound * 100:.0f} % of it was reached; with the other devices "
        f"idle, the device alone has {rate_text(undisturbed.loop.frames_per_s)}; {plans}",
        {
            "measured": measured, "bare": bare, "undisturbed": undisturbed.loop.frames_per_s, "bound": bound,
            "plans": {
                trial.name: {"measured": trial.window.frames_per_s, "predicted": trial.predicted_per_s,
                             "latency_s": trial.window.latency_s, "bytes": trial.frame_bytes} for trial in trials
            },
        },
    )  # fmt: skip


def _bytes_step(link: Link) -> ScaleStep:
    """Return the step that counts the bytes of a frame, of ours in half precision against the paper's method."""

    async def measure(bench: EmulatedBench) -> list[ScaleResult]:
        await bench.beside_others("edge-1")
        model = open_model(bench.model)
        plans = OF_THE_PAPER, *EXACT, *HALF
        trials = [await try_plan(bench, model, PAPER_CUT, plan, link) for plan in plans]
        await bench.close()
        return [bytes_result(trials[0], trials[1:3], trials[3:])]

    return measure


def bytes_result(paper: PlanTrial, exact: Sequence[PlanTrial], half: Sequence[PlanTrial]) -> ScaleResult:
    """Return the row of bytes; of each kind of plans, the one with the fewest counts."""
    fewest_exact, fewest = (min(trials, key=lambda trial: trial.frame_bytes) for trials in (exact, half))
    saved, saved_exact = (1 - trial.frame_bytes / paper.frame_bytes for trial in (fewest, fewest_exact))
    return ScaleResult(
        "divided-bytes", f"-{saved * 100:.0f} %", f"{paper.frame_bytes / 1e6:.2f} MB", reached=saved >= FEWER_BYTES,
        remark=f"{fewest.frame_bytes / 1e6:.2f} MB a frame ({fewest.name}, half precision); exact "
        f"{fewest_exact.frame_bytes / 1e6:.2f} MB ({fewest_exact.name}), -{saved_exact * 100:.0f} %; "
        f"the other column is {paper.name} with pixels and maps as float32",
        figures={"bytes": {"paper": paper.frame_bytes, "exact": fewest_exact.frame_bytes, "half": fewest.frame_bytes}},
    )  # fmt: skip


FEWER_BYTES = 0.75


async def _unequal(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the throughput of unequal edges with the sum of what each has alone."""
    cluster = await bench.restart(NO_COMPUTING_OPTION, *PATIENT)
    window = await cluster.watch(camera_on_each(bench.edges), bench.scope.settle_s, bench.scope.window_s)
    await bench.close()
    for name in bench.edges:
        await bench.beside_others(name)
    bare, sessions = sum_of_rates(bench.before, bench.edges), bench.session_rate(bench.edges)
    return [throughput_result("unequal", window.frames_per_s, bare, sessions, 0.85, "", window.others_cores)]


UNEQUAL_CORES = tuple(EDGE_CORES * part for part in (1.0, 1.0, 0.5, 0.5, 0.25, 0.25))


def _group(
    name: str, folder: str, link: Link, steps: Sequence[tuple[str, ScaleStep]], *, whole: bool = False,
    edges: Sequence[float] | int = EDGE_COUNT, gateway_cores: float = GATEWAY_CORES,
) -> BenchGroup:  # fmt: skip
    def open_devices(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
        model = write_yolov2(scope.folder / "models", whole=whole)
        return open_emulated(scope, folder, str(model), edges, link, gateway_cores)

    return BenchGroup(name, True, open_devices, tuple(((row,), step) for row, step in steps))


def _rows(link: Link, *rows: DividedRow) -> list[tuple[str, ScaleStep]]:
    return [(row.row, _step(row, link)) for row in rows]


DIVIDED_GROUPS = (
    _group(
        "YOLOv2's first layers", "head", LINK,
        [
            *_rows(LINK, DividedRow("head", 3.2), DividedRow("head-half", 3.5, HALF)),
            ("divided-bytes", _bytes_step(LINK)),
        ],
    ),
    _group(
        "YOLOv2's first layers, fast links", "head-gigabit", GIGABIT,
        _rows(GIGABIT, DividedRow("head-gigabit", 4.4, HALF)),
    ),
    _group(
        "YOLOv2's first layers, one shared medium", "head-shared", WIRELESS,
        _rows(WIRELESS, DividedRow("head-shared", 2.6)),
    ),
    _group(
        "YOLOv2 divided", "end-to-end", LINK,
        _rows(LINK, DividedRow("end-to-end", 2.2, ALL_OF_IT, DEEPEST_CUT, GATEWAY_NODE)), whole=True,
    ),
    _group(
        "YOLOv2 divided, weak gateway", "end-to-end-weak", LINK,
        _rows(LINK, DividedRow("end-to-end-weak", 3.6, ALL_OF_IT, DEEPEST_CUT, GATEWAY_NODE)), whole=True,
        gateway_cores=WEAK_GATEWAY_CORES,
    ),
    _group("unequal edges", "unequal", LINK, [("unequal", _unequal)], edges=UNEQUAL_CORES),
)  # fmt: skip
