"""Draws the reuse of one map: the part that each tile computes, and the strips that other tiles take from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from gateway.planning.methods import Method, stages_of
from shared.ftp.propagation import Propagation
from shared.ftp.reuse import is_independent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from shared.ftp.grid import Grid
    from shared.ftp.region import Region
    from shared.model.network import Network

WHOLE, SPARED, STRIP = "#4c72b0", "#2a9d5c", "#e9c46a"


def draw_strips(network: Network, cut: Sequence[str], grid: Grid) -> Figure:
    """Draw the map at the joint in the middle of the stage; one unit of the axes is one cell of the map."""
    (stage,) = stages_of(Method.WST_S, network, cut, grid)
    joint = len(stage.joints) // 2
    name = stage.joints[joint]
    height, width = network.shapes[name][2:]
    figure = Figure(figsize=(4.2, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.add_patch(Rectangle((0, 0), width, height, color=SPARED, alpha=0.45, lw=0))
    propagation = Propagation(network, stage.layers)
    boxes = [
        propagation.propagate(dict(zip(cut, tile.outputs, strict=True))).boxes[name]
        for tile in stage.tiles
        if is_independent(grid, tile.index)
    ]
    for box in boxes:
        _fill(axes, box, facecolor="white", lw=0)
    for box in boxes:
        _fill(axes, box, facecolor=WHOLE, alpha=0.4, edgecolor=WHOLE, lw=1)
    for reader in stage.reusing:
        for strip in reader.taken if reader else ():
            if strip.joint == joint:
                _fill(axes, strip.region, facecolor=STRIP, lw=0)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", title=f"{name}, {height}x{width} cells, {grid} tiles")
    axes.legend(
        handles=[
            Patch(color=WHOLE, alpha=0.5, label="computed by independent tiles, some of it twice"),
            Patch(color=STRIP, label="part of it that they pass on as strips"),
            Patch(color=SPARED, alpha=0.5, label="left for the other tiles to compute"),
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.06),
    )
    axes.grid(visible=False)
    return figure


def _fill(axes: Axes, box: Region, **style: object) -> None:
    axes.add_patch(Rectangle((box.left, box.top), box.width, box.height, **style))  # type: ignore[arg-type]
