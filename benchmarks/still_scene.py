"""Measures the cost of a camera while nothing moves: `python -m benchmarks.still_scene`.

A gateway, an edge and its camera agent run as processes. The network camera is a server whose pictures show one scene
with sensor noise, as Motion JPEG, snapshots or RTSP (which needs GStreamer). The CPU time of the processes is printed
in percent of one core of this machine, for several settings of the camera.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from shared.files.unfinished import temporary_folder
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.process.children import stop_process
from shared.process.footprint import descendants
from shared.process.free_ports import free_port
from shared.process.local_cluster import ChildProcess, LocalCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.payloads.cluster import CameraStats

SERVERS_FOLDER = Path(__file__).parents[1] / "tests" / "servers"
WIDTH, HEIGHT, FPS = "1280", "720", "15"
"""Pictures of the camera, as words of the server's command."""

SUB_STREAM = "640", "480"
"""Width and height of the second stream of most RTSP cameras."""

_START_TIMEOUT_S = 90.0
"""Time for the first published frame; an edge without cached programs must prepare these first."""

_SETTLING_S = 20.0
"""Not measured: meanwhile the motion gate learns the noise, and still lets some frames pass."""

_CAMERA_NAME = "still"
CAMERA_CONFIGURATIONS: dict[str, dict[str, object]] = {
    "every frame": {"fps": "all", "motion": {"enabled": False}},
    "5 frames a second": {"motion": {"enabled": False}},
    "defaults": {},
}
"""Settings of the camera in the gateway's configuration, by the name of the table's row."""

WEB = (
    sys.executable, str(SERVERS_FOLDER / "web_camera.py"), "PORT", "--still",
    "--size", f"{WIDTH}x{HEIGHT}", "--fps", FPS,
)  # fmt: skip
RTSP = ("/usr/bin/python3", str(SERVERS_FOLDER / "rtsp_server.py"), "PORT")
CAMERA_SERVERS = {
    "mjpeg": (WEB, "http://127.0.0.1:PORT/stream"),
    "snapshot": (WEB, "http://127.0.0.1:PORT/picture"),
    "rtsp": ((*RTSP, WIDTH, HEIGHT, "still"), "rtsp://127.0.0.1:PORT/camera"),
    "rtsp-sub-stream": ((*RTSP, *SUB_STREAM, "still"), "rtsp://127.0.0.1:PORT/camera"),
}
"""The command of the server and the address of its camera, by kind of camera. PORT stands for a free port."""

PROCESSES = ("agent", "edge", "gateway", "broker")
"""The processes whose CPU time is measured."""


@contextlib.asynccontextmanager
async def camera_on_the_network(kind: str) -> AsyncIterator[str]:
    """Run the server of a camera of this kind as long as the context lasts; yield the camera's address."""
    command, address = CAMERA_SERVERS[kind]
    port = str(free_port())
    server = await asyncio.create_subprocess_exec(
        *(word.replace("PORT", port) for word in command), stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        if await server.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the camera did not start: {' '.join(command)}")
        yield address.replace("PORT", port)
    finally:
        await stop_process(server, 5.0)


async def measure_camera(kind: str, settings: dict[str, object], seconds: float) -> dict[str, float]:
    """Return the CPU time of each process in percent of one core; `settings`: of the camera in the configuration."""
    broker = Address(LOOPBACK, free_port())
    with temporary_folder("bench") as folder:
        file = folder / "deepthings.yaml"
        async with camera_on_the_network(kind) as source, LocalCluster(broker, folder / "logs") as cluster:
            configuration = {"cameras": {_CAMERA_NAME: {"source": source, **settings}}}
            file.write_text(json.dumps(configuration))  # JSON is also YAML
            gateway = await cluster.start(
                "gateway", "gateway", "--config", str(file), "--cluster-port", str(broker.port),
                "--port", str(free_port()), "--data-port", "0", "--page-port", "0",
            )  # fmt: skip
            edge = await cluster.start("edge", "edge", "--gateway", str(broker), "--name", "edge")
            await wait_until_published(broker)
            await asyncio.sleep(_SETTLING_S)
            running = processes(gateway, edge)
            before = {name: cpu_seconds(process) for name, process in running.items()}
            await asyncio.sleep(seconds)
            return {name: 100 * (cpu_seconds(running[name]) - before[name]) / seconds for name in PROCESSES}


async def wait_until_published(broker: Address) -> None:
    """Wait until a frame of the camera is published."""
    seen = asyncio.Event()

    def on_stats(_: str, stats: CameraStats) -> None:
        if stats.counts.published:
            seen.set()

    bus = Bus(broker, "bench")
    bus.on(topics.CAMERA_STATS, on_stats)
    running = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await seen.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def processes(gateway: ChildProcess, edge: ChildProcess) -> dict[str, int]:
    """Return the IDs of the processes to measure."""
    _fork_server, agent = descendants(edge.process.pid)
    (mosquitto,) = descendants(gateway.process.pid)
    return {"agent": agent, "edge": edge.process.pid, "gateway": gateway.process.pid, "broker": mosquitto}


def cpu_seconds(process: int) -> float:
    """Return the CPU time of all threads of a process in seconds (proc(5), user and system time of stat)."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option(
    "--kind", "kinds", type=click.Choice(list(CAMERA_SERVERS)), multiple=True, help="Kind of camera; default: all."
)
@click.option("--seconds", type=click.FloatRange(1), default=60.0, help="Length of each measurement.")
def main(kinds: tuple[str, ...], seconds: float) -> None:
    """Print the table of docs/configuration.md."""
    logging.getLogger("shared.mqtt.bus").setLevel(logging.ERROR)  # hides errors before the broker has started
    table = Table("camera", "frames", *PROCESSES, "together", title=f"{WIDTH}x{HEIGHT}, {FPS}/s: percent of a core")
    for kind in kinds or tuple(CAMERA_SERVERS):
        for name, settings in CAMERA_CONFIGURATIONS.items():
            cost = asyncio.run(measure_camera(kind, settings, seconds))
            figures = [cost[process] for process in PROCESSES]
            table.add_row(kind, name, *(f"{figure:.1f}" for figure in (*figures, sum(figures))))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
