"""The way of one frame: the parts that its latency is made of. Pure.

Tiles are computed side by side, so their times do not add up. The latency is that of the tile that was merged last: of
each moment between capture and publication counts what then happened to it, or to the whole frame.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.tracing.spans import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.tracing.spans import Span

BETWEEN = "between"
"""Time of a frame in no span: messages and bytes on their way, and processes that are busy with other things."""

TraceStep = tuple[str, "Span"]
"""A node and one of its spans."""


@dataclass(frozen=True, slots=True)
class FramePath:
    """A published frame: its begin and end by the gateway's clock, and seconds by part, which add up to the latency.

    `steps` are the spans of the frame and of its last tile, in the order of their begin.
    """

    frame: str
    begin: float
    end: float
    parts: dict[str, float]
    steps: tuple[TraceStep, ...]

    @property
    def latency_s(self) -> float:
        return self.end - self.begin


def find_path(frame: str, steps: Sequence[TraceStep]) -> FramePath | None:
    """Return the way of a frame with these spans; None if it was not published, or its begin is not in the trace."""
    published = next((span.end for _, span in steps if span.part == Part.PUBLISH), None)
    captured = min((span.begin for _, span in steps if span.part == Part.CAPTURE), default=None)
    if published is None or captured is None or captured >= published:
        return None
    last = _last_tile([span for _, span in steps])
    way = tuple(
        (node, span)
        for node, span in sorted(steps, key=lambda step: step[1].begin)
        if span.tile in {None, last} and span.begin < published
    )
    return FramePath(frame, captured, published, _divide([span for _, span in way], captured, published), way)


def _last_tile(spans: Sequence[Span]) -> int | None:
    """Return the tile whose result completed the frame; later results are second ones of the same tiles."""
    complete = next((span.begin for span in spans if span.part == Part.FINISH), float("inf"))
    merged = [span for span in spans if span.part == Part.MERGE and span.begin <= complete]
    return max(merged, key=lambda span: span.begin).tile if merged else None


def _divide(spans: Sequence[Span], begin: float, end: float) -> dict[str, float]:
    """Divide the time from `begin` to `end` among spans: each moment counts for the one that began last."""
    edges = sorted({begin, end, *(min(end, max(begin, at)) for span in spans for at in (span.begin, span.end))})
    parts: dict[str, float] = defaultdict(float)
    for left, right in itertools.pairwise(edges):
        running = [span for span in spans if span.begin <= left and span.end >= right]
        name = max(running, key=lambda span: span.begin).part if running else BETWEEN
        parts[name] += right - left
    return dict(parts)
