"""The summary of a trace, as `deepthings trace --json` prints it: times and CPU time by part, and the slowest frame."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from pydantic import Field

from shared.payloads.base import Message
from shared.tracing.cluster_trace import camera_of
from shared.tracing.frame_path import BETWEEN, find_path
from shared.tracing.spans import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.tracing.cluster_trace import ClusterTrace
    from shared.tracing.frame_path import FramePath
    from shared.tracing.spans import ProcessTime, Span

AGENT_PARTS = frozenset({Part.CAPTURE})
"""Parts that run in a camera's agent; the CPU time of the edge's process does not include theirs."""


class PartSummary(Message):
    """One part."""

    spans: float = Field(description="a frame: more than one if each tile has its own")
    median_ms: float = Field(description="of one span")
    p90_ms: float = Field(description="nine of ten spans take at most as long")
    of_latency_ms: float = Field(description="median over frames of what it adds to a frame's latency")
    cpu_ms: float | None = Field(default=None, description="CPU time a frame, of all its spans; null: not measured")


class NodeSummary(Message):
    """The CPU time of one node, for each published frame of the cluster, and its clock."""

    parts_cpu_ms: dict[str, float] = Field(description="by part, of the thread that does it")
    process_cpu_ms: float | None = Field(default=None, description="of its whole process; null: not known")
    clock_offset_ms: float = Field(default=0.0, description="its clock is ahead of the gateway's by")
    clock_error_ms: float = Field(default=0.0, description="the offset is exact to")


class StepSummary(Message):
    """One step of a frame; `at_ms` counts from its capture."""

    at_ms: float
    took_ms: float
    part: str
    node: str
    tile: int | None = None


class SlowFrame(Message):
    """The slowest frame."""

    frame: str
    latency_ms: float
    parts_ms: dict[str, float] = Field(description="what each part adds to its latency")
    steps: tuple[StepSummary, ...] = Field(description="of the frame, and of the tile that was merged last")


class TraceSummary(Message):
    """The frames of a trace that were published."""

    covered_s: float = Field(description="from the first frame's capture to the last one's publication")
    frames: int
    cameras: tuple[str, ...]
    latency_median_ms: float | None = None
    latency_p90_ms: float | None = None
    parts: dict[str, PartSummary]
    between_ms: float = Field(default=0.0, description="median over frames of the latency that is in no part")
    nodes: dict[str, NodeSummary]
    slowest: SlowFrame | None = None
    missing: dict[str, str] = Field(description="nodes without a trace, and why")


def summarise_trace(trace: ClusterTrace) -> TraceSummary:
    """Return the summary of a trace."""
    paths = [path for frame, steps in trace.frames().items() if (path := find_path(frame, steps)) is not None]
    latencies = [path.latency_s for path in paths]
    seconds = max(path.end for path in paths) - min(path.begin for path in paths) if paths else 0.0
    return TraceSummary(
        covered_s=round(seconds, 3),
        frames=len(paths),
        cameras=tuple(sorted({camera_of(path.frame) for path in paths})),
        latency_median_ms=_ms(median(latencies)) if latencies else None,
        latency_p90_ms=_ms(percentile_90(latencies)) if latencies else None,
        parts=_parts(trace, paths),
        between_ms=_share(paths, BETWEEN),
        nodes=_nodes(trace, paths, seconds),
        slowest=_slow_frame(max(paths, key=lambda path: path.latency_s)) if paths else None,
        missing=trace.missing,
    )


def percentile_90(values: Sequence[float]) -> float:
    """Return the value that nine of ten values do not exceed."""
    return sorted(values)[max(0, -(-len(values) * 9 // 10) - 1)]


def _parts(trace: ClusterTrace, paths: Sequence[FramePath]) -> dict[str, PartSummary]:
    """Return the parts of published frames, in the order of a frame's way."""
    names = {path.frame for path in paths}
    spans_by_part: dict[str, list[Span]] = defaultdict(list)
    for spans in trace.spans.values():
        for span in spans:
            if span.frame in names:
                spans_by_part[span.part].append(span)
    known = [str(part) for part in Part if part in spans_by_part]
    return {part: _part(part, spans_by_part[part], paths) for part in (*known, *sorted(spans_by_part.keys() - known))}


def _part(part: str, spans: Sequence[Span], paths: Sequence[FramePath]) -> PartSummary:
    times = [span.end - span.begin for span in spans]
    measured = [span.cpu_s for span in spans if span.cpu_s is not None]
    return PartSummary(
        spans=round(len(spans) / len(paths), 2),
        median_ms=_ms(median(times)),
        p90_ms=_ms(percentile_90(times)),
        of_latency_ms=_share(paths, part),
        cpu_ms=_ms(sum(measured) / len(paths)) if measured else None,
    )


def _share(paths: Sequence[FramePath], part: str) -> float:
    return _ms(median(path.parts.get(part, 0.0) for path in paths)) if paths else 0.0


def _nodes(trace: ClusterTrace, paths: Sequence[FramePath], seconds: float) -> dict[str, NodeSummary]:
    names = {path.frame for path in paths}
    nodes = {}
    for node, spans in trace.spans.items():
        used: dict[str, float] = defaultdict(float)
        for span in spans:
            if span.cpu_s is not None and span.frame in names:
                used[span.part] += span.cpu_s
        clock = trace.clocks[node]
        nodes[node] = NodeSummary(
            parts_cpu_ms={str(part): _ms(used[part] / len(paths)) for part in Part if part in used},
            process_cpu_ms=_process_ms(trace.process.get(node), len(paths), seconds),
            clock_offset_ms=_ms(clock.offset_s),
            clock_error_ms=_ms(clock.round_trip_s / 2),
        )
    return nodes


def _process_ms(process: ProcessTime | None, frames: int, seconds: float) -> float | None:
    if process is None or not frames or seconds <= 0 or process.over_s <= 0:
        return None
    return _ms(process.cpu_s / process.over_s * seconds / frames)


def _slow_frame(path: FramePath) -> SlowFrame:
    steps = tuple(
        StepSummary(
            at_ms=_ms(span.begin - path.begin),
            took_ms=_ms(span.end - span.begin),
            part=span.part,
            node=node,
            tile=span.tile,
        )
        for node, span in path.steps
    )
    parts = {part: _ms(time_s) for part, time_s in sorted(path.parts.items(), key=lambda each: -each[1])}
    return SlowFrame(frame=path.frame, latency_ms=_ms(path.latency_s), parts_ms=parts, steps=steps)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
