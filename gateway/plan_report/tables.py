"""Renders the tables of `deepthings plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.plan_report.formatting import format_bytes, format_mebibytes, format_reduction, format_share, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from gateway.plan_report.plan_figures import AnalyticMemory, CutFigures, LayerFigures, MeasuredMemory, PlanReport

MAX_ROWS = 30
"""Rows of a table; longer ones are shortened to a selection."""

_NEIGHBOURS = 3
"""Neighbours of the chosen cut, on each side, in a selection."""

_FIGURES_WIDTH = 67
"""Characters of the columns beside the names in the table of cuts, the widest table."""

_MIN_NAMES_WIDTH = 13

_MIN_NAME_LENGTH = 8
"""Characters of each name when several names share a cell; with less room only the first name is printed."""


def render_plan_tables(report: PlanReport, width: int) -> RenderableType:
    """Return the tables for a terminal of `width` characters."""
    names = max(_MIN_NAMES_WIDTH, width - _FIGURES_WIDTH)
    height, breadth = report.input
    chosen = ",".join(report.chosen.maps)
    return Group(
        Text(f"{report.model}, {height}x{breadth} pixels, in {report.grid} tiles: {len(report.cuts)} places to cut it"),
        _cuts_table(report, names),
        Text(
            "* the cut in use. work: all tiles ÷ the head as a whole. largest: the largest tile ÷ the head. sees: the "
            f"pixels that one cell depends on. {report.devices} edges: the longest chain of work of a frame, with "
            f"{report.devices} edges and an equally fast gateway ÷ the whole network on one device.",
            style="dim",
        ),
        Text(f"\nMemory that one device needs, cut behind {chosen}, in MiB"),
        _memory_table(report.memory.analytic, names),
        Text("peak: the layer with the largest maps (read, made, held for later), and all weights.", style="dim"),
        *([_measured_table(report.memory.measured)] if report.memory.measured else []),
    )


def select_cuts(cuts: Sequence[CutFigures]) -> list[CutFigures]:
    """Return the cuts to show: all, or at most MAX_ROWS of many.

    These are the first, the last, the deepest and the fastest one, those near the chosen one, and those that shorten
    the longest chain of work.
    """
    if len(cuts) <= MAX_ROWS:
        return list(cuts)
    chosen = next(index for index, cut in enumerate(cuts) if cut.chosen)
    kept = {0, len(cuts) - 1, *(index for index, cut in enumerate(cuts) if cut.deepest or cut.fastest)}
    kept.update(range(max(0, chosen - _NEIGHBOURS), min(len(cuts), chosen + _NEIGHBOURS + 1)))
    shortest, improvements = cuts[0].longest_chain, []
    for index, cut in enumerate(cuts):
        if cut.longest_chain < shortest and index not in kept:
            improvements.append(index)
        shortest = min(shortest, cut.longest_chain)
    room = MAX_ROWS - len(kept)
    if len(improvements) > room:
        improvements = [improvements[place * len(improvements) // room] for place in range(room)]
    return [cuts[index] for index in sorted(kept.union(improvements))]


def _cuts_table(report: PlanReport, width: int) -> RenderableType:
    table = _table(
        "  cut behind", "layers\nbefore", "bytes\nacross", "GMAC\nbefore", "behind", "work", "largest",
        "sees\npixels", f"{report.devices}\nedges", "",
    )  # fmt: skip
    table.columns[-1].justify = "left"
    shown = select_cuts(report.cuts)
    for cut in shown:
        marks = [word for word, holds in (("fastest", cut.fastest), ("deepest", cut.deepest)) if holds]
        field_height, field_width = cut.receptive_field
        table.add_row(
            Text(("* " if cut.chosen else "  ") + _names(cut.maps, width - 2)),
            str(cut.layers),
            format_bytes(cut.crossing_bytes),
            f"{cut.head_macs / 1e9:.2f}",
            f"{cut.tail_macs / 1e9:.2f}",
            f"{cut.work_factor:.2f}x",
            format_share(cut.largest_tile),
            f"{field_height}x{field_width}",
            f"{cut.longest_chain:.2f}",
            " ".join(marks),
            style="bold" if cut.chosen else None,
        )
    return _with_rest(table, len(report.cuts) - len(shown), "cuts")


def _names(maps: Sequence[str], width: int) -> str:
    """Return the names of a cut's maps in at most `width` characters; they are shortened if they are too long."""
    if len(",".join(maps)) <= width:
        return ",".join(maps)
    each = (width - len(maps) + 1) // len(maps)
    if each < _MIN_NAME_LENGTH:
        others = f" +{len(maps) - 1}" if len(maps) > 1 else ""
        return shorten(maps[0], width - len(others)) + others
    spare = sum(max(0, each - len(name)) for name in maps)
    long = sum(len(name) > each for name in maps)
    return ",".join(shorten(name, each + spare // long) for name in maps)


def _memory_table(memory: AnalyticMemory, width: int) -> RenderableType:
    holding = any(layer.whole_maps.held for layer in memory.layers)
    held = ("held",) if holding else ()
    grids = (f"{grid}\ntile" for grid in memory.grids)
    table = _table("layer", "read", "made", *held, "weights", "whole\nframe", *grids)
    shown = _largest_layers(memory.layers)
    for layer in shown:
        maps = layer.whole_maps
        parts = (maps.input, maps.output, *((maps.held,) if holding else ()), layer.weight_bytes)
        table.add_row(
            Text(_with_in_place(layer, width)),
            *map(format_mebibytes, (*parts, layer.whole_bytes, *layer.tile_bytes.values())),
        )
    table.add_section()
    blank = ("",) * (2 + holding)
    tiled = memory.grids.values()
    table.add_row(
        "peak", *blank, format_mebibytes(memory.weight_bytes), format_mebibytes(memory.whole_peak_bytes),
        *(format_mebibytes(grid.peak_bytes) for grid in tiled), style="bold",
    )  # fmt: skip
    table.add_row("  against the whole", *blank, "", "", *(format_reduction(grid.peak_reduction) for grid in tiled))
    table.add_row("  mean of the layers", *blank, "", "", *(format_reduction(grid.layer_reduction) for grid in tiled))
    return _with_rest(table, len(memory.layers) - len(shown), "smaller layers")


def _measured_table(memory: MeasuredMemory) -> RenderableType:
    table = _table("run by", "MiB", "of the first", "of our whole")
    whole = memory.grids.get("1x1", 0)
    table.add_row("onnxruntime as it comes, whole", format_mebibytes(memory.default_bytes), format_share(1.0), "")
    for grid, peak in memory.grids.items():
        by_own = format_share(peak / whole) if whole else ""
        table.add_row(f"an edge, {grid}", format_mebibytes(peak), format_share(peak / memory.default_bytes), by_own)
    return Group(Text("\nMeasured: peak memory of a process without its imports, with all kinds of tile loaded"), table)


def _largest_layers(layers: Sequence[LayerFigures]) -> list[LayerFigures]:
    """Return the layers with the most memory, in the order of the network."""
    largest = sorted(layers, key=lambda layer: layer.whole_bytes, reverse=True)[:MAX_ROWS]
    return [layer for layer in layers if layer in largest]


def _with_in_place(layer: LayerFigures, width: int) -> str:
    names = " + ".join((layer.layer, *layer.in_place))
    return names if len(names) <= width else shorten(layer.layer, width)


def _table(name: str, *figures: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column(f"\n{name}", no_wrap=True)
    for heading in figures:
        table.add_column(heading if "\n" in heading else f"\n{heading}", justify="right", no_wrap=True)
    return table


def _with_rest(table: Table, missing: int, noun: str) -> RenderableType:
    return Group(table, Text(f"{missing} more {noun}: --json has them all", style="dim")) if missing else table
