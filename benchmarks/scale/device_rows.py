"""Rows of six weak devices with the built-in network, of one of them, and of a depthwise network."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.cluster.shaping import Link
from benchmarks.depthwise import write_depthwise
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bare_figures import sum_of_rates
from benchmarks.scale.bench_group import BenchGroup
from benchmarks.scale.emulated_bench import (
    EDGE_CORES,
    LINK,
    EmulatedBench,
    can_gateway_stand_aside,
    open_emulated,
)
from benchmarks.scale.handling import handling_result
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION, CameraFeed
from benchmarks.scale.scale_rows import ScaleResult, latency_result, throughput_result
from gateway.models.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from benchmarks.scale.bench_group import ScaleScope

EDGE_COUNT = 6
UNHURRIED_FPS = 2.0
"""Pictures a second of one camera: fewer than any device computes, so that none waits for the one before."""

SLOW_OWNER_FPS = 0.5
"""The same for a camera whose own edge is ten times slower."""

SLOWER = 10
THIN = Link(2, shared=False)
LAST_EDGE = f"edge-{EDGE_COUNT}"
LATENCY_SLACK_S = 0.01

MEASURING_S = 30.0
"""Until idle edges have measured what kinds of layers cost: that takes most of a slow one's time for half a minute."""


def camera_on_each(edges: Sequence[str], fps: float | None = None) -> CameraFeed:
    """Return a feed with a camera for each edge."""
    return CameraFeed({edge.replace("edge", "camera"): edge for edge in edges}, fps)


async def watch_all(bench: EmulatedBench) -> list[ScaleResult]:
    """Observe a camera on every edge, each as fast as its frames are taken; the first plans are searched before."""
    await observe(bench, camera_on_each(bench.edges), bench.scope.settle_s, bench.scope.window_s)
    return []


