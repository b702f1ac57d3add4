"""Rows of one camera whose frames are divided among six weak devices: YOLOv2's first 16 layers, and all of it.

They are compared with one device alone, whose bare loop computes the same layers undivided. All other devices run bare
loops at the same time, because here they share the caches and the memory of one machine; otherwise the device alone
would be faster than in the cluster. Its speed while the others are idle is printed as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.cluster.shaping import Link
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bare_figures import sum_of_rates
from benchmarks.scale.bench_group import BenchGroup
from benchmarks.scale.device_rows import EDGE_COUNT, camera_on_each
from benchmarks.scale.divided_plans import PATIENT, DividedPlan, PlanTrial, try_plan
from benchmarks.scale.emulated_bench import EDGE_CORES, GATEWAY_CORES, LINK, open_emulated
from benchmarks.scale.physical_bound import DividedJob, bound_frames_per_s
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION
from benchmarks.scale.scale_rows import ScaleResult, rate_text, throughput_result, time_text
from benchmarks.workload import PAPER_CUT, write_yolov2
from gateway.models.catalogue import open_model
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from shared.ftp.grid import Grid
from shared.wire.map_values import value_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.scale.bare_figures import BareDevice
    from benchmarks.scale.bench_group import ScaleScope, ScaleStep
    from benchmarks.scale.emulated_bench import EmulatedBench
    from shared.wire.map_values import MapType

GIGABIT, WIRELESS = Link(1000, shared=False), Link(62, shared=True)

DEEPEST_CUT = "layer_24,layer_26"
"""The maps before YOLOv2's reorganisation, a layer that cannot be divided."""

WEAK_GATEWAY_CORES = EDGE_CORES
"""Cores of a gateway that is no faster than an edge."""

PAPER_CORES = 0.06
"""With this part of a core, an edge is as slow as one of the paper's with the authors' program."""

PAPER_FLOATS = ("--pixels", "float32")
"""Options of a gateway that sends pixels as float32, as the paper does."""

FEWER_BYTES = 0.75
"""Goal: the share of the bytes of the paper's method that is not sent."""

MAX_MAPS_SHARE = 0.25
"""Goal: the memory of the largest tile's maps, divided by that of the whole network's maps."""


def _edges_only(maps: MapType = "float32") -> tuple[DividedPlan, ...]:
    return DividedPlan(Method.STAGED, maps=maps), DividedPlan(Method.WST, Grid(2, 3), maps)


EXACT, HALF = _edges_only(), _edges_only("float16")
"""Plans for the first 16 layers: maps as they are, and in half precision."""

ALL_OF_IT = DividedPlan(Method.STAGED, alone=True), DividedPlan(Method.WHOLE)
"""Plans for all layers of YOLOv2."""

UNEVEN = tuple(
    DividedPlan(method, grid, alone=True)
    for method, grid in ((Method.STAGED, None), (Method.STAGED, Grid(3, 4)), (Method.WST, Grid(3, 4)))
)
"""Plans for edges of unequal speed: tiles of unequal size, or more tiles than edges."""

OF_THE_PAPER = DividedPlan(Method.WSH, Grid(3, 3), options=PAPER_FLOATS)
"""The paper's method, with whose bytes ours are compared."""


