"""The path of one frame: the parts of which its latency consists. Pure.

Tiles are computed side by side, so their times do not add up to the latency. The tile that was merged last determines
it: each moment between capture and publication is counted for the part that this tile, or the whole frame, was in.
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
"""The part for time without a span: messages are on their way, or processes are busy with something else."""

TraceStep = tuple[str, "Span"]
"""A node and one of its spans."""


@dataclass(frozen=True, slots=True)
class FramePath:
    """A published frame: its begin and end by the gateway's clock, and the seconds of each part of its latency.

    `steps` are the spans of the frame and of the tile that was merged last, in the order of their begin.
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
    """Return the path of a frame with these spans; None if it was not published, or if its capture is missing."""
    published = next((span.end for _, span in steps if span.part == Part.PUBLISH), None)
    captured = min((span.begin for _, span in steps if span.part == Part.CAPTURE), default=None)
    if published is None or captured is None or captured >= published:
        return None
    last = _last_tile([span for _, span in steps])
    path = tuple(
        (node, span)
        for node, span in sorted(steps, key=lambda step: step[1].begin)
        if span.tile in {None, last} and span.begin < published
    )
    return FramePath(frame, captured, published, _divide([span for _, span in path], captured, published), path)


def _last_tile(spans: Sequence[Span]) -> int | None:
    """Return the tile whose result completed the frame. Results that come later are duplicates."""
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
