"""The frames that a cluster published in a span of time, and the figures computed from them. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MIN_FRAMES_OF_A_RATE = 2
"""A rate is computed from the time between frames, of which there must be at least two."""


@dataclass(frozen=True, slots=True)
class PublishedFrame:
    """A frame as the message with its detections describes it.

    `published_at`: in seconds since 1970; `age_s`: from its capture to its publication; `tiles`: how many each node
    computed.
    """

    camera: str
    number: int
    published_at: float
    age_s: float
    tiles: dict[str, int]

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Self:
        """Read a message of detections."""
        return cls(
            message["camera"],
            message["number"],
            message["published_at"],
            message["latency_ms"]["total"] / 1e3,
            {node: count["own"] + count["stolen"] for node, count in message["nodes"].items()},
        )


@dataclass(frozen=True, slots=True)
class ClusterWindow:
    """The frames of a span of time, from `begun` to `ended` (seconds since 1970).

    `earlier`: each camera's last frame before the span; `cpu_seconds`: by node or process; `dropped`: number of frames
    by reason; `machine_cpu_s`: CPU time of all programs of this machine.
    """

    begun: float
    ended: float
    frames: tuple[PublishedFrame, ...]
    earlier: tuple[PublishedFrame, ...]
    cpu_seconds: dict[str, float]
    cameras: tuple[str, ...]
    dropped: dict[str, int]
    machine_cpu_s: float

    @classmethod
    def cut(
        cls,
        messages: Iterable[Mapping[str, Any]],
        span: tuple[float, float],
        cpu_seconds: dict[str, float],
        cameras: Iterable[str],
        dropped: dict[str, int],
        machine_cpu_s: float,
    ) -> Self:
        """Return the window of these cameras; `messages`: those with detections, `span`: its begin and end."""
        known = tuple(cameras)
        frames = sorted(map(PublishedFrame.of, messages), key=lambda frame: frame.published_at)
        frames = [frame for frame in frames if frame.camera in known]
        last_before = {frame.camera: frame for frame in frames if frame.published_at < span[0]}
        within = tuple(frame for frame in frames if span[0] <= frame.published_at <= span[1])
        return cls(*span, within, tuple(last_before.values()), cpu_seconds, known, dropped, machine_cpu_s)

    @property
    def seconds(self) -> float:
        return self.ended - self.begun

    @property
    def rates(self) -> dict[str, float]:
        """Return the frames a second of each camera.

        They are computed from the time between the last frame before the span and the last one in it. A slow camera
        has few frames in the span, so their number alone would be too coarse. If a camera stopped early in the span,
        its frames are divided by the length of the span.
        """
        return {camera: self._rate(camera) for camera in self.cameras}

    @property
    def frames_per_s(self) -> float:
        return sum(self.rates.values())

    @property
    def latency_s(self) -> float:
        """Return the median time from capture to publication; 0 without frames."""
        return median(frame.age_s for frame in self.frames) if self.frames else 0.0

    @property
    def oldest_s(self) -> float:
        """Return the longest time from capture to publication; 0 without frames."""
        return max((frame.age_s for frame in self.frames), default=0.0)

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of frames of each camera."""
        counted = Counter(frame.camera for frame in self.frames)
        return {camera: counted[camera] for camera in self.cameras}

    @property
    def unfairness(self) -> float:
        """Return the difference between the most and the fewest frames of a camera, divided by the mean."""
        counts = self.counts.values()
        return (max(counts) - min(counts)) * len(counts) / sum(counts) if sum(counts) else 0.0

    @property
    def others_cores(self) -> float:
        """Return the cores that were used by programs that do not belong to the cluster."""
        return max(0.0, self.machine_cpu_s - sum(self.cpu_seconds.values())) / self.seconds

    def share_computed_by(self, node: str) -> float:
        """Return the share of all tiles that a node computed."""
        count = sum(sum(frame.tiles.values()) for frame in self.frames)
        return sum(frame.tiles.get(node, 0) for frame in self.frames) / count if count else 0.0

    def core_ms(self, node: str) -> float | None:
        """Return the CPU time of a node for one frame, in milliseconds; None if it was not counted."""
        used = self.cpu_seconds.get(node)
        return None if used is None or not self.frames else used / len(self.frames) * 1e3

    def _rate(self, camera: str) -> float:
        times = [frame.published_at for frame in (*self.earlier, *self.frames) if frame.camera == camera]
        inside = self.counts[camera]
        span = times[-1] - times[0] if len(times) >= MIN_FRAMES_OF_A_RATE else 0.0
        return (len(times) - 1) / span if span > self.seconds / 2 else inside / self.seconds
