"""Runs the demo from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from gateway.broker.mosquitto import find_mosquitto
from gateway.demo.statistics import ClusterStatistics
from gateway.demo.table import render_demo_table
from gateway.models.catalogue import DEFAULT_MODEL
from gateway.planning.methods import Method
from shared.errors import DeepThingsError
from shared.files.unfinished import temporary_folder
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.process.free_ports import free_port
from shared.process.installation import program_here
from shared.process.lifecycle import cancel_in_order
from shared.process.local_cluster import ChildProcess, LocalCluster
from shared.process.usable_cores import usable_cores

if TYPE_CHECKING:
    from pathlib import Path

    from shared.ftp.grid import Grid

DEMO_CAMERA = "campus"
_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 20.0
_VERIFY_EVERY = 10
"""One frame in this many is verified: the gateway also computes it without tiles, and compares."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """Settings of the demo.

    `frames`: 0 runs until interrupted; `port`: the broker's port for people and automations.
    """

    source: str
    out: Path
    grid: Grid
    edges: int = 3
    frames: int = 100
    port: int = field(default_factory=free_port)
    model: str = DEFAULT_MODEL
    method: Method = Method.AUTO
    headless: bool = False
    page_port: int = field(default_factory=free_port)


async def run_demo(config: DemoConfig, stop: asyncio.Event) -> dict[str, Any]:
    """Start a gateway, edges and a camera; observe them until the camera ends or `stop`; return the summary.

    Raises ChildError when a process fails, BrokerError without Mosquitto.
    """
    find_mosquitto()
    broker = Address(LOOPBACK, free_port())
    with temporary_folder("demo") as caches:
        async with LocalCluster(broker, config.out / "logs") as cluster:
            demo = Demo(config, cluster, caches)
            observing = asyncio.create_task(demo.bus.run())
            try:
                await demo.run(stop)
            finally:
                observing.cancel()
                await asyncio.gather(observing, return_exceptions=True)
    return demo.statistics.summary()


class Demo:
    """One demo in a cluster; the caller stops the cluster."""

    def __init__(self, config: DemoConfig, cluster: LocalCluster, caches: Path) -> None:
        self._config = config
        self._cluster = cluster
        self._caches = caches
        self._edges = tuple(f"edge-{number}" for number in range(1, config.edges + 1))
        self._console = Console(stderr=True)
        self._hint = (
            f"http://{LOOPBACK}:{config.page_port} in a browser\n"
            f"{program_here()} watch --gateway {cluster.broker}\n"
            f"mosquitto_sub -p {config.port} -t 'deepthings/detections/#'"
        )
        self.bus = Bus(cluster.broker, f"deepthings-demo-{os.getpid()}")
        self.statistics = ClusterStatistics(self.bus, DEMO_CAMERA, self._edges)

    async def run(self, stop: asyncio.Event) -> None:
        """Run from the start of the gateway until the edges are offline."""
        gateway, edges = await self._start(stop)
        self._console.print(f"Follow it here:\n{self._hint}", soft_wrap=True, highlight=False)
        with self._live_table():
            await self._run_camera([gateway, *edges], stop)
        await asyncio.gather(*(self._cluster.stop(edge) for edge in edges))
        await self._cluster.until(self.statistics.edges_offline, [gateway], "the edges' end", _END_TIMEOUT_S)

    async def _start(self, stop: asyncio.Event) -> tuple[ChildProcess, list[ChildProcess]]:
        """Start the gateway and the edges. Raises DeepThingsError when `stop` is set before they are ready."""

        async def start() -> tuple[ChildProcess, list[ChildProcess]]:
            gateway = await self._start_gateway()
            return gateway, await self._start_edges(gateway)

        starting, stopping = asyncio.create_task(start()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                return starting.result()
            raise DeepThingsError("the demo was stopped before its cluster was ready")
        finally:
            await cancel_in_order([starting, stopping])

    async def _start_gateway(self) -> ChildProcess:
        config = self._config
        gateway = await self._cluster.start(
            "gateway", "gateway", "--cluster-port", str(self._cluster.broker.port), "--port", str(self._config.port),
            "--data-port", "0", "--page-port", str(config.page_port), *self._grid_option(), "--method", config.method,
            "--model", config.model, "--verify-every", str(_VERIFY_EVERY), "--pictures", str(config.out),
        )  # fmt: skip
        await self._cluster.until(self.statistics.gateway_online, [gateway], "the gateway's start", _START_TIMEOUT_S)
        return gateway

    def _grid_option(self) -> tuple[str, ...]:
        """Return the option --grid; none for a method that divides by the number of devices."""
        return () if self._config.method.fits_devices else ("--grid", str(self._config.grid))

    async def _start_edges(self, gateway: ChildProcess) -> list[ChildProcess]:
        broker, edges = str(self._cluster.broker), []
        cores = max(1, usable_cores().whole // len(self._edges))  # all edges share this machine
        for name in self._edges:
            cache = str(self._caches / name)
            options = ("--gateway", broker, "--name", name, "--cache", cache, "--max-cores", str(cores))
            edges.append(await self._cluster.start(name, "edge", *options))
        await self._cluster.until(self.statistics.edges_ready, [gateway, *edges], "the edges' start", _START_TIMEOUT_S)
        return edges

    async def _run_camera(self, running: list[ChildProcess], stop: asyncio.Event) -> None:
        """Run the camera until it ends or `stop` is set, and wait for its last frames."""
        owner = self.statistics.nodes.nodes[self._edges[0]].address
        camera = await self._cluster.start(
            "camera", "camera", "--source", self._config.source, "--name", DEMO_CAMERA, "--edge", owner, "--loop",
            "--fps", "all", "--no-motion-gate", "--frames", str(self._config.frames),
        )  # fmt: skip
        ended = asyncio.Event()
        ending = asyncio.create_task(self._end(camera, stop, ended))
        try:
            await self._cluster.until(ended, running, "the camera's end", None)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        await camera.wait()
        await self._cluster.until(self.statistics.all_received, running, "the last detections' arrival", _END_TIMEOUT_S)

    async def _end(self, camera: ChildProcess, stop: asyncio.Event, ended: asyncio.Event) -> None:
        """Set `ended` when the camera has ended; end it when `stop` is set."""
        tasks = [asyncio.create_task(stop.wait()), asyncio.create_task(camera.process.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._cluster.stop(camera)
            ended.set()
        finally:
            for task in tasks:
                task.cancel()

    @contextlib.contextmanager
    def _live_table(self) -> Any:  # noqa: ANN401  (a context without a value)
        if self._config.headless:
            yield
            return
        with Live(console=self._console, refresh_per_second=4, get_renderable=self._table):
            yield

    def _table(self) -> Any:  # noqa: ANN401  (any renderable of rich)
        return render_demo_table(self.statistics, self._hint)
