"""Measures one setting: runs a real cluster on emulated nodes, from its start to the last frame."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks.bench_keys import make_bench_keys
from benchmarks.cluster.limits import NodeLimits
from benchmarks.cluster.nodes import BenchNodes, open_nodes
from benchmarks.cluster.shaping import Link
from benchmarks.setting import BenchSetting, FrameTimes, Measurement
from benchmarks.witnessing import UnfinishedError, WitnessedState, witness_messages
from benchmarks.workload import PAPER_CUT
from camera_sources.source import FOOTAGE
from shared.network.addresses import Address
from shared.process.free_ports import free_port
from shared.process.local_cluster import ChildProcess, LocalCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

GATEWAY_NODE = "gateway"
CLUSTER_START_TIMEOUT_S = 300.0
"""So long because at the first start every edge prepares programs for its processor."""

FIGURES_REST_S, MAX_FIGURES_WAITS = 2.5, 4
"""Figures that do not change for this time are final, because nodes publish them every second.

After so many waits, the figures are taken as they are.
"""

FRAME_TIMEOUT_S = 60.0
"""Time for all frames of a setting, in addition to a time for each frame."""

LOCAL_MESSAGE_KINDS = frozenset(["camera", "frame", "report", "ready", "outcome", "program", "program_request"])
"""Kinds of messages that do not count as bytes of a frame.

