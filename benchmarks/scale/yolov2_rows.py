"""Rows of six weak devices with all of YOLOv2 at 608: throughput, the age of frames, overload, and fairness."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.scale.bench_group import BenchGroup
from benchmarks.scale.device_rows import EDGE_COUNT, camera_on_each, compared, observe
from benchmarks.scale.emulated_bench import EmulatedBench, open_emulated
from benchmarks.scale.scale_cluster import CameraFeed
from benchmarks.scale.scale_rows import ScaleResult, latency_result, time_text
from benchmarks.workload import write_yolov2

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from benchmarks.scale.bench_group import ScaleScope
    from benchmarks.scale.cluster_window import ClusterWindow

FULL_LOAD = 3.0
"""Pictures of a camera for each one that its edge alone could compute.

With that many, an edge soon has a new picture even when another device has taken one from it.
"""

OVERLOAD = 12.0
"""Pictures of a camera for each one that its edge alone could compute, when the cluster is overloaded."""

LOW_LOAD = 0.5
"""Pictures of the only camera for each one that its edge alone could compute, so that no frame waits."""

MAX_UNFAIRNESS = 0.05
"""Goal: the largest difference between the frames of two cameras, relative to the mean."""


def _window_s(scope: ScaleScope) -> float:
    """Return the seconds of an observation. It must be long, because a weak device takes seconds for one frame."""
    return 14.0 if scope.quick else 90.0


async def unloaded(bench: EmulatedBench) -> list[ScaleResult]:
    """Observe one camera whose pictures come more slowly than one device computes them."""
    cluster = await bench.cluster()
    rate = LOW_LOAD * bench.before["edge-1"].frames_per_s
    feed = CameraFeed({"camera-1": "edge-1"}, rate)
    bench.windows["unloaded"] = await cluster.watch(feed, bench.scope.warm_s, _window_s(bench.scope) * 2 / 3)
    return []


async def loaded(bench: EmulatedBench) -> list[ScaleResult]:
    """Observe a camera on every edge, all of which send somewhat more pictures than the cluster can compute."""
    await bench.cluster()
    feed = camera_on_each(bench.edges, FULL_LOAD * bench.before["edge-1"].frames_per_s)
    seconds = _window_s(bench.scope)
    await observe(bench, feed, seconds / 3, seconds)
    return []


async def oldest(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the age of the oldest frame at its publication with the latency of one device."""
    window, device = bench.windows["all"], bench.before["edge-1"]
    remark = f"median {time_text(window.latency_s)} of {len(window.frames)} frames"
    return [latency_result("age", window.oldest_s, device.latency_s, bench.sessions["edge-1"].latency_s, 2.0, remark)]


async def overloaded(bench: EmulatedBench) -> list[ScaleResult]:
    """Observe cameras that send twelve times as many pictures as can be computed; return latency and fairness."""
    cluster, seconds = await bench.cluster(), _window_s(bench.scope)
    feed = camera_on_each(bench.edges, OVERLOAD * bench.before["edge-1"].frames_per_s)
    window = await cluster.watch(feed, seconds / 3, seconds)
    fairness = fairness_result(window)
    quiet = bench.windows["unloaded"].latency_s
    device = bench.before["edge-1"].latency_s
    lost = ", ".join(f"{count} {reason}" for reason, count in window.dropped.items()) or "none"
    remark = f"one device alone {time_text(device)}; dropped: {lost}"
    if not quiet:
        return [fairness, ScaleResult("overload", "no frame was published without load", reached=False)]
    slow = latency_result("overload", window.latency_s, quiet, bench.sessions["edge-1"].latency_s, 2.0, remark)
    return [fairness, replace(slow, bare=f"{time_text(quiet)} unloaded")]


def fairness_result(window: ClusterWindow) -> ScaleResult:
    """Return the row of fairness. It is undecided if cameras differ by one frame, but have too few for the goal."""
    counts = list(window.counts.values())
    close = window.unfairness <= MAX_UNFAIRNESS
    undecided = not close and min(counts) > 0 and max(counts) - min(counts) <= 1
    text = f"frames of each camera: {', '.join(map(str, counts))}"
    return ScaleResult(
        "fairness", f"{window.unfairness * 100:.0f} %", reached=None if undecided else close and min(counts) > 0,
        remark=f"{text}; too few to say more" if undecided else text, figures={"counts": counts},
    )  # fmt: skip


async def yolov2_throughput(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the observed throughput with the sum of the bare devices' throughput."""
    return [
        await compared(bench, "yolov2", 0.95, edges_only=True),
        await compared(bench, "yolov2-gateway", 0.90, edges_only=False),
    ]


def _open(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "yolov2", str(write_yolov2(scope.folder / "models", whole=True)), EDGE_COUNT)


_THROUGHPUT = ("yolov2", "yolov2-gateway")
YOLOV2 = BenchGroup(
    "YOLOv2", True, _open,
    (
        (("overload", "fairness"), unloaded), ((*_THROUGHPUT, "age"), loaded), (("age",), oldest),
        (("overload", "fairness"), overloaded), (_THROUGHPUT, yolov2_throughput),
    ),
)  # fmt: skip
