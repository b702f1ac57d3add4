"""Shows the way of single frames through the cluster, from its trace. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.tracing.clocks import ClockOffset
from shared.tracing.cluster_trace import ReceivedRecording, camera_of, join_recordings
from shared.tracing.frame_path import find_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.tracing.cluster_trace import ClusterTrace
    from shared.tracing.frame_path import FramePath, TraceStep
    from shared.wire.headers import TraceHeader

TIMELINE_SECONDS = 10.0
"""The frames of the last seconds that are shown; a request for them costs every device a moment."""

MAX_TIMELINES = 40
"""The newest frames, which are listed."""


def read_trace(header: TraceHeader, parts: Sequence[memoryview]) -> ClusterTrace:
    """Return the collected spans as one trace, with times by the gateway's clock."""
    received, left = [], list(parts)
    for ref in header.recordings:
        data = left.pop(0) if not ref.missing else b""
        clock = ClockOffset(ref.offset_s, ref.round_trip_s)
        received.append(ReceivedRecording(ref.node, data, clock, ref.missing))
    return join_recordings(received)


def timelines_view(trace: ClusterTrace) -> dict[str, Any]:
    """Return the published frames with their spans, newest first, and the name of the slowest one."""
    frames = trace.frames()
    paths = [(path, frames[frame]) for frame in frames if (path := find_path(frame, frames[frame])) is not None]
    paths.sort(key=lambda each: each[0].begin, reverse=True)
    shown = paths[:MAX_TIMELINES]
    slowest = max(shown, key=lambda each: each[0].latency_s, default=None)
    return {
        "slowest": slowest[0].frame if slowest else None,
        "missing": dict(trace.missing),
        "frames": [_timeline(path, steps) for path, steps in shown],
    }


def _timeline(path: FramePath, steps: Sequence[TraceStep]) -> dict[str, Any]:
    return {
        "frame": path.frame,
        "camera": camera_of(path.frame),
        "latency_ms": round(path.latency_s * 1e3, 1),
        "parts": {part: round(seconds * 1e3, 1) for part, seconds in path.parts.items() if seconds >= 5e-5},
        "spans": [
            {
                "node": node, "part": span.part, "tile": span.tile,
                "begin_ms": round((span.begin - path.begin) * 1e3, 2),
                "end_ms": round((span.end - path.begin) * 1e3, 2),
            }
            for node, span in steps
        ],
    }  # fmt: skip
