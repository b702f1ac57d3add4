"""Draws the table: throughput and latency beside the bare devices, one camera by edges, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from benchmarks.figures import FIGURE_STYLE, DrawnFigure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.scale.scale_rows import ScaleResult

_COLOURS = {"measured": "#2a9d5c", "bare": "#4c72b0", "session": "#bdbdbd"}
_NAMES = {"measured": "the cluster", "bare": "devices alone, the whole job", "session": "devices alone, session.run"}
_THROUGHPUT = (
    "built-in",
    "built-in-gateway",
    "yolov2",
    "yolov2-gateway",
    "one-edge",
    "one-edge-depthwise",
    "one-machine",
)
_LABELS = {
    "built-in": "built-in", "built-in-gateway": "built-in,\nwith gateway", "yolov2": "YOLOv2",
    "yolov2-gateway": "YOLOv2,\nwith gateway", "one-edge-depthwise": "one edge,\ndepthwise",
}  # fmt: skip
_LATENCY = ("one-camera", "slow-edge", "thin-link", "overload", "age")


def draw_scale(results: Mapping[str, ScaleResult], folder: Path) -> list[DrawnFigure]:
    """Write every figure that has data as PNG; return the figures."""
    drawn = []
    with mpl.rc_context(rc=FIGURE_STYLE):
        for name, caption, figure in _figures(results):
            figure.savefig(folder / f"{name}.png", dpi=150)
            drawn.append(DrawnFigure(f"{name}.png", caption))
    return drawn


def _figures(results: Mapping[str, ScaleResult]) -> Iterator[tuple[str, str, Figure]]:
    rates = {row: results[row].figures for row in _THROUGHPUT if row in results and results[row].figures}
    if rates:
        yield (
            "throughput", "Frames a second, in parts of those of the devices alone; above the bars, frames a second",
            _beside(rates, "frames a second / those of the devices alone", "{:.1f}"),
        )  # fmt: skip
    times = {row: results[row].figures for row in _LATENCY if row in results and results[row].figures}
    if times:
        yield (
            "latency", "Latency, in parts of that beside it; above the bars, seconds",
            _beside(times, "latency / that of the device alone", "{:.2f}", logarithmic=True),
        )  # fmt: skip
    by_edges = results["one-camera"].figures.get("by_edges") if "one-camera" in results else None
    if by_edges:
        yield "one-camera", "One camera, built-in network, by number of edges", _by_edges(results["one-camera"].figures)
    if "memory" in results:
        yield "memory", "Proportional memory", _memory(results["memory"].figures)


def _beside(rows: Mapping[str, Mapping[str, float]], label: str, number: str, *, logarithmic: bool = False) -> Figure:
    figure = Figure(figsize=(max(4.5, 1.5 * len(rows)), 3.4), layout="constrained")
    axes: Axes = figure.subplots()
    width = 0.8 / len(_NAMES)
    for place, (kind, name) in enumerate(_NAMES.items()):
        positions = [row + (place - 1) * width for row in range(len(rows))]
        heights = [figures[kind] / figures["bare"] for figures in rows.values()]
        bars = axes.bar(positions, heights, width, color=_COLOURS[kind], label=name)
        axes.bar_label(bars, [number.format(figures[kind]) for figures in rows.values()], fontsize=6, padding=1)
    axes.axhline(1, color="#4c72b0", linewidth=0.8)
    axes.set_xticks(range(len(rows)), [_LABELS.get(row, row.replace("-", "\n")) for row in rows])
    axes.set_ylabel(label)
    if logarithmic:
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(ScalarFormatter())  # 2, and not 2 to the power of 1
    else:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
    figure.legend(loc="outside upper center", ncols=len(_NAMES), fontsize=7)
    return figure


def _by_edges(figures: Mapping[str, object]) -> Figure:
    figure = Figure(figsize=(4.5, 3.2), layout="constrained")
    axes: Axes = figure.subplots()
    found = {int(count): seconds * 1e3 for count, seconds in dict(figures["by_edges"]).items()}  # type: ignore[call-overload]
    published = {count: seconds for count, seconds in found.items() if seconds}
    axes.plot(list(published), list(published.values()), "o-", color=_COLOURS["measured"], label="the cluster")
    for kind, line in (("bare", "the best device alone"), ("session", "session.run alone")):
        axes.axhline(float(str(figures[kind])) * 1e3, color=_COLOURS[kind], label=line)
    axes.set(xlabel="edges", ylabel="latency, ms", xticks=list(found))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.legend()
    return figure


def _memory(figures: Mapping[str, Mapping[str, float]]) -> Figure:
    figure = Figure(figsize=(4.5, 3.2), layout="constrained")
    axes: Axes = figure.subplots()
    names = list(figures["memory"])
    bars = axes.bar(names, list(figures["memory"].values()), 0.5, color=_COLOURS["measured"], label="measured")
    axes.bar_label(bars, fmt="{:.0f}", padding=1)
    goals = [figures["goals"][name] for name in names]
    axes.hlines(goals, [place - 0.35 for place in range(len(names))], [place + 0.35 for place in range(len(names))],
                color="#c44e52", label="goal")  # fmt: skip
    axes.set_ylabel("MB")
    axes.legend()
    return figure
