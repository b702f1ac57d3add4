"""Measures the memory of a gateway, an edge and its cameras: `python -m benchmarks.process_memory`.

They run as processes on loopback, and detect objects in the project's footage. Proportional memory counts a page that
n processes share as 1/n. Own memory is the memory that would be free if the process ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import cv2
from rich.console import Console
from rich.table import Table

from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL
from gateway.planning.methods import Method
from shared.cli.common_options import json_option
from shared.errors import DeepThingsError
from shared.files.unfinished import temporary_folder
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.process.footprint import Footprint, descendants, read_footprint, short_name
from shared.process.free_ports import free_port
from shared.process.local_cluster import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.payloads.cluster import FrameDetections
    from shared.process.local_cluster import ChildProcess

NO_SAMPLES = ("--verify-share", "0")
"""Options of a gateway that computes no frame again to check it.

Such a check takes memory for a second, which would be counted only if it happened at the time of a reading.
"""

SIZES = {"768x576": (768, 576), "1080p": (1920, 1080)}
"""Width and height of the pictures by name; the first is the size of the footage itself."""

_START_TIMEOUT_S = 180.0
"""Time for the start and the first frames; edges without cached programs must prepare these first."""

READINGS, READING_PAUSE_S = 5, 1.0
"""The memory of each process is read this often, with this pause in seconds between two readings."""

_SETTLED_FRAMES = 40
"""Frames of each camera before memory is read: by then, the queues and pools of all parts have grown to their size."""

_SCALED_FRAMES = 60
"""Frames of the footage that are scaled; cameras play them again and again."""


@dataclass(frozen=True, slots=True)
class MemorySetting:
    """Settings of a measurement. `method`, `grid`: empty for the gateway's default; `fps`: of each camera."""

    cameras: int = 2
    size: str = "768x576"
    model: str = DEFAULT_MODEL
    method: str = ""
    grid: str = ""
    fps: float = 5.0


async def measure_processes(setting: MemorySetting) -> dict[str, Footprint]:
    """Return the memory of every process, by name, while the cluster computes frames. Raises DeepThingsError."""
    broker = Address(LOOPBACK, free_port())
    names = [f"camera-{number}" for number in range(1, setting.cameras + 1)]
    with temporary_folder("memory") as folder:
        file = folder / "deepthings.yaml"
        source = await asyncio.to_thread(_scaled_footage, folder, SIZES[setting.size])
        camera = {"source": str(source), "fps": setting.fps, "motion": {"enabled": False}}
        file.write_text(json.dumps({"state": str(folder / "state"), "cameras": dict.fromkeys(names, camera)}))
        async with LocalCluster(broker, folder / "logs") as cluster:
            choices = {"--model": setting.model, "--method": setting.method, "--grid": setting.grid}
            gateway = await cluster.start(
                "gateway", "gateway", "--config", str(file), *NO_SAMPLES, "--cluster-port", str(broker.port),
                "--port", str(free_port()), "--data-port", "0", "--page-port", "0",
                *(word for option, value in choices.items() if value for word in (option, value)),
            )  # fmt: skip
            edge = await cluster.start(
                "edge", "edge", "--gateway", str(broker), "--name", "edge", "--cache", str(folder / "cache")
            )
            await _wait_until_computed(broker, names, cluster, [gateway, edge])
            return await _usual_footprints(_processes_of(gateway) | _processes_of(edge))


async def _usual_footprints(processes: Mapping[str, int]) -> dict[str, Footprint]:
    """Return the memory of every process: the median of several readings.

    With the median, one reading during a search of plans, which takes memory for a second, does not count.
    """
    readings: dict[str, list[Footprint]] = {name: [] for name in processes}
    for _ in range(READINGS):
        for name, process in processes.items():
            readings[name].append(read_footprint(process))
        await asyncio.sleep(READING_PAUSE_S)
    return {
        name: sorted(found, key=lambda footprint: footprint.own_bytes)[READINGS // 2]
        for name, found in readings.items()
    }


def _scaled_footage(folder: Path, size: tuple[int, int]) -> Path:
    """Return the file with the footage in this size. At its own size it is H.264; scaled, it is MPEG-4."""
    if size == SIZES["768x576"]:
        return FOOTAGE
    file = folder / "scaled.mp4"
    reading = cv2.VideoCapture(str(FOOTAGE))
    writing = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), reading.get(cv2.CAP_PROP_FPS), size)
    for _ in range(_SCALED_FRAMES):
        decoded, picture = reading.read()
        if decoded:
            writing.write(cv2.resize(picture, size))
    writing.release()
    reading.release()
    return file


async def _wait_until_computed(
    broker: Address, cameras: list[str], cluster: LocalCluster, running: list[ChildProcess]
) -> None:
    """Wait until enough frames of every camera are published.

    Raises ChildError when a process ends, or when waiting takes longer than _START_TIMEOUT_S.
    """
    computed, frames = asyncio.Event(), Counter[str]()

    def on_detections(_: str, detections: FrameDetections) -> None:
        frames[detections.camera] += 1
        if all(frames[camera] >= _SETTLED_FRAMES for camera in cameras):
            computed.set()

    bus = Bus(broker, "bench")
    bus.on(topics.DETECTIONS, on_detections)
    receiving = asyncio.create_task(bus.run())
    try:
        await cluster.until(computed, running, f"{_SETTLED_FRAMES} frames of every camera", _START_TIMEOUT_S)
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


def _processes_of(parent: ChildProcess) -> dict[str, int]:
    """Return the IDs of a process of the cluster and of its descendants, by name."""
    below = {short_name(process): process for process in descendants(parent.process.pid)}
    return {parent.name: parent.process.pid, **below}


@click.command()
@click.option("--cameras", "counts", type=click.IntRange(0, 8), multiple=True, help="Cameras; default: 1, 2 and 3.")
@click.option("--size", type=click.Choice(list(SIZES)), default="768x576", help="Size of the pictures.")
@click.option("--model", default=DEFAULT_MODEL, help="Like the option of `deepthings gateway`.")
@click.option("--method", type=click.Choice(list(Method)), help="Like the option of `deepthings gateway`.")
@click.option("--grid", default="", help="Like the option of `deepthings gateway`.")
@json_option
def main(counts: tuple[int, ...], size: str, model: str, method: str | None, grid: str, as_json: bool) -> None:
    """Print the proportional memory and the own memory of each process, in MB."""
    logging.getLogger("shared.mqtt.bus").setLevel(logging.ERROR)  # hides errors before the broker has started
    table = Table("cameras", "process", "proportional", "own", title=f"{size}: MB (10^6 bytes)")
    rows = []
    for count in counts or (1, 2, 3):
        try:
            found = asyncio.run(measure_processes(MemorySetting(count, size, model, method or "", grid)))
        except DeepThingsError as error:
            raise click.ClickException(str(error)) from error
        together = Footprint(sum(f.pss_bytes for f in found.values()), sum(f.own_bytes for f in found.values()))
        for name, memory in {**found, "together": together}.items():
            rows.append({"cameras": count, "process": name, "pss": memory.pss_bytes, "own": memory.own_bytes})
            table.add_row(str(count), name, f"{memory.pss_bytes / 1e6:.1f}", f"{memory.own_bytes / 1e6:.1f}")
    if as_json:
        print(json.dumps(rows))
    else:
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
