"""A cluster that keeps running while sets of cameras are started and stopped. It is observed with each set."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.running import CLUSTER_START_TIMEOUT_S, GATEWAY_NODE
from benchmarks.scale.cluster_window import ClusterWindow
from benchmarks.scale.process_trees import machine_cpu_seconds, tree_cpu_seconds
from benchmarks.witnessing import WitnessedState, witness_messages
from camera_sources.source import FOOTAGE
from gateway.planning.methods import Method
from shared.network.addresses import Address
from shared.process.free_ports import free_port
from shared.process.local_cluster import ChildProcess, LocalCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.cluster.nodes import BenchNodes

WARM_UP_FRAMES_OF_A_CAMERA = 1
"""CPU limits are lifted until each camera has this many published frames: its start takes seconds of a whole core."""

FIRST_FRAME_TIMEOUT_S = 90.0
"""Time until each camera has its first published frames."""

NO_COMPUTING_OPTION = "--no-compute"
"""Option of a gateway that computes no tiles itself."""

LAST_MESSAGES_S = 0.3
"""Wait after an observation, so that messages about frames published at its end are received as well."""


@dataclass(frozen=True, slots=True)
class ClusterSetup:
    """The parts of a cluster: the gateway's model, the names of the edges, and more options of the commands."""

    model: str
    edges: tuple[str, ...]
    gateway_options: tuple[str, ...] = ()
    edge_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraFeed:
    """Cameras to start. `owners`: the edge of each camera; `fps`: None if they send as fast as pictures are taken."""

    owners: Mapping[str, str]
    fps: float | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options of a camera's command."""
        pace = ("--every-frame",) if self.fps is None else ("--fps", f"{self.fps:g}")
        return ("--source", str(FOOTAGE), "--loop", "--no-motion-gate", *pace)


