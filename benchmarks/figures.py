"""Draws the paper's figures from our measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks import paper
from benchmarks.experiments import DISTRIBUTED_METHODS
from benchmarks.strips_picture import draw_strips
from benchmarks.workload import PAPER_CUT
from gateway.planning.methods import Method
from shared.ftp.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.findings import Results
    from benchmarks.memory_figures import MemoryFigures
    from benchmarks.setting import Measurement
    from shared.model.network import Network

_MIB = 2**20
METHOD_COLOURS = {
    Method.WHOLE: "#7f7f7f", Method.BODP: "#c44e52", Method.WSH: "#dd8452", Method.WST: "#4c72b0",
    Method.WST_S: "#2a9d5c",
}  # fmt: skip
METHOD_NAMES = {
    Method.WHOLE: "whole frame", Method.BODP: "MoDNN (BODP)", Method.WSH: "FTP-WSH", Method.WST: "FTP-WST",
    Method.WST_S: "FTP-WST-S",
}  # fmt: skip
FIGURE_STYLE: dict[Any, Any] = {
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#e0e0e0", "font.size": 9, "legend.frameon": False, "svg.hashsalt": "deepthings",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure that was drawn; `file` is the name of its PNG."""

    file: str
    caption: str


def draw_all(
    results: Results, memory: MemoryFigures | None, folder: Path, network: Network | None = None
) -> list[DrawnFigure]:
    """Write every figure that has data as PNG and SVG; return the figures.

    `network`: the paper's network, of which strips are drawn.
    """
    drawn = []
    with mpl.rc_context(rc=FIGURE_STYLE):
        for name, caption, figure in _figures(results, memory, network):
            figure.savefig(folder / f"{name}.png", dpi=150)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            drawn.append(DrawnFigure(f"{name}.png", caption))
    return drawn


def _figures(
    results: Results, memory: MemoryFigures | None, network: Network | None = None
) -> Iterator[tuple[str, str, Figure]]:
    if network is not None:
        caption = (
            "One map, with reuse: the part that independent tiles compute, the strips of it, the part left for others"
        )
        yield "strips", caption, draw_strips(network, [PAPER_CUT], Grid(3, 3))
    if memory is not None:
        yield "memory", "Memory per layer, maps and weights, of the device that needs the most", _memory(memory)
    grids = [grid for grid in ("3x3", "4x4", "5x5") if results.by_edges(Method.WST_S, grid)]
    if grids:
        yield "latency", "Latency of the fused layers, one source", _latency(results, grids)
    if grids and {1} < set(results.scope.edges):
        yield "speed-up", "Speed-up by devices, one source, each method against itself", _speed_ups(results, grids)
    comparable = [grid for grid in grids if _ratios(results, grid)]
    if comparable:
        yield "reuse", "The effect of reuse-aware scheduling", _reuse(results, comparable)
    if results.by_edges(Method.WST_S, pixels="float32"):
        counter = "by the interfaces" if all(m.shaped for m in results.all) else "as the nodes report them"
        yield "bytes", f"Bytes on the wire, {counter}", _bytes(results)
    most = max(results.scope.edges)
    by_source = {
        method: [
            m for count in range(1, most + 1) if (m := results.find_measurement(method, edges=most, sources=count))
        ]
        for method in DISTRIBUTED_METHODS
    }
    if any(len(row) > 1 for row in by_source.values()):
        yield "sources", f"One to {most} sources on {most} devices", _sources(by_source)
    if grids:
        stolen = [m for grid in grids for m in results.by_edges(Method.WST_S, grid).values()]
        yield "stolen", "Tiles that were not computed by their owner, FTP-WST-S", _stolen(stolen, grids)


def _panels(titles: Sequence[str], ylabel: str) -> tuple[Figure, Sequence[Axes]]:
    """Return panels side by side. The horizontal axis is the number of devices; all have the same vertical scale."""
    figure = Figure(figsize=(max(4.5, 3.4 * len(titles)), 3.2), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, len(titles), squeeze=False, sharey=True)[0]
    for panel, title in zip(axes, titles, strict=True):
        panel.set(title=title, xlabel="devices")
    axes[0].set_ylabel(ylabel)
    return figure, axes


def _from_zero(axes: Axes) -> None:
    """Set the vertical scale from 0 to slightly above the highest marker. Everything must have been drawn before."""
    axes.set_ylim(0, axes.get_ylim()[1] * 1.04)


def _memory(memory: MemoryFigures) -> Figure:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots()
    divisions = list(memory.analytic.items())
    width = 0.8 / len(divisions)
    colours = ("#7f7f7f", "#2a9d5c", "#4c72b0", "#c44e52")
    for number, ((division, device), colour) in enumerate(zip(divisions, colours, strict=True)):
        positions = [layer + (number - len(divisions) / 2 + 0.5) * width for layer in range(len(device.layers))]
        axes.bar(positions, [count / _MIB for count in device.layers], width, label=division, color=colour)
    axes.set(xlabel="layer", ylabel="MiB", xticks=range(len(memory.layers)))
    axes.legend()
    return figure


