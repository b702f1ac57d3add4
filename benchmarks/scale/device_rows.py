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
"""As many edges as the paper has."""

UNHURRIED_FPS = 2.0
"""Pictures a second of a camera whose frames never wait for each other: fewer than any device computes."""

SLOW_OWNER_FPS = 0.5
"""Pictures a second of such a camera if its own edge is ten times slower."""

SLOWER = 10
"""By this factor the slow edge is slower than the others."""

THIN_LINK = Link(2, shared=False)
LAST_EDGE = f"edge-{EDGE_COUNT}"
"""The edge that is slowed down, or that gets the slow link."""

LATENCY_SLACK_S = 0.01
"""The goal of latency also counts as reached if the cluster takes no more than this time longer than the device alone.
"""

MEASURING_S = 30.0
"""In this time, idle edges measure the cost of each kind of layer. A slow edge has hardly time for tiles meanwhile."""


def camera_on_each(edges: Sequence[str], fps: float | None = None) -> CameraFeed:
    """Return a feed with a camera for each edge."""
    return CameraFeed({edge.replace("edge", "camera"): edge for edge in edges}, fps)


async def watch_all(bench: EmulatedBench) -> list[ScaleResult]:
    """Observe a camera on every edge, which sends pictures as fast as they are taken.

    The warm-up is long enough for the gateway to search for its first plans.
    """
    await observe(bench, camera_on_each(bench.edges), bench.scope.settle_s, bench.scope.window_s)
    return []