@dataclass(slots=True)
class ScaleCluster:
    """A running cluster; `state`: the messages of its broker."""

    setup: ClusterSetup
    nodes: BenchNodes
    processes: LocalCluster
    gateway: ChildProcess
    edges: dict[str, ChildProcess]
    state: WitnessedState
    _cameras: dict[str, ChildProcess] = field(default_factory=dict)
    _number: int = 0

    async def watch(
        self, feed: CameraFeed, warm_s: float, seconds: float, trouble: AbstractContextManager[object] | None = None
    ) -> ClusterWindow:
        """Start cameras, let the cluster settle for `warm_s`, observe it for `seconds`, and stop them.

        `trouble`: a context for the observation, which may change a node's CPU limit or link. It is entered after the
        CPU limits are set, and left before the cameras stop. Raises DeepThingsError when a process ends, or when no
        frame of a camera is published.
        """
        self._number += 1
        # Cameras get new names for each observation, so that their counts begin at 0.
        owners = {f"{name}-{self._number}": owner for name, owner in feed.owners.items()}
        try:
            await self._start_cameras(owners, feed)
            self.nodes.set_cpu_limits()
            with trouble or nullcontext():
                await self.pause(warm_s)
                return await self._observe(tuple(owners), seconds)
        finally:
            await asyncio.gather(*(self.processes.stop(child) for child in self._cameras.values()))
            self._cameras.clear()

    async def stop_edge(self, name: str) -> None:
        """Stop an edge for good."""
        await self.processes.stop(self.edges.pop(name))

    async def pause(self, seconds: float) -> None:
        """Wait. Raises DeepThingsError when a process of the cluster ends meanwhile."""
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, over.set)
        await self.processes.until(over, self._children, "the end of the measurement", None)

    async def wait_until(self, event: str, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until a condition on the received messages holds.

        Raises DeepThingsError if it does not in time, or when a process ends.
        """
        met = asyncio.Event()

        async def look() -> None:
            await self.state.wait_until(event, condition, timeout_s)
            met.set()

        looking = asyncio.create_task(look())
        try:
            await self.processes.until(met, self._children, event, timeout_s)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    @property
    def _children(self) -> list[ChildProcess]:
        return [self.gateway, *self.edges.values(), *self._cameras.values()]

    async def _start_cameras(self, owners: Mapping[str, str], feed: CameraFeed) -> None:
        self.nodes.lift_cpu_limits()
        for name, owner in owners.items():
            self._cameras[name] = await self.processes.start(
                name, "camera", "--name", name, "--edge", self.state.nodes[owner]["address"], *feed.options,
                host=self.nodes.command(owner),
            )  # fmt: skip
        await self.wait_until("each camera's first detections", lambda: self._all_seen(owners), FIRST_FRAME_TIMEOUT_S)

    def _all_seen(self, cameras: Mapping[str, str]) -> bool:
        seen = Counter(frame["camera"] for frame in self.state.detections)
        return all(seen[camera] >= WARM_UP_FRAMES_OF_A_CAMERA for camera in cameras)

    async def _observe(self, cameras: tuple[str, ...], seconds: float) -> ClusterWindow:
        used, dropped = self.cpu_seconds(), self._dropped(cameras)
        begun, busy = time.time(), machine_cpu_seconds()
        await self.pause(seconds)
        ended, later, busy = time.time(), self.cpu_seconds(), machine_cpu_seconds() - busy
        await self.pause(LAST_MESSAGES_S)
        spent = {node: seconds - used.get(node, 0.0) for node, seconds in later.items()}
        lost = dict(self._dropped(cameras) - dropped)
        return ClusterWindow.cut(self.state.detections, (begun, ended), spent, cameras, lost, busy)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time used so far, in seconds: by each node if nodes are emulated, else by each process.

        That of an emulated edge contains its cameras', that of a process its descendants'.
        """
        if not self.nodes.shaped:
            return {child.name: tree_cpu_seconds(child.process.pid) for child in self._children}
        used = {name: self.nodes.cpu_seconds(name) for name in (GATEWAY_NODE, *self.edges)}
        return {name: seconds for name, seconds in used.items() if seconds is not None}

    def _dropped(self, cameras: Sequence[str]) -> Counter[str]:
        dropped: Counter[str] = Counter()
        for stats in self.state.cameras.values():
            if stats["camera"] in cameras:
                dropped.update(stats["counts"]["dropped"])
        return dropped


@asynccontextmanager
async def open_cluster(
    setup: ClusterSetup, nodes: BenchNodes, folder: Path, cache: Path
) -> AsyncIterator[ScaleCluster]:
    """Start a gateway and its edges without CPU limits; the context begins when all edges have their programs.

    `folder`: for the logs; `cache`: for the edges' programs. The first edge starts alone and prepares the programs. As
    all edges have the same cache, the others find them there.
    """
    broker = Address(nodes.address(GATEWAY_NODE), 1883 if nodes.shaped else free_port())
    state = WitnessedState()
    nodes.lift_cpu_limits()
    async with LocalCluster(broker, folder) as processes:
        gateway = await processes.start(
            GATEWAY_NODE, "gateway", "--insecure", "--listen", nodes.address(GATEWAY_NODE), "--cluster-port",
            str(broker.port), "--port", str(free_port()), "--data-port", "0", "--page-port", "0", "--model",
            setup.model, *setup.gateway_options, host=nodes.command(GATEWAY_NODE),
        )  # fmt: skip
        cluster = ScaleCluster(setup, nodes, processes, gateway, {}, state)
        async with witness_messages(nodes.bare_command(GATEWAY_NODE), broker, state):
            await cluster.wait_until("the gateway's start", lambda: state.bridge == "online", CLUSTER_START_TIMEOUT_S)
            for names in (setup.edges[:1], setup.edges[1:]):
                for name in names:
                    cluster.edges[name] = await processes.start(
                        name, "edge", "--gateway", str(broker), "--name", name, "--listen", nodes.address(name),
                        "--insecure", "--cache", str(cache), *setup.edge_options, host=nodes.command(name),
                    )  # fmt: skip
                await cluster.wait_until(
                    "the edges' start", lambda: _nodes_ready(cluster, cluster.edges), CLUSTER_START_TIMEOUT_S
                )
            if nodes.shaped and _gateway_computes(setup.gateway_options):
                await cluster.wait_until(
                    "the start of the gateway's own node", lambda: _nodes_ready(cluster, [GATEWAY_NODE]),
                    CLUSTER_START_TIMEOUT_S,
                )  # fmt: skip
            yield cluster


def _nodes_ready(cluster: ScaleCluster, names: Iterable[str]) -> bool:
    plan, nodes = cluster.state.plan, cluster.state.nodes
    return bool(plan) and all(name in nodes and nodes[name]["epoch"] == plan["epoch"] for name in names)


def _gateway_computes(options: Sequence[str]) -> bool:
    """Return whether a gateway with these options computes tiles itself, if no edge runs on its machine."""
    method = options[options.index("--method") + 1] if "--method" in options else Method.AUTO
    return method == Method.AUTO and NO_COMPUTING_OPTION not in options
