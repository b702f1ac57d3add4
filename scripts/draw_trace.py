"""Draw the way of one frame in a trace that `deepthings trace` has written.

    .venv/bin/python scripts/draw_trace.py deepthings-trace.json docs/images/trace.png

Of the frames of which tiles were stolen, the one with the median latency is drawn.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

COLOURS = {
    "capture": "#8d99ae", "wait for the edge": "#d9d9d9", "transfer": "#457b9d", "prepare": "#a8dadc",
    "wait for a device": "#e3e3e3", "fetch": "#1d3557", "wait for strips": "#d0c6e8", "compute": "#2a9d5c",
    "send": "#457b9d", "merge": "#9b5de5", "wait for the tail": "#d9d9d9", "tail": "#e9a23b", "decode": "#e76f51",
    "publish": "#c1121f", "track": "#6d597a", "publish states": "#b56576",
}  # fmt: skip

Slice = dict[str, Any]


def main() -> None:
    """Write the picture that the command line names."""
    events = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["traceEvents"]
    nodes = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    frames: dict[str, list[Slice]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            frames[event["args"]["frame"]].append(event)
    figure = draw(choose(frames), nodes)
    figure.savefig(sys.argv[2], dpi=110)


def choose(frames: dict[str, list[Slice]]) -> list[Slice]:
    """Return the slices of the frame to draw."""
    stolen = [
        slices for slices in frames.values()
        if {"capture", "fetch", "publish"} <= {each["name"] for each in slices}
    ]  # fmt: skip
    return sorted(stolen, key=latency)[len(stolen) // 2]


def latency(slices: list[Slice]) -> float:
    """Return the microseconds from the first capture to publication."""
    published = max(each["ts"] + each["dur"] for each in slices if each["name"] == "publish")
    return float(published - min(each["ts"] for each in slices))


def tile_row(each: Slice, nodes: dict[int, str]) -> int:
    """Return the tile of a slice; -1 for one of the whole frame, and for the gateway's short ones."""
    return -1 if nodes[each["pid"]] == "gateway" else int(each["args"].get("tile", -1))


def draw(slices: list[Slice], nodes: dict[int, str]) -> Figure:
    """Return the figure: a row for each tile on each edge, one for the whole frame, and time to the right."""
    rows = sorted({(nodes[each["pid"]] == "gateway", each["pid"], tile_row(each, nodes)) for each in slices})
    places = {(pid, tile): number for number, (_, pid, tile) in enumerate(rows)}
    begin = min(each["ts"] for each in slices)
    figure = Figure(figsize=(9.5, 0.5 + 0.19 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for each in sorted(slices, key=lambda each: each["ts"]):
        row = places[each["pid"], tile_row(each, nodes)]
        left, width = (each["ts"] - begin) / 1e3, max(0.15, each["dur"] / 1e3)
        axes.barh(row, width, left=left, height=0.86, color=COLOURS.get(each["name"], "black"), lw=0)
    labels = [nodes[pid] + ("" if tile < 0 else f"  tile {tile}") for _, pid, tile in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    axes.set(xlabel="ms after capture", ylim=(len(rows) - 0.4, -0.6), xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    used = [name for name in COLOURS if name in {each["name"] for each in slices}]
    axes.legend(
        handles=[Patch(color=COLOURS[name], label=name) for name in used], fontsize=7, loc="center left",
        bbox_to_anchor=(1.0, 0.5), frameon=False,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    main()