@dataclass(frozen=True, slots=True)
class DividedRow:
    """A row that compares a cluster with the device `alone`, which computes frames undivided.

    `goal`: the least ratio of the cluster's throughput to the device's; `plans`: the best of them counts; `cut`: the
    maps up to which frames are divided; `memory`: also measure the row of memory; `windows`: how many times the usual
    time each plan is observed, more for frames that take long.
    """

    row: str
    goal: float
    plans: tuple[DividedPlan, ...] = EXACT
    cut: str = PAPER_CUT
    alone: str = "edge-1"
    memory: bool = False
    windows: int = 1

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the names of the rows that one step measures."""
        return (self.row, "divided-memory") if self.memory else (self.row,)


def _step(row: DividedRow, link: Link) -> ScaleStep:
    """Return the step that measures a row on devices with these links."""

    async def measure(bench: EmulatedBench) -> list[ScaleResult]:
        alone, undisturbed = await bench.beside_others(row.alone), await bench.alone(row.alone)
        edge = await bench.beside_others("edge-1")
        model = open_model(bench.model)
        trials = [await try_plan(bench, model, row.cut, plan, link, row.windows) for plan in row.plans]
        await bench.close()
        undivided = PartitionedModel.of(model, Grid(1, 1), row.cut)
        job = _job(undivided, edge.session.latency_s, row.plans[0].maps, bench.relative_speed(GATEWAY_NODE))
        bound = bound_frames_per_s(job, [bench.relative_speed(name) for name in bench.edges], link)
        if any(plan.whole for plan in row.plans):
            bound = max(bound, bench.session_rate(bench.devices))
        result = divided_result(row, trials, alone, undisturbed, bound)
        return [result, memory_result(trials)] if row.memory else [result]

    return measure


def _job(undivided: PartitionedModel, device_s: float, maps: MapType, gateway_speed: float) -> DividedJob:
    """Return a frame's work, from which the physical bound is computed.

    `device_s`: seconds that an edge needs for the whole network; `gateway_speed`: relative to an edge.
    """
    costs = undivided.costs
    seconds = device_s / (costs.total + costs.tail)
    return DividedJob(
        device_s=costs.total * seconds,
        pixel_bytes=sum(costs.pixel_bytes),
        result_bytes=sum(costs.result_bytes) * value_bytes(maps) // value_bytes("float32"),
        tail_s=costs.tail * seconds / gateway_speed,
    )


def divided_result(
    row: DividedRow, trials: Sequence[PlanTrial], alone: BareDevice, undisturbed: BareDevice, bound: float
) -> ScaleResult:
    """Return the result of the row's best plan.

    `alone`: the device with which it is compared, while the others run bare loops; `undisturbed`: the same device
    while the others are idle; `bound`: the frames a second that physics allows.
    """
    best = max(trials, key=lambda trial: trial.window.frames_per_s)
    measured, bare = best.window.frames_per_s, alone.loop.frames_per_s
    plans = "; ".join([*_single_frame_texts(trials, undisturbed), *map(str, trials)])
    return ScaleResult(
        row.row, rate_text(measured), rate_text(bare), rate_text(alone.session.frames_per_s), measured / bare,
        measured >= row.goal * bare,
        f"physics allows {bound / bare:.2f}x, {measured / bound * 100:.0f} % of it was reached; with the other devices "
        f"idle, the device alone has {rate_text(undisturbed.loop.frames_per_s)}; {plans}",
        {
            "measured": measured, "bare": bare, "undisturbed": undisturbed.loop.frames_per_s, "bound": bound,
            "plans": {trial.name: trial.figures for trial in trials},
        },
    )  # fmt: skip


def _single_frame_texts(trials: Sequence[PlanTrial], undisturbed: BareDevice) -> list[str]:
    """Return a text that compares the latency of a frame, while there is no other, with that of the device alone.

    It is that of the best plan. The list is empty if no plan was measured in this way.
    """
    soonest = min((trial.alone_s for trial in trials if trial.alone_s), default=0.0)
    if not soonest:
        return []
    here = undisturbed.loop.latency_s
    return [f"a frame alone takes {time_text(soonest)}, on the device {time_text(here)}: {here / soonest:.2f}x"]


def memory_result(trials: Sequence[PlanTrial]) -> ScaleResult:
    """Return the row of memory. The first plan that divides frames counts; the others are in the remark."""
    divided = next(trial for trial in trials if trial.maps_share < 1)
    used = "; ".join(f"{trial.name}: {trial.memory_bytes / 1e6:.0f} MB" for trial in trials)
    return ScaleResult(
        "divided-memory", f"{divided.maps_share * 100:.0f} %", reached=divided.maps_share <= MAX_MAPS_SHARE,
        remark=f"{divided.name}, the largest tile; every weight is once in a device's memory. Proportional memory of "
        f"the edge that has most: {used}",
        figures={"memory": {trial.name: trial.memory_bytes for trial in trials}},
    )  # fmt: skip


def _bytes_step(link: Link) -> ScaleStep:
    """Return the step that compares the bytes of a frame: our plans in half precision with the paper's method."""

    async def measure(bench: EmulatedBench) -> list[ScaleResult]:
        await bench.beside_others("edge-1")
        model = open_model(bench.model)
        plans = OF_THE_PAPER, *EXACT, *HALF
        trials = [await try_plan(bench, model, PAPER_CUT, plan, link) for plan in plans]
        await bench.close()
        return [bytes_result(trials[0], trials[1:3], trials[3:])]

    return measure


def bytes_result(paper: PlanTrial, exact: Sequence[PlanTrial], half: Sequence[PlanTrial]) -> ScaleResult:
    """Return the row of bytes. Of the `exact` plans and of those in `half` precision, that with the fewest counts."""
    fewest_exact, fewest = (min(trials, key=lambda trial: trial.frame_bytes) for trials in (exact, half))
    saved, saved_exact = (1 - trial.frame_bytes / paper.frame_bytes for trial in (fewest, fewest_exact))
    return ScaleResult(
        "divided-bytes", f"-{saved * 100:.0f} %", f"{paper.frame_bytes / 1e6:.2f} MB", reached=saved >= FEWER_BYTES,
        remark=f"{fewest.frame_bytes / 1e6:.2f} MB a frame ({fewest.name}, half precision); exact "
        f"{fewest_exact.frame_bytes / 1e6:.2f} MB ({fewest_exact.name}), -{saved_exact * 100:.0f} %; "
        f"the other column is {paper.name} with pixels and maps as float32",
        figures={"bytes": {"paper": paper.frame_bytes, "exact": fewest_exact.frame_bytes, "half": fewest.frame_bytes}},
    )  # fmt: skip


