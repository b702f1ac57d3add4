"""A trace as trace events, the JSON that Perfetto (ui.perfetto.dev) and chrome://tracing show. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from shared.tracing.cluster_trace import camera_of
from shared.tracing.spans import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.tracing.cluster_trace import ClusterTrace
    from shared.tracing.spans import Span

_US = 1e6

_ORDER = {part.value: number for number, part in enumerate(Part)}

_LANES_PER_PART = 1000
"""The lanes of each part have numbers of their own, from a multiple of this on; spans in one lane do not overlap."""


def trace_events(trace: ClusterTrace) -> dict[str, Any]:
    """Return the trace: a process for each node, lanes for each part, and arrows where a frame changes nodes."""
    start = min((span.begin for spans in trace.spans.values() for span in spans), default=0.0)
    events: list[dict[str, Any]] = []
    places: dict[tuple[str, Span], tuple[int, int]] = {}
    for pid, (node, spans) in enumerate(trace.spans.items(), 1):
        events += _process_names(pid, node)
        lanes: dict[int, str] = {}
        for span, tid in _with_lanes(spans):
            lanes[tid] = span.part
            places[node, span] = pid, tid
            events.append(_slice(span, pid, tid, start))
        for tid, part in sorted(lanes.items()):
            events += _lane_names(pid, tid, part)
    events += _arrows(trace, places, start)
    metadata = [event for event in events if event["ph"] == "M"]
    others = sorted((event for event in events if event["ph"] != "M"), key=lambda event: event["ts"])
    return {"traceEvents": metadata + others, "displayTimeUnit": "ms"}


def _slice(span: Span, pid: int, tid: int, start: float) -> dict[str, Any]:
    details: dict[str, Any] = {"frame": span.frame, "camera": camera_of(span.frame)}
    if span.tile is not None:
        details["tile"] = span.tile
    if span.cpu_s is not None:
        details["cpu_ms"] = round(span.cpu_s * 1e3, 3)
    return {
        "ph": "X", "name": span.part, "cat": "frame", "pid": pid, "tid": tid, "ts": _us(span.begin - start),
        "dur": max(0.0, _us(span.end - start) - _us(span.begin - start)), "args": details,
    }  # fmt: skip


def _us(seconds: float) -> float:
    return round(seconds * _US, 1)


def _with_lanes(spans: Sequence[Span]) -> Iterator[tuple[Span, int]]:
    """Yield each span with the first free lane of its part; the spans must be in the order of their begin."""
    busy_until: dict[str, list[float]] = {}
    unknown = len(_ORDER)
    for span in spans:
        lanes = busy_until.setdefault(span.part, [])
        free = next((lane for lane, until in enumerate(lanes) if until <= span.begin), len(lanes))
        lanes[free : free + 1] = [span.end]
        yield span, (_ORDER.get(span.part, unknown) + 1) * _LANES_PER_PART + free


def _process_names(pid: int, node: str) -> list[dict[str, Any]]:
    return [
        {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": node}},
        {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}},
    ]


def _lane_names(pid: int, tid: int, part: str) -> list[dict[str, Any]]:
    return [
        {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": part}},
        {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": tid}},
    ]


def _arrows(
    trace: ClusterTrace, places: dict[tuple[str, Span], tuple[int, int]], start: float
) -> Iterator[dict[str, Any]]:
    """Yield an arrow for every change of the node on the way of a frame or of one of its tiles."""
    number = 0
    for steps in trace.frames().values():
        tiles = {span.tile for _, span in steps}
        for tile in tiles:
            way = [(node, span) for node, span in steps if span.tile == tile]
            for (node, span), (next_node, next_span) in itertools.pairwise(way):
                if node == next_node:
                    continue
                number += 1
                common = {"name": "frame", "cat": "frame", "id": number}
                for phase, place, at in (
                    ("s", places[node, span], min(span.end, next_span.begin)),
                    ("f", places[next_node, next_span], next_span.begin),
                ):
                    end = {"bp": "e"} if phase == "f" else {}
                    pid, tid = place
                    yield {**common, **end, "ph": phase, "pid": pid, "tid": tid, "ts": _us(at - start)}