async def measure_alone(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure the best devices alone. This must come before the cluster starts, which takes some of their time."""
    await best_alone(bench)
    return []


async def observe(bench: EmulatedBench, feed: CameraFeed, warm_s: float, seconds: float) -> None:
    """Observe the cluster, and then once more with a gateway that computes no tiles, if it has an option for that."""
    bench.windows["all"] = await (await bench.cluster()).watch(feed, warm_s, seconds)
    if can_gateway_stand_aside():
        aside = await bench.restart(NO_COMPUTING_OPTION)
        bench.windows["edges"] = await aside.watch(feed, warm_s, seconds)
        await bench.restart()


async def with_slow_edge(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure latency while one edge is ten times slower: first another edge, then the camera's own."""

    @contextmanager
    def slow() -> Iterator[None]:
        bench.nodes.set_cpu(LAST_EDGE, EDGE_CORES / SLOWER)
        yield
        bench.nodes.set_cpu_limits()

    await (await bench.cluster()).pause(MEASURING_S)
    at_owner = EdgeTrouble(LAST_EDGE, slow, fps=SLOW_OWNER_FPS, slower=SLOWER)
    return await _worst_latency(bench, "slow-edge", EdgeTrouble("edge-1", slow), at_owner)


async def with_thin_link(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure latency while one edge has a slow link: first another edge, then the camera's own."""

    @contextmanager
    def thin() -> Iterator[None]:
        bench.nodes.set_rate(LAST_EDGE, THIN_LINK)
        try:
            yield
        finally:  # each measurement sets the CPU limits of all nodes again, but not the links
            bench.nodes.set_rate(LAST_EDGE, LINK)

    another, own = EdgeTrouble("edge-1", thin), EdgeTrouble(LAST_EDGE, thin, THIN_LINK)
    return await _worst_latency(bench, "thin-link", another, own)


@dataclass(frozen=True, slots=True)
class EdgeTrouble:
    """Trouble with the last edge while a camera is observed.

    `owner`: the camera's own edge, which has this `link`, and is `slower` by this factor; `begin`: makes the context
    in which there is trouble; `fps`: of the camera.
    """

    owner: str
    begin: Callable[[], AbstractContextManager[None]]
    link: Link = LINK
    fps: float = UNHURRIED_FPS
    slower: float = 1


async def _worst_latency(bench: EmulatedBench, row: str, *troubles: EdgeTrouble) -> list[ScaleResult]:
    """Measure latency with trouble at another edge, then with trouble at the camera's own; return the worse result."""
    cluster, found = await bench.cluster(), []
    for trouble in troubles:
        best, session = await best_alone(bench, trouble.link, trouble.slower)
        feed = CameraFeed({"camera": trouble.owner}, trouble.fps)
        seconds = bench.scope.latency_s * UNHURRIED_FPS / trouble.fps
        window = await cluster.watch(feed, bench.scope.settle_s, seconds, trouble.begin())
        found.append(latency_result(row, window.latency_s, best, session, 1.05, ""))
    another, own = (f"{result.measured} of {result.bare}" for result in found)
    # If no frame was published, there is no ratio. Nothing is worse than that.
    worst = max(found, key=lambda result: result.ratio or math.inf)
    return [replace(worst, remark=f"another edge: {another}; the camera's own: {own}; the worse is here")]


async def best_alone(bench: EmulatedBench, link: Link = LINK, slower: float = 1) -> tuple[float, float]:
    """Return the latency of the best device alone, and that of `session.run` on it, both in seconds.

    That is the camera's own edge, or the gateway with the time to send a picture to it. `link`: of the camera's own
    edge, which is `slower` by this factor. The edge captures and scales the picture in both cases.
    """
    edge, gateway = await bench.alone("edge-1"), await bench.alone(GATEWAY_NODE)
    sending_s = bench.picture_bytes() / link.rate_bytes
    around_network_s = max(0.0, edge.loop.latency_s - edge.session.latency_s)
    on_edge_s = edge.loop.latency_s * slower
    on_gateway_s = gateway.loop.latency_s + sending_s + around_network_s * (slower - 1)
    if on_edge_s <= on_gateway_s:
        return on_edge_s, edge.session.latency_s * slower
    return on_gateway_s, gateway.session.latency_s + sending_s


async def one_camera(bench: EmulatedBench) -> list[ScaleResult]:
    """Measure one camera's latency with all edges, and then with fewer and fewer."""
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
    """Compare the observed throughput with the sum of the bare devices' throughput."""
    return [
        await compared(bench, "built-in", 0.90, edges_only=True),
        await compared(bench, "built-in-gateway", 0.85, edges_only=False),
    ]


async def compared(bench: EmulatedBench, row: str, goal: float, *, edges_only: bool) -> ScaleResult:
    """Return a row of throughput against the sum of all bare devices, or of the edges only; `goal`: the least ratio.

    With `edges_only`, the window counts in which the gateway computed no tiles, if it has an option for that.
    """
    devices = await bench.compare()
    window = bench.windows.get("edges", bench.windows["all"]) if edges_only else bench.windows["all"]
    names = bench.edges if edges_only else bench.devices
    computing = window.share_computed_by(GATEWAY_NODE) * 100
    return throughput_result(
        row, window.frames_per_s, sum_of_rates(devices, names), bench.session_rate(names), goal,
        f"the gateway computed {computing:.0f} % of the tiles; {bench.remark}", window.others_cores,
    )  # fmt: skip


async def one_edge_throughput(bench: EmulatedBench) -> list[ScaleResult]:
    """Compare the throughput of one edge and its gateway with that of the edge alone."""
    row = "one-edge" if bench.model == DEFAULT_MODEL else "one-edge-depthwise"
    return [await compared(bench, row, 0.92, edges_only=True)]


async def handling(bench: EmulatedBench) -> list[ScaleResult]:
    """Return the row of the CPU time of a frame beyond what the steps of a bare loop need."""
    cluster = await bench.cluster()
    edge = "edge-1"
    # Frames that the gateway computes as a whole would count as its handling, so it should compute none.
    window = bench.windows.get("edges", bench.windows["all"])
    return [handling_result(window, bench.model, cluster.state.plan, bench.before[edge],
                            bench.sessions[edge], edge)]  # fmt: skip


def _six_edges(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "six-edges", DEFAULT_MODEL, EDGE_COUNT)


def _one_edge(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "one-edge", DEFAULT_MODEL, 1)


def _depthwise(scope: ScaleScope) -> AbstractAsyncContextManager[EmulatedBench]:
    return open_emulated(scope, "depthwise", str(write_depthwise(scope.folder / "models")), 1)


_THROUGHPUT = ("built-in", "built-in-gateway")
_LATENCY = ("slow-edge", "thin-link", "one-camera")
SIX_EDGES = BenchGroup(
    "six edges", True, _six_edges,
    (
        (_LATENCY, measure_alone), (_THROUGHPUT, watch_all), (("slow-edge",), with_slow_edge),
        (("thin-link",), with_thin_link), (("one-camera",), one_camera), (_THROUGHPUT, built_in_throughput),
    ),
)  # fmt: skip
ONE_EDGE = BenchGroup(
    "one edge", True, _one_edge,
    ((("one-edge", "handling"), watch_all), (("handling",), handling), (("one-edge",), one_edge_throughput)),
)  # fmt: skip
DEPTHWISE = BenchGroup(
    "a depthwise network", True, _depthwise,
    ((("one-edge-depthwise",), watch_all), (("one-edge-depthwise",), one_edge_throughput)),
)  # fmt: skip
