"""The demo from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from gateway.broker import find_mosquitto
from gateway.catalogue import DEFAULT_MODEL
from gateway.demo.cluster import Child, ChildError, LocalCluster, free_port
from gateway.demo.observer import Observer
from gateway.demo.table import render
from shared.bus import Bus

if TYPE_CHECKING:
    from shared.ftp.grid import Grid

CAMERA = "campus"
START_TIMEOUT_S = 60.0
END_TIMEOUT_S = 20.0
VERIFY_EVERY = 10
"""One frame in so many is compared with the whole network, which costs the gateway a whole frame's work."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """What to show. `frames` 0 runs until interrupted; `port` 0 takes a free one."""

    source: str
    out: Path
    grid: Grid
    edges: int = 3
    frames: int = 100
    port: int = 0
    model: str = DEFAULT_MODEL
    headless: bool = False


async def run_demo(config: DemoConfig, stop: asyncio.Event) -> dict[str, Any]:
    """Start a gateway, edges and a camera; watch them; stop them; return the summary.

    Raises ChildError when a part fails, BrokerError without Mosquitto.
    """
    find_mosquitto()
    port = config.port or free_port()
    edges = tuple(f"edge-{number}" for number in range(1, config.edges + 1))
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="deepthings-demo-") as caches:
        async with LocalCluster(port, config.out / "logs") as cluster:
            bus = Bus(cluster.broker, f"deepthings-demo-{os.getpid()}")
            observer = Observer(bus, CAMERA, edges)
            gateway = await cluster.start(
                "gateway", "gateway", "--port", str(port), "--grid", str(config.grid), "--model", config.model,
                "--verify-every", str(VERIFY_EVERY), "--pictures", str(config.out),
            )  # fmt: skip
            watching = asyncio.create_task(bus.run())
            try:
                await cluster.until(observer.gateway_online, [gateway], START_TIMEOUT_S, "the gateway's start")
                running = [gateway]
                for edge in edges:
                    cache = str(Path(caches) / edge)
                    running.append(
                        await cluster.start(
                            edge, "edge", "--gateway", str(cluster.broker), "--name", edge, "--cache", cache
                        )
                    )
                await cluster.until(observer.edges_ready, running, START_TIMEOUT_S, "the edges' start")
                hint = f"mosquitto_sub -p {port} -t 'deepthings/detections/#'"
                console.print(f"Broker on {cluster.broker}. Watch it too: [bold]{hint}[/bold]", highlight=False)
                await _show(config, cluster, observer, running, stop, console, hint)
                for child in running[1:]:
                    await cluster.stop(child)
                await cluster.until(observer.edges_gone, [gateway], END_TIMEOUT_S, "the edges' goodbye")
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    return observer.summary()


async def _show(
    config: DemoConfig,
    cluster: LocalCluster,
    observer: Observer,
    running: list[Child],
    stop: asyncio.Event,
    console: Console,
    hint: str,
) -> None:
    """Let the camera run to its end, or to ours, with the table on the terminal."""
    owner = observer.nodes.nodes["edge-1"].address
    camera = await cluster.start(
        "camera", "camera", "--source", config.source, "--name", CAMERA, "--edge", owner, "--loop",
        "--frames", str(config.frames),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        if not config.headless:
            table = stack.enter_context(Live(console=console, refresh_per_second=4))
            refreshing = asyncio.create_task(_refresh(table, observer, hint))
            stack.callback(refreshing.cancel)
        ending = asyncio.create_task(_end_of(camera, stop, cluster))
        try:
            await _first(ending, [asyncio.create_task(child.wait()) for child in running])
        finally:
            ending.cancel()
        await cluster.until(observer.all_seen, running, END_TIMEOUT_S, "the last detections' arrival")
        if not config.headless:
            table.update(render(observer, hint))


async def _end_of(camera: Child, stop: asyncio.Event, cluster: LocalCluster) -> None:
    interrupted = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(camera.wait())
    await asyncio.wait([interrupted, ended], return_when=asyncio.FIRST_COMPLETED)
    interrupted.cancel()
    if not ended.done():
        await cluster.stop(camera)
    await ended


async def _first(ending: asyncio.Task[None], failures: list[asyncio.Task[None]]) -> None:
    """Until `ending`; raises when one of the others ends before."""
    try:
        done, _ = await asyncio.wait([ending, *failures], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if ending not in done:
            raise ChildError("a part of the cluster ended before its time; see the logs", 1)
    finally:
        for task in failures:
            task.cancel()


async def _refresh(table: Live, observer: Observer, hint: str) -> None:
    while True:
        table.update(render(observer, hint))
        await asyncio.sleep(0.25)
