"""Rows that are measured on this machine without limits, on loopback: throughput, cores, memory, first detections."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.cluster.nodes import LoopbackNodes
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bare_devices import BareDevices, open_bare
from benchmarks.scale.bare_export import export_bare
from benchmarks.scale.bare_figures import BareFigures, drift, mean_figures, sum_of_rates
from benchmarks.scale.bench_group import BenchGroup, ScaleScope
from benchmarks.scale.process_trees import process_tree, proportional_bytes
from benchmarks.scale.scale_cluster import CameraFeed, ClusterSetup, open_cluster
from benchmarks.scale.scale_rows import ScaleResult, throughput_result
from benchmarks.witnessing import WitnessedState, witness_messages
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL
from shared.network.addresses import LOOPBACK, Address
from shared.process.free_ports import free_port
from shared.process.local_cluster import LocalCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from benchmarks.scale.cluster_window import ClusterWindow

LOOPS = ("loop-1", "loop-2")
"""Names of the bare loops, one for each of two cores."""

EDGE = "edge-1"
SETTLED_FRAMES = 15
"""Frames of each camera before memory is read: by then, every process has loaded all that it needs."""

FIRST_DETECTIONS_TIMEOUT_S = 120.0
"""Time until there are detections of all cameras; edges prepare programs before these."""

_MB = 1e6
GATEWAY_GOAL_MB, EDGE_GOAL_MB, CAMERA_GOAL_MB = 150, 90, 40
"""Goals: the most proportional memory of a gateway, of an edge, and of each camera after the first."""


@dataclass(slots=True)
class MachineBench:
    """Two bare loops, and what was observed of the cluster that ran on this machine between their measurements.

    `edge`: the edge as the gateway described it.
    """

    scope: ScaleScope
    nodes: LoopbackNodes
    bare: BareDevices
    window: ClusterWindow | None = None
    edge: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def _open_machine(scope: ScaleScope) -> AsyncIterator[MachineBench]:
    nodes = LoopbackNodes("not needed")
    description = export_bare(DEFAULT_MODEL, scope.folder / "models")
    async with open_bare(nodes, LOOPS, description, scope.logs("one-machine")) as bare:
        yield MachineBench(scope, nodes, bare)


async def one_machine(bench: MachineBench) -> list[ScaleResult]:
    """Compare a gateway, one edge and two cameras with two bare loops, which run before and after the cluster."""
    scope = bench.scope
    before, sessions = await bench.bare.measure(scope.loop), await bench.bare.measure(scope.session)
    setup = ClusterSetup(DEFAULT_MODEL, (EDGE,), scope.gateway_options)
    logs, cache = scope.logs("one-machine"), scope.folder / "cache"
    async with open_cluster(setup, bench.nodes, logs, cache) as cluster:
        feed = CameraFeed({"camera-1": EDGE, "camera-2": EDGE})
        bench.window = await cluster.watch(feed, scope.warm_s, scope.window_s)
        bench.edge = cluster.state.nodes[EDGE]
    after = await bench.bare.measure(scope.loop)
    devices = {name: mean_figures([before[name], after[name]]) for name in LOOPS}
    remark = f"{_core_ms_text(bench.window)}; bare after, against before: {drift(before, after) * 100:+.0f} %"
    return [
        throughput_result(
            "one-machine", bench.window.frames_per_s, sum_of_rates(devices, LOOPS), sum_of_rates(sessions, LOOPS), 0.9,
            f"bare {_core_ms(devices):.0f} core-ms a frame; {remark}", bench.window.others_cores,
        )
    ]  # fmt: skip


def _core_ms(devices: dict[str, BareFigures]) -> float:
    return sum(each.core_ms for each in devices.values()) / len(devices)


def _core_ms_text(window: ClusterWindow) -> str:
    """Return a text with the CPU time of each process for a frame."""
    cameras = sum(window.core_ms(name) or 0.0 for name in window.cpu_seconds if name.startswith("camera"))
    gateway, edge = (window.core_ms(name) or 0.0 for name in (GATEWAY_NODE, EDGE))
    return f"gateway {gateway:.0f}, edge {edge:.0f}, cameras {cameras:.0f} core-ms a frame"


async def cores(bench: MachineBench) -> list[ScaleResult]:
    """Return the row of the edge's threads and cores, as observed in the step before; nothing if that failed."""
    if bench.window is None:
        return []
    allowed = len(os.sched_getaffinity(0))
    used = bench.window.cpu_seconds.get(EDGE, 0.0) / bench.window.seconds
    # An edge that computes several tiles side by side reports them as lanes.
    threads, known = bench.edge.get("threads", 0) * bench.edge.get("lanes", 1), bench.edge.get("cores", 0)
    return [
        ScaleResult(
            "cores", f"{threads} threads", f"{allowed} cores allowed", reached=threads >= allowed,
            remark=f"it knows of {known} cores, and used {used:.2f} beside its gateway and cameras; "
            f"four cores can be emulated here as far as {allowed} allow",
            figures={"threads": threads, "allowed": allowed, "used": used},
        )
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Proportional memory in bytes: of the gateway's processes, of the edge itself, and of its camera agents."""

    gateway: int
    edge: int
    agents: int


async def memory(scope: ScaleScope) -> list[ScaleResult]:
    """Measure the memory of a gateway and an edge with one camera, and then with two.

    The cameras are in the gateway's configuration, so the edge starts their agents.
    """
    one, two = await _memory_with(scope, 1), await _memory_with(scope, 2)
    further = two.edge + two.agents - one.edge - one.agents
    total = two.gateway + two.edge + two.agents
    found = {"gateway": one.gateway / _MB, "edge": one.edge / _MB, "further camera": further / _MB}
    goals = (GATEWAY_GOAL_MB, EDGE_GOAL_MB, CAMERA_GOAL_MB)
    return [
        ScaleResult(
            "memory", " / ".join(f"{value:.0f}" for value in found.values()) + " MB",
            reached=all(value <= goal for value, goal in zip(found.values(), goals, strict=True)),
            remark=f"the first camera {one.agents / _MB:.0f} MB; all with two cameras {total / _MB:.0f} MB; the "
            "gateway's figure has its broker in it",
            figures={"memory": found, "goals": dict(zip(found, goals, strict=True))},
        )
    ]  # fmt: skip


async def _memory_with(scope: ScaleScope, count: int) -> ProcessMemory:
    names = [f"camera-{number}" for number in range(1, count + 1)]
    logs = scope.logs(f"memory-{count}")
    options = (*scope.gateway_options, "--config", str(_write_configuration(logs, names)))
    setup = ClusterSetup(DEFAULT_MODEL, (EDGE,), options)
    async with open_cluster(setup, LoopbackNodes("not needed"), logs, scope.folder / "cache") as cluster:
        detections = cluster.state.detections
        await cluster.wait_until(
            "frames of all cameras",
            lambda: all(sum(frame["camera"] == name for frame in detections) >= SETTLED_FRAMES for name in names),
            FIRST_DETECTIONS_TIMEOUT_S,
        )
        gateway, edge = process_tree(cluster.gateway.process.pid), process_tree(cluster.edges[EDGE].process.pid)
        return ProcessMemory(
            sum(map(proportional_bytes, gateway)), proportional_bytes(edge[0]), sum(map(proportional_bytes, edge[1:]))
        )


def _write_configuration(folder: Path, cameras: list[str]) -> Path:
    """Write a configuration with these cameras, which play the footage without a motion gate; return its path."""
    camera = {"source": str(FOOTAGE), "motion": {"enabled": False}}
    path = folder / "deepthings.yaml"
    path.write_text(json.dumps({"cameras": dict.fromkeys(cameras, camera), "state": str(folder / "gateway")}))
    return path


async def cold_start(scope: ScaleScope) -> list[ScaleResult]:
    """Measure the time from the start of gateway and edge to the first detections, twice.

    The first time, the edge has no cached programs; the second time, it has those of the first.
    """
    logs = scope.logs("cold-start")
    cache = logs / f"cache-{time.time_ns()}"
    first = await _time_to_detections(scope, logs, cache)
    again = await _time_to_detections(scope, logs, cache)
    return [
        ScaleResult(
            "cold-start", f"{first:.1f} / {again:.1f} s",
            remark="gateway and edge started at once, one camera of the configuration, on this machine without limits",
            figures={"not cached": first, "cached": again},
        )
    ]  # fmt: skip


async def _time_to_detections(scope: ScaleScope, logs: Path, cache: Path) -> float:
    configuration = _write_configuration(logs, ["camera-1"])
    broker, state = Address(LOOPBACK, free_port()), WitnessedState()
    begun = time.time()
    async with LocalCluster(broker, logs) as processes, witness_messages((), broker, state):
        gateway = await processes.start(
            GATEWAY_NODE, "gateway", "--cluster-port", str(broker.port), "--port", str(free_port()), "--data-port", "0",
            "--page-port", "0",
            "--config", str(configuration), *scope.gateway_options,
        )  # fmt: skip
        edge = await processes.start(
            EDGE, "edge", "--gateway", str(broker), "--name", EDGE, "--cache", str(cache)
        )  # fmt: skip
        seen = asyncio.Event()
        waiting = asyncio.create_task(
            state.wait_until("the first detections", lambda: state.detections, FIRST_DETECTIONS_TIMEOUT_S)
        )
        waiting.add_done_callback(lambda _: seen.set())
        await processes.until(seen, [gateway, edge], "the first detections", FIRST_DETECTIONS_TIMEOUT_S)
        await waiting
    return float(min(frame["published_at"] for frame in state.detections)) - begun


@asynccontextmanager
async def _open_scope(scope: ScaleScope) -> AsyncIterator[ScaleScope]:
    yield scope


ONE_MACHINE = BenchGroup(
    "one machine", False, _open_machine, ((("one-machine", "cores"), one_machine), (("cores",), cores))
)
MEMORY = BenchGroup("memory", False, _open_scope, ((("memory",), memory),))
COLD_START = BenchGroup("cold start", False, _open_scope, ((("cold-start",), cold_start),))
