"""Measures how much slower keys make a cluster: two edges with a camera each run without keys and with keys, in turn.

`python -m benchmarks.keys_cost [--rounds N]`. Needs root, because each node is a network namespace.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from benchmarks.cluster.nodes import emulation_unavailable_reason
from benchmarks.cluster.shaping import Link
from benchmarks.running import measure_setting
from benchmarks.setting import BenchSetting
from benchmarks.workload import write_yolov2
from gateway.models.catalogue import DEFAULT_MODEL
from shared.errors import DeepThingsError
from shared.files.program_folder import default_cache
from shared.files.unfinished import temporary_folder

if TYPE_CHECKING:
    from benchmarks.setting import Measurement

SETTINGS = {
    "fused": BenchSetting("ftp-wst", edges=2, sources=2, edge_cpu=0.35, gateway_cpu=0.3),
    "built-in": BenchSetting(
        "ftp-wst", edges=2, sources=2, workload="built-in", link_mbit=1000.0, edge_cpu=0.5, gateway_cpu=0.5,
        frames_in_flight=2,
    ),
}  # fmt: skip
"""The measured clusters, by workload.

"fused" has the paper's sixteen layers of YOLOv2. The built-in network is so small that the transfer of its tiles in
float32 costs much in comparison with computing them.
"""


@dataclass(frozen=True, slots=True)
class KeyedFigures:
    """Medians of one kind of cluster: from capture to publication, and for one frame on all nodes together."""

    latency_s: float
    frames_per_s: float
    cpu_s: float
    kilobytes: float

    @classmethod
    def of(cls, measured: list[Measurement]) -> KeyedFigures:
        return cls(
            median(each.total_s for each in measured),
            median(each.frames_per_s for each in measured),
            median(sum(each.cpu_seconds.values()) / len(each.frames) for each in measured),
            median(each.bytes_per_frame for each in measured) / 1e3,
        )


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, help="Rounds, each without keys and with keys.")
@click.option("--frames", type=click.IntRange(4), default=16, help="Frames of each camera in a round.")
@click.option("--workload", type=click.Choice(list(SETTINGS)), default="fused", help="The network.")
def main(rounds: int, frames: int, workload: str) -> None:
    """Print a table of latency and throughput with keys and without."""
    setting = replace(SETTINGS[workload], frames=frames)
    reason = emulation_unavailable_reason(Link(setting.link_mbit, shared=False))
    if reason:
        raise DeepThingsError(f"a cluster on loopback has no keys: {reason}")
    measured: dict[bool, list[Measurement]] = {False: [], True: []}
    # The first and the last cluster have no keys, so that a machine that slows down meanwhile favours neither kind.
    for number in range(2 * rounds + 1):
        encrypted = number % 2 == 1
        with temporary_folder("encryption") as folder:
            models = {"built-in": DEFAULT_MODEL}
            if workload == "fused":
                models[workload] = str(write_yolov2(folder / "models", whole=False))
            measured[encrypted].append(
                asyncio.run(measure_setting(setting, models, folder, default_cache(), encrypted=encrypted))
            )
    plain, keyed = KeyedFigures.of(measured[False]), KeyedFigures.of(measured[True])
    table = Table("cluster", "latency, ms", "frames/s", "core-ms a frame", "kB a frame")
    for name, figures in (("without keys", plain), ("with keys", keyed)):
        table.add_row(
            name, f"{figures.latency_s * 1e3:.1f}", f"{figures.frames_per_s:.2f}", f"{figures.cpu_s * 1e3:.1f}",
            f"{figures.kilobytes:.1f}",
        )  # fmt: skip
    ratios = (
        keyed.latency_s / plain.latency_s, keyed.frames_per_s / plain.frames_per_s, keyed.cpu_s / plain.cpu_s,
        keyed.kilobytes / plain.kilobytes,
    )  # fmt: skip
    table.add_row("ratio", *(f"{ratio:.3f}" for ratio in ratios))
    Console().print(f"{setting.text}, {rounds} rounds of {frames} frames of each camera", table)


if __name__ == "__main__":
    main()