def _latency(results: Results, grids: Sequence[str]) -> Figure:
    figure, panels = _panels(grids, "latency of the fused layers, s")
    for axes, grid in zip(panels, grids, strict=True):
        _lines(axes, results, grid, lambda measured: measured.fused_s)
        if (results.scope.link_mbit, results.scope.shared_medium) == (paper.AUTHORS_LINK_MBIT, False):
            _authors(axes, results, grid)
    _from_zero(panels[0])
    return figure


def _bytes(results: Results) -> Figure:
    kinds = ("float32", "uint8")
    figure, panels = _panels([f"{pixels} pixels, 3x3" for pixels in kinds], "MB a frame on all links")
    for axes, pixels in zip(panels, kinds, strict=True):
        _lines(axes, results, "3x3", lambda measured: measured.bytes_per_frame / 1e6, pixels=pixels)
    _from_zero(panels[0])
    return figure


def _lines(axes: Axes, results: Results, grid: str, value: Callable[[Measurement], float], **more: object) -> None:
    for method in DISTRIBUTED_METHODS:
        rows = results.by_edges(method, grid, **more)
        if rows:
            axes.plot(
                list(rows),
                [value(m) for m in rows.values()],
                "o-",
                color=METHOD_COLOURS[method],
                label=METHOD_NAMES[method],
            )
    axes.set_xticks(results.scope.edges)
    axes.legend()


def _authors(axes: Axes, results: Results, grid: str) -> None:
    """Draw the latency of the authors' program, dashed in the colours of our methods.

    Only the numbers of devices that were measured here are drawn.
    """
    for (name, of_grid), cells in paper.AUTHORS.items():
        method = Method(name)
        shown = {edges: seconds for edges, (seconds, _) in cells.items() if edges in results.scope.edges}
        if of_grid == grid and shown:
            label = f"authors' {METHOD_NAMES[method]}"
            axes.plot(list(shown), list(shown.values()), "x--", color=METHOD_COLOURS[method], alpha=0.5, label=label)
    axes.legend(fontsize=7)


def _speed_ups(results: Results, grids: Sequence[str]) -> Figure:
    figure, panels = _panels(grids, "speed-up against one device")
    for axes, grid in zip(panels, grids, strict=True):
        for method in DISTRIBUTED_METHODS:
            rows = results.by_edges(method, grid)
            if 1 in rows:
                gains = [rows[1].fused_s / measured.fused_s for measured in rows.values()]
                axes.plot(list(rows), gains, "o-", color=METHOD_COLOURS[method], label=METHOD_NAMES[method])
        axes.plot(results.scope.edges, results.scope.edges, ":", color="#a0a0a0", label="ideal")
        axes.set_xticks(results.scope.edges)
        axes.legend()
    _from_zero(panels[0])
    return figure


def _ratios(results: Results, grid: str) -> dict[int, float]:
    """Return, by number of devices, the latency with reuse divided by that without."""
    plain, reusing = results.by_edges(Method.WST, grid), results.by_edges(Method.WST_S, grid)
    return {edges: reusing[edges].fused_s / plain[edges].fused_s for edges in plain if edges in reusing}


def _reuse(results: Results, grids: Sequence[str]) -> Figure:
    figure, panels = _panels(grids, "latency with reuse ÷ without")
    for axes, grid in zip(panels, grids, strict=True):
        ratios = _ratios(results, grid)
        axes.bar(list(ratios), list(ratios.values()), 0.6, color=METHOD_COLOURS[Method.WST_S])
        reduction = paper.REUSE_REDUCTIONS.get(grid, paper.REUSE_REDUCTION)
        axes.axhline(1 - reduction, color="#c44e52", ls="--", lw=1, label="the paper's mean")
        axes.axhline(1, color="#7f7f7f", lw=1)
        axes.set_xticks(list(ratios))
    panels[0].set_ylim(0, panels[0].get_ylim()[1] * 1.2)  # so that the legend lies above the bars
    panels[0].legend(loc="upper left")
    return figure


def _sources(by_source: dict[Method, list[Measurement]]) -> Figure:
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    latency, throughput = figure.subplots(1, 2)
    for method, rows in by_source.items():
        if not rows:
            continue
        counts = [measured.setting.sources for measured in rows]
        style = {"color": METHOD_COLOURS[method], "label": METHOD_NAMES[method]}
        latency.plot(counts, [measured.largest_fused_s for measured in rows], "o-", **style)
        throughput.plot(counts, [measured.frames_per_s for measured in rows], "o-", **style)
    counts = sorted({measured.setting.sources for rows in by_source.values() for measured in rows})
    latency.set(xticks=counts, xlabel="sources", ylabel="largest latency of the fused layers, s")
    throughput.set(xticks=counts, xlabel="sources", ylabel="frames a second")
    _from_zero(latency)
    _from_zero(throughput)
    latency.legend()
    return figure


def _stolen(measured: Sequence[Measurement], grids: Sequence[str]) -> Figure:
    figure = Figure(figsize=(4.5, 3.0), layout="constrained")
    axes = figure.subplots()
    for grid in grids:
        rows = [m for m in measured if m.setting.grid == grid]
        axes.plot([m.setting.edges for m in rows], [100 * m.stolen_share for m in rows], "o-", label=grid)
    counts = sorted({m.setting.edges for m in measured})
    axes.set(xticks=counts, xlabel="devices", ylabel="stolen tiles, %", ylim=(-2, 102))
    axes.legend()
    return figure
