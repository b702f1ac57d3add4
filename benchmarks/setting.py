"""One setting of an experiment, and its measurement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

EDGE_CPU = 0.2
"""Cores of an edge, unless a setting has others: as in the measurements of the authors' program."""

UNEQUAL_CPU_FACTORS = (1.0, 1.5, 1.0, 0.5)
"""CPU of unequal edges, relative to that of equal ones. Four unequal edges together have as much as four equal ones."""


@dataclass(frozen=True, slots=True)
class BenchSetting:
    """A cluster and its work.

    The defaults are those of the measurements of the authors' program. `workload`: "fused" (the paper's 16 layers of
    YOLOv2), "whole" (all of YOLOv2) or "built-in" (the built-in network); `edge_cpu`, `gateway_cpu`: in cores;
    `unequal`: edges have the cores of UNEQUAL_CPU_FACTORS; `frames`: of each source.
    """

    method: str
    grid: str = "3x3"
    edges: int = 1
    sources: int = 1
    workload: str = "fused"
    link_mbit: float = 100.0
    shared_medium: bool = False
    edge_cpu: float = EDGE_CPU
    unequal: bool = False
    gateway_cpu: float = 0.4
    pixels: str = "uint8"
    frames: int = 8
    frames_in_flight: int = 1

    @property
    def edge_cpus(self) -> list[float]:
        """Return the cores of each edge."""
        factors = UNEQUAL_CPU_FACTORS if self.unequal else (1.0,)
        return [self.edge_cpu * factors[edge % len(factors)] for edge in range(self.edges)]

    @property
    def text(self) -> str:
        """Return the setting as a text. A value that most settings have is left out."""
        grid = "" if self.method in {"bodp", "whole"} else f" {self.grid}"
        medium = "shared " if self.shared_medium else ""
        more = "" if self.workload == "fused" else f", {self.workload} network"
        sources = f", {self.sources} sources" if self.sources > 1 else ""
        pixels = ", float32 pixels" if self.pixels == "float32" else ""
        devices = "unequal edges" if self.unequal else "edges"
        cores = "" if self.edge_cpu == EDGE_CPU else f", {self.edge_cpu:g} of a core each"
        link = f"{medium}{self.link_mbit:g} Mbit/s"
        return f"{self.method}{grid}, {self.edges} {devices}{cores}{sources}, {link}{pixels}{more}"


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Times of one published frame, in seconds, and its numbers of tiles.

    `fused_s`: from its arrival at the owner until all tiles are merged; `total_s`: from capture to publication;
    `published_at`: since 1970; `stolen`: tiles not computed by the owner; `duplicates`: tiles computed twice.
    """

    camera: str
    number: int
    fused_s: float
    total_s: float
    published_at: float
    tiles: int
    stolen: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Results of a setting. Bytes are those of all frames together.

    `dropped`: numbers of frames by reason; `interface_bytes`: counted by the nodes' interfaces, None if these are not
    emulated; `accounted_bytes`: what nodes report as received from each other by TCP, and as exchanged by MQTT;
    `peak_memory` in bytes and `cpu_seconds` by node; `shaped`: link, CPU and memory of the nodes were emulated.
    """

    setting: BenchSetting
    frames: tuple[FrameTimes, ...]
    dropped: dict[str, int]
    interface_bytes: int | None
    accounted_bytes: dict[str, int]
    peak_memory: dict[str, int]
    cpu_seconds: dict[str, float]
    detections_sha256: str = ""
    shaped: bool = True

    @property
    def steady(self) -> tuple[FrameTimes, ...]:
        """Return all frames except the first two of each camera; during these, devices' speeds are not known yet."""
        first = {camera: sorted(f.number for f in self.frames if f.camera == camera)[:2] for camera in self.cameras}
        later = tuple(frame for frame in self.frames if frame.number not in first[frame.camera])
        return later or self.frames

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted({frame.camera for frame in self.frames}))

    @property
    def fused_s(self) -> float:
        """Return the median latency of the fused layers."""
        return median(frame.fused_s for frame in self.steady)

    @property
    def largest_fused_s(self) -> float:
        """Return the largest of the cameras' median latencies."""
        return max(median(f.fused_s for f in self.steady if f.camera == camera) for camera in self.cameras)

    @property
    def total_s(self) -> float:
        """Return the median latency from capture to publication."""
        return median(frame.total_s for frame in self.steady)

    @property
    def frames_per_s(self) -> float:
        """Return the frames a second that were published while all cameras were running."""
        by_camera = [sorted(f.published_at for f in self.steady if f.camera == camera) for camera in self.cameras]
        begin, end = max(times[0] for times in by_camera), min(times[-1] for times in by_camera)
        count = sum(1 for frame in self.frames if begin < frame.published_at <= end)
        return count / (end - begin) if end > begin else 0.0

    @property
    def bytes_per_frame(self) -> float:
        """Return the bytes of a frame on all links, counted by the interfaces, or else as the nodes report them."""
        counted = self.interface_bytes if self.interface_bytes is not None else sum(self.accounted_bytes.values())
        return counted / max(1, len(self.frames))

    @property
    def stolen_share(self) -> float:
        """Return the share of tiles that were not computed by their owner."""
        return sum(frame.stolen for frame in self.frames) / max(1, sum(frame.tiles for frame in self.frames))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Measurement:
        frames = tuple(FrameTimes(**frame) for frame in values["frames"])
        return cls(**{**values, "setting": BenchSetting(**values["setting"]), "frames": frames})
