"""A frame of two tiles on two edges, by the gateway's clock: seconds after 100, and what each moment counts for."""

from __future__ import annotations

from shared.tracing.clocks import ClockOffset
from shared.tracing.cluster_trace import ClusterTrace
from shared.tracing.spans import Part, ProcessTime, Span

FRAME = "door-1a2b-000007"


def span(part, begin_ms, end_ms, tile=None, cpu_ms=None, frame=FRAME):
    return Span(part, frame, 100 + begin_ms / 1e3, 100 + end_ms / 1e3, tile, None if cpu_ms is None else cpu_ms / 1e3)


EDGE = [
    span(Part.CAPTURE, 0, 5, cpu_ms=3),
    span(Part.TRANSFER, 5, 8),
    span(Part.PREPARE, 8, 10, cpu_ms=1),
    span(Part.WAIT, 10, 11, 0),
    span(Part.COMPUTE, 11, 31, 0, 18),
    span(Part.SEND, 31, 32, 0),
    span(Part.WAIT, 10, 31, 1),
]
THIEF = [
    span(Part.FETCH, 30, 35, 1),
    span(Part.COMPUTE, 35, 75, 1, 38),
    span(Part.SEND, 75, 77, 1),
]
GATEWAY = [
    span(Part.MERGE, 33, 34, 0, 1),
    span(Part.MERGE, 80, 81, 1, 1),
    span(Part.FINISH, 81, 82),
    span(Part.TAIL, 82, 92, cpu_ms=9),
    span(Part.DECODE, 92, 94, cpu_ms=2),
    span(Part.PUBLISH, 94, 100),
    span(Part.TRACK, 100, 101, cpu_ms=1),
]


def cluster_trace(**more):
    spans = {"gateway": GATEWAY, "shed": EDGE, "attic": THIEF, **more}
    clock = ClockOffset(0.0, 0.0)
    return ClusterTrace(
        {node: sorted(found, key=lambda each: each.begin) for node, found in spans.items()},
        {"gateway": ProcessTime(1.0, 50.0)}, dict.fromkeys(spans, clock),
    )  # fmt: skip