Those between a camera and its edge stay on one device; those with programs are sent once for all frames.
"""


async def measure_setting(
    setting: BenchSetting, models: dict[str, str], folder: Path, cache: Path, *, encrypted: bool = False
) -> Measurement:
    """Run a cluster with this setting, and return the measurement.

    `models`: the model to load, by workload; `folder`: for logs and keys; `cache`: the edges' folder of programs;
    `encrypted`: whether gateway and edges have keys. Raises DeepThingsError when the cluster does not start, or does
    not finish its frames.
    """
    edges = [f"edge-{number}" for number in range(1, setting.edges + 1)]
    limits = {edge: NodeLimits(cpu) for edge, cpu in zip(edges, setting.edge_cpus, strict=True)}
    limits[GATEWAY_NODE] = NodeLimits(setting.gateway_cpu)
    nodes = open_nodes([GATEWAY_NODE, *edges], limits, Link(setting.link_mbit, setting.shared_medium))
    with nodes:
        broker = Address(nodes.address(GATEWAY_NODE), 1883 if nodes.shaped else free_port())
        async with LocalCluster(broker, folder) as cluster:
            run = _Run(setting, nodes, cluster, cache, make_bench_keys(folder, edges) if encrypted else {})
            nodes.lift_cpu_limits()
            await run.start_gateway(models[setting.workload])
            async with run.witness():
                await run.start_edges(edges)
                nodes.set_cpu_limits()
                return await run.run_frames(edges)


class _Run:
    """The cluster of one setting, while it is measured."""

    def __init__(
        self, setting: BenchSetting, nodes: BenchNodes, cluster: LocalCluster, cache: Path, keys: dict[str, Path]
    ) -> None:
        """`keys`: each edge's folder of keys; empty if nothing shall be encrypted."""
        self._keys = keys
        self._encrypted_broker = Address(cluster.broker.host, free_port())
        self._setting = setting
        self._nodes = nodes
        self._cluster = cluster
        self._cache = cache
        self._children: list[ChildProcess] = []
        self._witnessed = WitnessedState()

    def _listen(self, node: str) -> tuple[str, ...]:
        without_keys = () if self._keys else ("--insecure",)  # nobody else reaches the nodes
        return "--listen", self._nodes.address(node), *without_keys

    def _gateway_of(self, edge: str) -> tuple[str, ...]:
        """Return an edge's options that name its gateway and its keys."""
        if not self._keys:
            return "--gateway", str(self._cluster.broker)
        return "--gateway", str(self._encrypted_broker), "--keys", str(self._keys[edge])

    async def start_gateway(self, model: str) -> None:
        setting = self._setting
        grid = () if setting.method == "bodp" else ("--grid", setting.grid)
        cut = () if setting.workload == "built-in" else ("--cut", PAPER_CUT)
        self._children.append(
            await self._cluster.start(
                GATEWAY_NODE, "gateway", *self._listen(GATEWAY_NODE), "--cluster-port",
                str(self._cluster.broker.port), "--cluster-tls-port", str(self._encrypted_broker.port), "--tls-port",
                str(free_port()), "--join-port", str(free_port()), "--model", model, "--port", str(free_port()),
                "--data-port", "0", "--page-port", "0", "--method", setting.method, *grid, *cut,
                "--pixels", setting.pixels, "--deadline", "60", "--lease", "5",
                host=self._nodes.command(GATEWAY_NODE),
            )
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def witness(self) -> AsyncIterator[None]:
        """Receive the broker's messages as long as the context lasts. It begins when the gateway is online."""
        async with witness_messages(self._nodes.bare_command(GATEWAY_NODE), self._cluster.broker, self._witnessed):
            await self._wait_until(
                "the gateway's start", lambda: self._witnessed.bridge == "online", CLUSTER_START_TIMEOUT_S
            )
            yield

    async def _watch_children(self) -> None:
        """Wake the task that waits for messages when any process of the cluster ends."""
        ends = [asyncio.ensure_future(child.process.wait()) for child in self._children]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._witnessed.changed.set()
        finally:
            for end in ends:
                end.cancel()

    async def _wait_until(self, event: str, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until a condition holds. Raises UnfinishedError if it does not in time, or when a process ends."""

        def fulfilled() -> object:
            for child in self._children:
                if child.process.returncode is not None:
                    raise UnfinishedError(f"{child.name} ended before {event}; see {child.log}")
            return condition()

        watching = asyncio.create_task(self._watch_children())
        try:
            await self._witnessed.wait_until(event, fulfilled, timeout_s)
        finally:
            watching.cancel()

    async def start_edges(self, edges: list[str]) -> None:
        """Start the edges, and wait until each follows a plan that has work for all of them."""
        for name in edges:
            self._children.append(
                await self._cluster.start(
                    name, "edge", *self._gateway_of(name), "--name", name, *self._listen(name),
                    "--cache", str(self._cache), "--frames-in-flight", str(self._setting.frames_in_flight),
                    host=self._nodes.command(name),
                )
            )  # fmt: skip
        await self._wait_until("the edges' start", lambda: self._edges_ready(edges), CLUSTER_START_TIMEOUT_S)

    def _edges_ready(self, edges: list[str]) -> bool:
        plan, nodes = self._witnessed.plan, self._witnessed.nodes
        tiles = len(plan["stages"][0]["tiles"]) if plan else 0
        planned = self._setting.method != "bodp" or tiles == len(edges)
        return planned and all(name in nodes and nodes[name]["epoch"] == plan["epoch"] for name in edges)

    async def run_frames(self, edges: list[str]) -> Measurement:
        """Start the cameras, wait until the cluster has computed their frames, and return the measurement."""
        setting, witnessed = self._setting, self._witnessed
        before, reported = self._interfaces(edges), self._reported_bytes()
        used = Counter(self._by_node(edges, self._nodes.cpu_seconds))
        cameras = [f"camera-{number}" for number in range(1, setting.sources + 1)]
        for name, owner in zip(cameras, edges, strict=False):
            await self._cluster.start(
                name, "camera", "--source", str(FOOTAGE), "--name", name, "--edge", witnessed.nodes[owner]["address"],
                "--every-frame", "--no-motion-gate", "--loop", "--frames", str(setting.frames),
                *(("--keys", str(self._keys[owner])) if self._keys else ()),
                host=self._nodes.bare_command(owner),
            )  # fmt: skip
        timeout_s = FRAME_TIMEOUT_S + setting.frames * setting.sources * 3.0
        await self._wait_until("the cameras' end", lambda: all(self._camera_ended(name) for name in cameras), timeout_s)
        with contextlib.suppress(UnfinishedError):  # a lost message with detections is not sent again
            await self._wait_until(
                "the last detections", lambda: all(self._all_published(name) for name in cameras), 5.0
            )
        if not witnessed.detections:
            raise UnfinishedError(f"no frame was published; frames were dropped: {self._dropped()}")
        after = self._interfaces(edges)
        await self._wait_until(
            "the last figures",
            lambda: (
                self._reported_bytes() != reported and not any(node["cameras"] for node in witnessed.nodes.values())
            ),
            30.0,
        )
        await self._until_figures_rest()
        return Measurement(
            setting=setting,
            frames=tuple(_times(frame) for frame in witnessed.detections),
            dropped=self._dropped(),
            interface_bytes=None if before is None or after is None else after - before,
            accounted_bytes=dict(self._reported_bytes() - reported),
            peak_memory=self._by_node(edges, self._nodes.peak_memory_bytes),
            cpu_seconds=dict(Counter(self._by_node(edges, self._nodes.cpu_seconds)) - used),
            detections_sha256=_fingerprint(witnessed.detections),
            shaped=self._nodes.shaped,
        )

    async def _until_figures_rest(self) -> None:
        """Wait until no node reports more bytes. Each publishes its figures at another time within the second."""
        for _ in range(MAX_FIGURES_WAITS):
            before = self._reported_bytes()
            await asyncio.sleep(FIGURES_REST_S)
            after = self._reported_bytes()
            if {**before, "mqtt": 0} == {**after, "mqtt": 0}:  # the figures themselves are messages
                return

    def _camera_ended(self, camera: str) -> bool:
        stats = self._witnessed.cameras.get(camera)
        return stats is not None and bool(stats["ended"])

    def _all_published(self, camera: str) -> bool:
        seen = sum(1 for frame in self._witnessed.detections if frame["camera"] == camera)
        return bool(seen >= self._witnessed.cameras[camera]["counts"]["published"])

    def _dropped(self) -> dict[str, int]:
        dropped: Counter[str] = Counter()
        for stats in self._witnessed.cameras.values():
            dropped.update(stats["counts"]["dropped"])
        return dict(dropped)

    def _interfaces(self, edges: list[str]) -> int | None:
        """Return the bytes that all nodes have received over their interfaces; None without interfaces."""
        counters = [self._nodes.counters(node) for node in (GATEWAY_NODE, *edges)]
        return sum(c.received_bytes for c in counters if c is not None) if all(counters) else None

    def _reported_bytes(self) -> Counter[str]:
        """Return the bytes that nodes report as received from each other by TCP, and as exchanged with the broker."""
        reported: Counter[str] = Counter()
        for counted in (*(node["bytes"] for node in self._witnessed.nodes.values()), self._witnessed.gateway_bytes):
            for kind, count in counted.items():
                if kind.startswith("tcp_") and kind.removeprefix("tcp_") not in LOCAL_MESSAGE_KINDS:
                    reported[kind.removeprefix("tcp_")] += count
        for node in self._witnessed.nodes.values():
            reported["mqtt"] += node["bytes"].get("mqtt", 0) + node["bytes"].get("mqtt_received", 0)
        return reported

    @staticmethod
    def _by_node(edges: list[str], read: Callable[[str], Any]) -> dict[str, Any]:
        return {node: value for node in (GATEWAY_NODE, *edges) if (value := read(node)) is not None}


def _times(frame: dict[str, Any]) -> FrameTimes:
    latency = frame["latency_ms"]
    counts = frame["nodes"].values()
    return FrameTimes(
        camera=frame["camera"],
        number=frame["number"],
        fused_s=(latency["prepare"] + latency["tiles"]) / 1e3,
        total_s=(latency["total"] - latency["transfer"]) / 1e3,
        published_at=frame["published_at"],
        tiles=sum(count["own"] + count["stolen"] for count in counts),
        stolen=sum(count["stolen"] for count in counts),
        duplicates=frame["duplicates"],
    )


def _fingerprint(detections: list[dict[str, Any]]) -> str:
    """Return a hash of the detections that does not depend on the order of publication."""
    seen = sorted((frame["camera"], frame["number"], json.dumps(frame["objects"])) for frame in detections)
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()