async def measure_alone(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure the best devices alone, before there is a cluster, whose start takes some of their time."""
    await best_alone(bench)
    return []


async def observe(bench: EmulatedBench, feed: CameraFeed, warm_s: float, seconds: float) -> None:
    """Observe the cluster, and if it can be told so, once more without the gateway's computing."""
    bench.windows["all"] = await (await bench.cluster()).watch(feed, warm_s, seconds)
    if can_gateway_stand_aside():
        aside = await bench.restart(NO_COMPUTING_OPTION)
        bench.windows["edges"] = await aside.watch(feed, warm_s, seconds)
        await bench.restart()


async def with_slow_edge(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure latency while one edge is ten times slower: not the camera's, then the camera's own."""

    @contextmanager
    def slow() -> Iterator[None]:
        bench.nodes.set_cpu(LAST_EDGE, EDGE_CORES / SLOWER)
        yield
        bench.nodes.set_cpu_limits()

    await (await bench.cluster()).pause(MEASURING_S)
    at_owner = Trouble(LAST_EDGE, slow, fps=SLOW_OWNER_FPS, slower=SLOWER)
    return await _in_trouble(bench, "slow-edge", Trouble("edge-1", slow), at_owner)


async def with_thin_link(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure latency while one edge has a slow link: not the camera's, then the camera's own."""

    @contextmanager
    def thin() -> Iterator[None]:
        bench.nodes.set_rate(LAST_EDGE, THIN)
        try:
            yield
        finally:  # the limits of all are set for each measurement, but links are not
            bench.nodes.set_rate(LAST_EDGE, LINK)

    return await _in_trouble(bench, "thin-link", Trouble("edge-1", thin), Trouble(LAST_EDGE, thin, THIN))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Trouble with an edge while a camera is observed: the camera's `owner`, its link, and how much slower it is."""

    owner: str
    begin: Callable[[], AbstractContextManager[None]]
    link: Link = LINK
    fps: float = UNHURRIED_FPS
    slower: float = 1


async def _in_trouble(bench: EmulatedBench, row: str, *troubles: Trouble) -> list[ScaleResult]:
    """Return the worse of two measurements: in the second, the trouble is with the camera's own edge."""
    cluster, found = await bench.cluster(), []
    for trouble in troubles:
        best, session = await best_alone(bench, trouble.link, trouble.slower)
        feed = CameraFeed({"camera": trouble.owner}, trouble.fps)
        seconds = bench.scope.latency_s * UNHURRIED_FPS / trouble.fps
        window = await cluster.watch(feed, bench.scope.settle_s, seconds, trouble.begin())
        found.append(latency_result(row, window.latency_s, best, session, 1.05, ""))
    another, own = (f"{result.measured} of {result.bare}" for result in found)
    # Without a frame there is no ratio, which is the worst.
    worst = max(found, key=lambda result: result.ratio or math.inf)
    return [replace(worst, remark=f"another edge: {another}; the camera's own: {own}; the worse is here")]


async def best_alone(bench: EmulatedBench, link: Link = LINK, slower: float = 1) -> tuple[float, float]:
    """Return the latency of the best device alone, the picture's way to it counted, and that of `session.run` there.

    `link`: of the camera's own edge, which is `slower` by this factor: it captures and scales the picture in any case.
    """
    edge, gateway = await bench.alone("edge-1"), await bench.alone(GATEWAY_NODE)
    way_s = bench.picture_bytes() / link.rate_bytes
    around_s = max(0.0, edge.loop.latency_s - edge.session.latency_s)
    here = edge.loop.latency_s * slower
    there = gateway.loop.latency_s + way_s + around_s * (slower - 1)
    if here <= there:
        return here, edge.session.latency_s * slower
    return there, gateway.session.latency_s + way_s


async def one_camera(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure one camera's latency with fewer and fewer edges."""
    cluster = await bench.cluster()
    best, session = await best_alone(bench)
    counts = (EDGE_COUNT, 1) if bench.scope.quick else range(EDGE_COUNT, 0, -1)
    found: dict[int, float] = {}
    for count in counts:
        for name in list(cluster.edges)[count:]:
            await cluster.stop_edge(name)
        feed = CameraFeed({"camera": "edge-1"}, UNHURRIED_FPS)
        found[count] = (await cluster.watch(feed, bench.scope.settle_s, bench.scope.latency_s)).latency_s
    worst = max(found, key=lambda count: found[count] or float("inf"))
    text = ", ".join(f"{count}: {seconds * 1e3:.0f} ms" for count, seconds in sorted(found.items()))
    result = latency_result(
        "one-camera", found[worst], best, session, 1.10, f"the worst of, by edges: {text}", LATENCY_SLACK_S
    )
    result.figures["by_edges"] = {str(count): seconds for count, seconds in sorted(found.items())}
    return [result]


async def built_in_throughput(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare what was observed with the sum of the bare devices."""
    return [
        await compared(bench, "built-in", 0.90, edges_only=True),
        await compared(bench, "built-in-gateway", 0.85, edges_only=False),
    ]


async def compared(bench: EmulatedBench, row: str, goal: float, *, edges_only: bool) -> ScaleResult:
    """Return a row of throughput against the sum of the edges, or of these and the gateway.

    The former was observed while the gateway took no part in computing, if it can be told so.
    """
    devices = await bench.compare()
    window = bench.windows.get("edges", bench.windows["all"]) if edges_only else bench.windows["all"]
    names = bench.edges if edges_only else bench.devices
    computing = window.share_computed_by(GATEWAY_NODE) * 100
    return throughput_result(
        row, window.frames_per_s, sum_of_rates(devices, names), bench.session_rate(names), goal,
        f"the gateway computed {computing:.0f} % of the tiles; {bench.remark}", window.others_cores,
    )  # fmt: skip


async def of_one_edge(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare one edge and its gateway with the edge alone."""
    row = "one-edge" if bench.model == DEFAULT_MODEL else "one-edge-depthwise"
    return [await compared(bench, row, 0.92, edges_only=True)]


async def handling(bench: EmulatedBench) -> list[ScaleResult]:
    """Return the processor time of a frame that the reference's steps do not need."""
    cluster = await bench.cluster()
    edge = "edge-1"
    window = bench.windows.get("edges", bench.windows["all"])  # whole frames of the gateway would count as its handling
    return [handling_result(window, bench.model, cluster.state.plan, bench.before[edge],
                            bench.sessions[edge], edge)]  # fmt: skip


def _six_edges(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "six-edges", DEFAULT_MODEL, EDGE_COUNT)


def _one_edge(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "one-edge", DEFAULT_MODEL, 1)


def _depthwise(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "depthwise", str(write_depthwise(scope.folder / "models")), 1)


_ALL = ("built-in", "built-in-gateway")
_TROUBLED = ("slow-edge", "thin-link", "one-camera")
SIX_EDGES = BenchGroup(
    "six edges", True, _six_edges,
    (
        (_TROUBLED, measure_alone), (_ALL, watch_all), (("slow-edge",), with_slow_edge),
        (("thin-link",), with_thin_link), (("one-camera",), one_camera), (_ALL, built_in_throughput),
    ),
)  # fmt: skip
ONE_EDGE = BenchGroup(
    "one edge", True, _one_edge,
    ((("one-edge", "handling"), watch_all), (("handling",), handling), (("one-edge",), of_one_edge)),
)  # fmt: skip
DEPTHWISE = BenchGroup(
    "a depthwise network", True, _depthwise,
    ((("one-edge-depthwise",), watch_all), (("one-edge-depthwise",), of_one_edge)),
)  # fmt: skip