async def _unequal(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the throughput of a cluster of unequal edges with the sum of their throughput alone."""
    cluster = await bench.restart(NO_COMPUTING_OPTION, *PATIENT)
    window = await cluster.watch(camera_on_each(bench.edges), bench.scope.settle_s, bench.scope.window_s)
    await bench.close()
    for name in bench.edges:
        await bench.beside_others(name)
    bare, sessions = sum_of_rates(bench.before, bench.edges), bench.session_rate(bench.edges)
    return [throughput_result("unequal", window.frames_per_s, bare, sessions, 0.85, "", window.others_cores)]


async def _unequal_head(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the throughput of unequal edges that divide one camera's frames with the sum of what each has alone."""
    for name in bench.edges:
        await bench.beside_others(name)
    model = open_model(bench.model)
    trials = [await try_plan(bench, model, PAPER_CUT, plan, LINK, windows=3) for plan in UNEVEN]
    await bench.close()
    best = max(trials, key=lambda trial: trial.window.frames_per_s)
    bare, sessions = sum_of_rates(bench.before, bench.edges), bench.session_rate(bench.edges)
    plans = "; ".join([*_single_frame_texts(trials, await bench.alone("edge-1")), *map(str, trials)])
    others = best.window.others_cores
    result = throughput_result("unequal-head", best.window.frames_per_s, bare, sessions, 0.85, plans, others)
    return [replace(result, figures=result.figures | {"plans": {trial.name: trial.figures for trial in trials}})]


UNEQUAL_CORES = tuple(EDGE_CORES * part for part in (1.0, 1.0, 0.5, 0.5, 0.25, 0.25))
"""Cores of each edge in the rows of unequal edges."""


def _group(
    name: str, folder: str, link: Link, steps: Sequence[tuple[tuple[str, ...], ScaleStep]], *, whole: bool = False,
    edges: Sequence[float] | int = EDGE_COUNT, gateway_cores: float = GATEWAY_CORES,
) -> BenchGroup:  # fmt: skip
    def open_devices(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
        model = write_yolov2(scope.folder / "models", whole=whole)
        return open_emulated(scope, folder, str(model), edges, link, gateway_cores)

    return BenchGroup(name, True, open_devices, tuple(steps))


def _rows(link: Link, *rows: DividedRow) -> list[tuple[tuple[str, ...], ScaleStep]]:
    return [(row.rows, _step(row, link)) for row in rows]


DIVIDED_GROUPS = (
    _group(
        "YOLOv2's first layers", "head", LINK,
        [
            *_rows(LINK, DividedRow("head", 3.2), DividedRow("head-half", 3.5, HALF)),
            (("divided-bytes",), _bytes_step(LINK)),
        ],
    ),
    _group(
        "YOLOv2's first layers, fast links", "head-gigabit", GIGABIT,
        _rows(GIGABIT, DividedRow("head-gigabit", 4.4, HALF)),
    ),
    _group(
        "YOLOv2's first layers, one shared medium", "head-shared", WIRELESS,
        _rows(WIRELESS, DividedRow("head-shared", 2.6), DividedRow("head-shared-half", 3.0, HALF)),
    ),
    _group(
        "YOLOv2's first layers, edges of the paper's speed", "head-paper-speed", LINK,
        _rows(LINK, DividedRow("head-paper-speed", 4.3, HALF, windows=4)), edges=(PAPER_CORES,) * EDGE_COUNT,
    ),
    _group(
        "YOLOv2 divided", "end-to-end", LINK,
        _rows(LINK, DividedRow("end-to-end", 2.2, ALL_OF_IT, DEEPEST_CUT, GATEWAY_NODE, memory=True, windows=3)),
        whole=True,
    ),
    _group(
        "YOLOv2 divided, weak gateway", "end-to-end-weak", LINK,
        _rows(LINK, DividedRow("end-to-end-weak", 3.6, ALL_OF_IT, DEEPEST_CUT, GATEWAY_NODE, windows=3)), whole=True,
        gateway_cores=WEAK_GATEWAY_CORES,
    ),
    _group("unequal edges", "unequal", LINK, [(("unequal",), _unequal)], edges=UNEQUAL_CORES),
    _group(
        "unequal edges, YOLOv2's first layers", "unequal-head", LINK, [(("unequal-head",), _unequal_head)],
        edges=UNEQUAL_CORES,
    ),
)  # fmt: skip
