"""The summary of a trace for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.logs.printable import printable
from shared.tracing.trace_summary import AGENT_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.tracing.trace_summary import NodeSummary, PartSummary, SlowFrame, StepSummary, TraceSummary

_NONE = "-"

_SHORT_STEP_MS = 0.05
"""Shorter steps of the slowest frame are not listed."""


def trace_lines(summary: TraceSummary) -> Iterator[str]:
    """Yield the lines of the report."""
    for node, reason in summary.missing.items():
        yield f"{printable(node)} is missing in this trace: {printable(reason)}"
    if not summary.frames:
        yield "no frame was published in this time"
        return
    yield (
        f"{summary.frames} frames of {', '.join(summary.cameras)} in {summary.covered_s:.1f} s; from capture to "
        f"publication {summary.latency_median_ms:.0f} ms in the median, {summary.latency_p90_ms:.0f} ms for nine of ten"
    )
    yield ""
    yield from _parts(summary)
    yield ""
    yield from _nodes(summary)
    if summary.slowest is not None:
        yield ""
        yield from _slowest(summary.slowest)


def _parts(summary: TraceSummary) -> Iterator[str]:
    heads = ("part, ms", "a frame", "median", "9 of 10", "of the latency", "CPU a frame")
    rows = [_part(name, part) for name, part in summary.parts.items()]
    rows.append(("in between", _NONE, _NONE, _NONE, _number(summary.between_ms), _NONE))
    yield from _table((heads, *rows))


def _part(name: str, part: PartSummary) -> tuple[str, ...]:
    return (
        name, f"{part.spans:g}", _number(part.median_ms), _number(part.p90_ms), _number(part.of_latency_ms),
        _number(part.cpu_ms),
    )  # fmt: skip


def _nodes(summary: TraceSummary) -> Iterator[str]:
    yield "CPU time of each node, in ms for each of these frames"
    for name, node in summary.nodes.items():
        yield f"  {printable(name)}: {_node(node)}"


def _node(node: NodeSummary) -> str:
    parts = ", ".join(f"{part} {_number(used)}" for part, used in node.parts_cpu_ms.items()) or "nothing"
    if node.process_cpu_ms is None:
        return parts
    own = sum(used for part, used in node.parts_cpu_ms.items() if part not in AGENT_PARTS)
    rest = max(0.0, node.process_cpu_ms - own)
    return f"{parts}; its process {_number(node.process_cpu_ms)} in all, {_number(rest)} of them for the rest"


def _slowest(slow: SlowFrame) -> Iterator[str]:
    most = ", ".join(f"{part} {_number(took)}" for part, took in list(slow.parts_ms.items())[:3])
    yield f"the slowest frame, {slow.frame}: {slow.latency_ms:.0f} ms, most of it {most}"
    for step in slow.steps:
        if step.took_ms >= _SHORT_STEP_MS:
            yield f"  {step.at_ms:8.1f} ms  {_step(step)}"


def _step(step: StepSummary) -> str:
    tile = "" if step.tile is None else f" (tile {step.tile})"
    return f"{printable(step.node)}: {step.part}{tile}, {_number(step.took_ms)} ms"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}" if value >= 0.1 or value == 0 else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
