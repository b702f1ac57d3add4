"""Writes a page in Markdown that compares the measurements with the paper, figure by figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.experiments import EQUAL_ENGINE_CPU, THIN_LINK_MBIT
from gateway.planning.methods import METHOD_DESCRIPTIONS, PAPER_METHODS, Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.campaign import Campaign
    from benchmarks.experiments import Scope
    from benchmarks.figures import DrawnFigure
    from benchmarks.findings import PaperFinding, Results
    from benchmarks.memory_figures import MemoryFigures
    from benchmarks.setting import Measurement
    from benchmarks.work import BenchWork

PAGE_FILE = "README.md"


@dataclass(frozen=True, slots=True)
class Calculated:
    """Calculated figures of a network; `work`: by grid."""

    memory: MemoryFigures
    work: Mapping[str, BenchWork]


def write_page(
    campaign: Campaign,
    results: Results,
    found: Sequence[PaperFinding],
    drawn: Sequence[DrawnFigure],
    calculated: Mapping[str, Calculated],
) -> str:
    """Return the text of the page; `calculated`: figures by the network's name."""
    return (
        "\n\n".join(
            [
                *_opening(campaign, results, found),
                *_pictures(drawn),
                *_by_calculation(calculated),
                *_tables(results),
                *_end(campaign),
            ]
        )
        + "\n"
    )


def _opening(campaign: Campaign, results: Results, found: Sequence[PaperFinding]) -> Iterable[str]:
    scope, machine = results.scope, campaign.machine
    link = f"{scope.link_mbit:g} Mbit/s {'for all devices together' if scope.shared_medium else 'for each device'}"
    yield "# The paper's experiments, on real processes"
    yield (
        "Written by `deepthings bench paper`. Figures of the paper are those of Zhao, Barijough and Gerstlauer, IEEE "
        "TCAD 37(11), 2018; those of the authors' program were measured on a cluster emulated like this one."
    )
    if campaign.reason:
        yield (
            f"> **Not shaped.** {campaign.reason} All processes ran unlimited on loopback: times and speed-ups say "
            "nothing about small devices, and bytes are those that the nodes report."
        )
    places, limits = "", ""
    if not campaign.reason:
        places = " in network namespaces"
        limits = f" Edges had 0.2 of a core, the gateway 0.4, the link {link}, unless stated otherwise."
    yield (
        f"Gateway, edges and cameras ran as processes of their own{places} on {machine['processor']} "
        f"({machine['cores']} cores).{limits} The network is YOLOv2 at 608 with seeded random weights, of which 16 "
        "layers are fused; latency is the median from a frame's arrival at its owner until its last tile is merged."
    )
    yield "\n".join(
        ["| method | what it is |", "|---|---|", *(f"| {m} | {METHOD_DESCRIPTIONS[m]} |" for m in PAPER_METHODS)]
    )
    yield "## Compared with the paper"
    rows = [f"| {f.figure} | {f.paper} | {f.ours} | {'yes' if f.reached else '**no**'} | {f.remark} |" for f in found]
    yield "\n".join(["| figure | paper | here | reached | remark |", "|---|---|---|---|---|", *rows])


def _pictures(drawn: Sequence[DrawnFigure]) -> Iterable[str]:
    if drawn:
        yield "## Figures"
    for picture in drawn:
        yield f"![{picture.caption}]({picture.file})"


def _by_calculation(calculated: Mapping[str, Calculated]) -> Iterable[str]:
    yield "## By calculation"
    yield "### Memory"
    lines = [
        "| network | divided | largest device, MiB | against the whole | mean over the layers |",
        "|---|---|---|---|---|",
    ]
    for network, figures in calculated.items():
        for division, device in figures.memory.analytic.items():
            less = f"{-device.peak_reduction:+.1%} | {-device.layer_reduction:+.1%}".replace("%", " %")
            less = " | " if division == "whole" else less
            lines.append(f"| {network} | {division} | {device.peak_bytes / 2**20:.1f} | {less} |")
    yield "\n".join(lines)
    yield "### Work"
    lines = ["| network | grid | work without reuse | with reuse | strips, MB a frame |", "|---|---|---|---|---|"]
    for network, figures in calculated.items():
        for grid, work in figures.work.items():
            megabytes = work.strip_bytes / 1e6
            lines.append(f"| {network} | {grid} | {work.plain:.2f}x | {work.reusing:.2f}x | {megabytes:.2f} |")
    yield "\n".join(lines)


def _tables(results: Results) -> Iterable[str]:
    yield "## All settings"
    scope = results.scope
    parts: dict[str, Callable[[Measurement], bool]] = {
        "One source": lambda m: _usual(m, scope) and m.setting.sources == 1,
        "Several sources": lambda m: _usual(m, scope) and m.setting.sources > 1,
        "float32 pixels, as in the paper": lambda m: m.setting.pixels == "float32",
        f"A link of {THIN_LINK_MBIT:g} Mbit/s": lambda m: m.setting.link_mbit == THIN_LINK_MBIT != scope.link_mbit,
        f"Edges of {EQUAL_ENGINE_CPU:g} of a core, as slow as with the authors' engine": lambda m: (
            m.setting.edge_cpu == EQUAL_ENGINE_CPU
        ),
        "Unequal devices, with 1, 1.5, 1 and 0.5 times the usual share": lambda m: m.setting.unequal,
        "One medium for all devices": lambda m: m.setting.shared_medium and not scope.shared_medium,
        "All of YOLOv2, the remaining layers on the gateway": lambda m: m.setting.workload == "whole",
        "The built-in network": lambda m: m.setting.workload == "built-in",
    }
    for title, belongs in parts.items():
        rows = [measured for measured in results.all if belongs(measured)]
        if rows:
            yield f"### {title}"
            yield _table(rows)


def _usual(measured: Measurement, scope: Scope) -> bool:
    s = measured.setting
    usual = s.workload == "fused" and s.pixels == "uint8" and s.edge_cpu != EQUAL_ENGINE_CPU and not s.unequal
    return usual and (s.link_mbit, s.shared_medium) == (scope.link_mbit, scope.shared_medium)


def _table(rows: Sequence[Measurement]) -> str:
    head = "| method | grid | devices | sources | fused, s | largest, s | total, s | frames/s | MB a frame | stolen |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for m in sorted(rows, key=lambda m: (m.setting.method, m.setting.grid, m.setting.sources, m.setting.edges)):
        s = m.setting
        grid = "" if s.method in {Method.BODP, Method.WHOLE} else s.grid
        lines.append(
            f"| {s.method} | {grid} | {s.edges} | {s.sources} | {m.fused_s:.2f} | {m.largest_fused_s:.2f} | "
            f"{m.total_s:.2f} | {m.frames_per_s:.2f} | {m.bytes_per_frame / 1e6:.2f} | {m.stolen_share:.0%} |"
        )
    return "\n".join(lines)


def _end(campaign: Campaign) -> Iterable[str]:
    if campaign.failures:
        yield "## Settings that failed"
        yield "\n".join(f"- {setting}: {reason}" for setting, reason in campaign.failures.items())
    yield "Every measurement, frame by frame, is in `results.json`, one line for each setting in `results.csv`."
