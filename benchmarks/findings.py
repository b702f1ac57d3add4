"""Compares our figures with the paper's, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks import paper
from benchmarks.experiments import EQUAL_ENGINE_CPU, THIN_LINK_MBIT, Scope, one_each
from benchmarks.setting import EDGE_CPU
from gateway.planning.methods import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.memory_figures import MemoryFigures
    from benchmarks.setting import Measurement

_GRIDS = ("3x3", "4x4", "5x5")
_EDGE_CPUS = ((EDGE_CPU, ""), (EQUAL_ENGINE_CPU, ", devices slowed down to the authors' engine"))
"""Cores of an edge that are compared with the paper, and how the names of their figures end."""


@dataclass(frozen=True, slots=True)
class PaperFinding:
    """A figure of the paper beside ours; `reached`: ours is at least as good."""

    figure: str
    paper: str
    ours: str
    reached: bool
    remark: str = ""


class Results:
    """The measurements of a scope, which are found by how their setting differs from the scope's usual one."""

    def __init__(self, scope: Scope, measurements: Sequence[Measurement]) -> None:
        self.scope = scope
        self.all = measurements
        self._known = {self._key(measured): measured for measured in measurements}

    @staticmethod
    def _key(measured: Measurement) -> tuple[object, ...]:
        s = measured.setting
        grid = "" if s.method in {Method.BODP, Method.WHOLE} else s.grid
        return (
            s.method, grid, s.edges, s.sources, s.workload, s.link_mbit, s.shared_medium, s.edge_cpu, s.unequal,
            s.pixels,
        )  # fmt: skip

    def find_measurement(self, method: str, grid: str = "3x3", edges: int = 1, **more: object) -> Measurement | None:
        """Return the measurement of a setting, or None; `more`: values that differ from the scope's usual ones."""
        values = {
            "sources": 1, "workload": "fused", "link_mbit": self.scope.link_mbit,
            "shared_medium": self.scope.shared_medium, "edge_cpu": EDGE_CPU, "unequal": False, "pixels": "uint8",
            **more,
        }  # fmt: skip
        grid = "" if method in {Method.BODP, Method.WHOLE} else grid
        return self._known.get((method, grid, edges, *values.values()))

    def by_edges(self, method: str, grid: str = "3x3", **more: object) -> dict[int, Measurement]:
        """Return the measurements of a setting by number of devices."""
        found = {edges: self.find_measurement(method, grid, edges, **more) for edges in self.scope.edges}
        return {edges: measured for edges, measured in found.items() if measured is not None}


def paper_findings(results: Results, memory: MemoryFigures | None) -> list[PaperFinding]:
    """Return all figures of the paper for which there are measurements."""
    parts: tuple[Callable[[], Iterator[PaperFinding]], ...] = (
        lambda: _memory(memory),
        lambda: _traffic(results),
        lambda: _latency(results),
        lambda: _reuse(results),
        lambda: _sources(results),
        lambda: _authors(results),
        lambda: _same_detections(results),
    )
    return [finding for part in parts for finding in part()]


def _percent(share: float) -> str:
    return f"{-share * 100:+.0f} %"


def _memory(memory: MemoryFigures | None) -> Iterator[PaperFinding]:
    if memory is None:
        return
    for division, expected in paper.PEAK_REDUCTION.items():
        ours = memory.analytic[division].peak_reduction
        yield PaperFinding(
            f"largest memory per device, {division}", _percent(expected), _percent(ours), ours >= expected - 0.005
        )
    for division, expected in paper.LAYER_REDUCTION.items():
        ours = memory.analytic[division].layer_reduction
        text = f"{-ours * 100:+.1f} %"
        yield PaperFinding(f"mean memory per layer, {division}", _percent(expected), text, ours >= expected - 0.005)
    default = memory.measured.get("default")
    if default:
        for grid, expected in (("3x3", 0.58), ("5x5", 0.68)):
            ours = 1 - memory.measured[grid] / default
            remark = "resident memory of a worker above what importing takes, against onnxruntime with its defaults"
            yield PaperFinding(f"measured memory, {grid}", _percent(expected), _percent(ours), ours >= expected, remark)


def _traffic(results: Results) -> Iterator[PaperFinding]:
    shared, stolen, reusing = (
        results.by_edges(method, pixels="float32") for method in (Method.WSH, Method.WST, Method.WST_S)
    )
    if both := sorted(set(shared) & set(stolen)):
        ours = fmean(1 - stolen[n].bytes_per_frame / shared[n].bytes_per_frame for n in both)
        yield PaperFinding(
            f"bytes, FTP-WST against FTP-WSH, {_mean_over(both)}, float32 pixels",
            _percent(paper.BYTES_REDUCTION), _percent(ours), ours >= paper.BYTES_REDUCTION,
        )  # fmt: skip
    if both := sorted(set(reusing) & set(stolen)):
        more = fmean(reusing[n].bytes_per_frame - stolen[n].bytes_per_frame for n in both) / 1e6
        least, most = paper.REUSE_MEGABYTES
        yield PaperFinding(
            f"bytes that FTP-WST-S adds, {_mean_over(both)}, float32 pixels",
            f"{least} to {most} MB", f"{more:.2f} MB", more <= most,
        )  # fmt: skip
    modnn = results.by_edges(Method.BODP, pixels="float32")
    if len(modnn) > 2:
        first, last = min(modnn), max(modnn)
        growth = (modnn[last].bytes_per_frame - modnn[first].bytes_per_frame) / (last - first) / 1e6
        flat = {n: m.bytes_per_frame / 1e6 for n, m in shared.items()}
        spread = f"{min(flat.values()):.1f} to {max(flat.values()):.1f} MB" if flat else "not measured"
        yield PaperFinding(
            "bytes of MoDNN by device count", "grow linearly", f"+{growth:.2f} MB a device", growth > 0,
            f"FTP-WSH stays at {spread}",
        )  # fmt: skip
    gap = [
        1 - sum(m.accounted_bytes.values()) / m.interface_bytes
        for m in results.all
        if m.interface_bytes and m.setting.sources == 1
    ]
    if gap:
        spread = f"{min(gap):.1%} to {max(gap):.1%}".replace("%", " %")
        yield PaperFinding(
            "bytes by the interfaces, beyond our own account", "", spread,
            max(gap) < 0.15, "headers of Ethernet, IP and TCP, acknowledgements, segments sent again",
        )  # fmt: skip


def _mean_over(devices: Sequence[int]) -> str:
    return f"mean over {devices[0]} to {devices[-1]} devices" if len(devices) > 1 else f"{devices[0]} devices"


def _speed_up(measured: dict[int, Measurement], most: int) -> float | None:
    if most < 2 or not {1, most} <= set(measured):
        return None
    return measured[1].fused_s / measured[most].fused_s


def _latency(results: Results) -> Iterator[PaperFinding]:
    most = max(results.scope.edges)
    for cpu, name in _EDGE_CPUS:
        ours = {grid: _speed_up(results.by_edges(Method.WST_S, grid, edge_cpu=cpu), most) for grid in _GRIDS}
        known = {grid: value for grid, value in ours.items() if value is not None}
        if known:
            best = max(known, key=lambda grid: known[grid])
            rows = results.by_edges(Method.WST_S, best, edge_cpu=cpu)
            text = ", ".join(f"{grid} {value:.2f}x" for grid, value in known.items())
            yield PaperFinding(
                f"latency, FTP-WST-S, {most} devices against 1 with the same tiles{name}", f"{paper.SPEED_UP}x", text,
                known[best] >= paper.SPEED_UP, _latency_parts(rows[1].fused_s, rows[most]),
            )  # fmt: skip
        modnn = _speed_up(results.by_edges(Method.BODP, edge_cpu=cpu), most)
        if modnn is not None:
            yield PaperFinding(
                f"latency, MoDNN, {most} devices against 1{name}", f"{paper.MODNN_SPEED_UP}x", f"{modnn:.2f}x",
                reached=True, remark="the baseline, as good as we could make it",
            )  # fmt: skip


def _latency_parts(single_s: float, best: Measurement) -> str:
    """Return a text with the two parts of the latency with most devices: computing, and transfer.

    `single_s`: the latency of one device; `best`: the measurement with most devices.
    """
    setting, edges, megabytes = best.setting, best.setting.edges, best.bytes_per_frame / 1e6
    transfer_s = megabytes * 8 / setting.link_mbit
    return (
        f"{setting.method} {setting.grid}: {best.fused_s:.2f} s; the computation of {single_s:.2f} s, divided by "
        f"{edges}, would be {single_s / edges:.2f} s; {megabytes:.1f} MB a frame take {transfer_s:.2f} s of one link"
    )


def _reuse(results: Results) -> Iterator[PaperFinding]:
    for cpu, name in _EDGE_CPUS:
        gains: dict[tuple[str, int], float] = {}
        spared: dict[tuple[str, int], float] = {}
        for grid in _GRIDS:
            plain = results.by_edges(Method.WST, grid, edge_cpu=cpu)
            reusing = results.by_edges(Method.WST_S, grid, edge_cpu=cpu)
            rows, columns = (int(side) for side in grid.split("x"))
            for edges in sorted(set(plain) & set(reusing)):
                if 2 * edges <= rows * columns:
                    gains[grid, edges] = 1 - reusing[edges].fused_s / plain[edges].fused_s
                    spared[grid, edges] = 1 - _core_seconds(reusing[edges]) / _core_seconds(plain[edges])
        if gains:
            mean, worst = fmean(gains.values()), min(gains, key=lambda key: gains[key])
            yield PaperFinding(
                f"latency, reuse-aware scheduling, with two or more tiles for each device{name}",
                _percent(paper.REUSE_REDUCTION), f"{_percent(mean)} on average", mean >= paper.REUSE_REDUCTION,
                f"from {_percent(max(gains.values()))} to {_percent(gains[worst])} ({worst[0]}, {worst[1]} devices); "
                f"{_explain_gain(gains, spared)}",
            )  # fmt: skip
        yield from _reuse_by_grid(results, cpu, name)
    yield from _reuse_at_worst(results)


def _reuse_at_worst(results: Results) -> Iterator[PaperFinding]:
    """Compare latency with reuse and without, of the setting in which reuse is worst."""
    pairs = [
        (
            results.find_measurement(Method.WST, grid, edges, link_mbit=link),
            results.find_measurement(Method.WST_S, grid, edges, link_mbit=link),
        )
        for link in {results.scope.link_mbit, THIN_LINK_MBIT}
        for grid in _GRIDS
        for edges in results.scope.edges
    ]
    ratios = {reusing.setting.text: reusing.fused_s / plain.fused_s for plain, reusing in pairs if plain and reusing}
    if ratios:
        worst_text = max(ratios, key=lambda text: ratios[text])
        yield PaperFinding(
            "reuse is never worse than no reuse", "", f"at most {ratios[worst_text]:.2f} times the latency",
            ratios[worst_text] <= 1.1, f"that is {worst_text}; two runs of one setting differ by up to a tenth",
        )  # fmt: skip


def _reuse_by_grid(results: Results, cpu: float, name: str) -> Iterator[PaperFinding]:
    for grid, expected in paper.REUSE_REDUCTIONS.items():
        plain, reusing = (results.by_edges(method, grid, edge_cpu=cpu) for method in (Method.WST, Method.WST_S))
        gains = {n: 1 - reusing[n].fused_s / plain[n].fused_s for n in sorted(set(plain) & set(reusing))}
        if gains:
            mean = fmean(gains.values())
            yield PaperFinding(
                f"latency with reuse, {grid}, {_mean_over([*gains])}{name}", _percent(expected), _percent(mean),
                mean >= expected, ", ".join(f"{n}: {_percent(gain)}" for n, gain in gains.items()),
            )  # fmt: skip


def _explain_gain(gains: Mapping[tuple[str, int], float], spared: Mapping[tuple[str, int], float]) -> str:
    """Return a text that explains why latency falls by less than the work.

    Both are shares by grid and number of devices: `gains` of latency, `spared` of the edges' CPU time.
    """
    text = f"the edges' own time falls by {fmean(spared.values()) * 100:.0f} % on average"
    alone = [key for key in gains if key[1] == 1]
    if not alone:
        return text
    latency, time = (fmean(shares[key] for key in alone) * 100 for shares in (gains, spared))
    return (
        f"{text}; on one device, where no strip travels and no tile waits for one, latency falls by {latency:.0f} %, "
        f"its time by {time:.0f} %: with more devices, sending strips costs a part of what they save"
    )


def _sources(results: Results) -> Iterator[PaperFinding]:
    most = max(results.scope.edges)
    single = results.find_measurement(Method.WST_S, edges=most)
    several = results.find_measurement(Method.WST_S, edges=most, sources=most)
    if single and several:
        ours = several.largest_fused_s / single.largest_fused_s
        needed, cores = most * _core_seconds(several), sum(several.setting.edge_cpus)
        yield PaperFinding(
            f"largest latency, FTP-WST-S, {most} sources against 1", f"{paper.SOURCES_LATENCY}x", f"{ours:.2f}x",
            round(ours, 1) <= paper.SOURCES_LATENCY,  # the paper gives one decimal
            f"{single.largest_fused_s:.2f} s and {several.largest_fused_s:.2f} s; for a frame of each source the "
            f"edges compute {needed:.2f} core-seconds, which {cores:g} cores give in {needed / cores:.2f} s",
        )  # fmt: skip
    ratios: dict[int, float] = {}
    for sources in range(1, most + 1):
        ours_of, modnn = (
            results.find_measurement(method, edges=most, sources=sources) for method in (Method.WST_S, Method.BODP)
        )
        if ours_of and modnn and modnn.frames_per_s:
            ratios[sources] = ours_of.frames_per_s / modnn.frames_per_s
    if ratios:
        mean, best = fmean(ratios.values()), max(ratios.values())
        yield PaperFinding(
            f"throughput, FTP-WST-S against MoDNN, by sources on {most} devices: in the mean, and at best",
            f"{paper.SOURCES_THROUGHPUT}x, {paper.BEST_SOURCES_THROUGHPUT}x", f"{mean:.2f}x, {best:.2f}x",
            mean >= paper.SOURCES_THROUGHPUT and best >= paper.BEST_SOURCES_THROUGHPUT,
            ", ".join(f"{sources} {ratio:.2f}x" for sources, ratio in ratios.items())
            + _throughput_bound(results, most),
        )  # fmt: skip


def _throughput_bound(results: Results, most: int) -> str:
    """Return a text with the throughput that no method can exceed on these devices.

    It assumes that edges compute frames undivided: no part of a frame is computed twice, and nothing is sent.
    """
    whole = results.find_measurement(Method.WHOLE)
    ours, modnn = (results.find_measurement(method, edges=most, sources=most) for method in (Method.WST_S, Method.BODP))
    if not (whole and ours and modnn):
        return ""
    possible = sum(ours.setting.edge_cpus) / _core_seconds(whole)
    return (
        f"; with {most} sources {ours.frames_per_s:.2f} and {modnn.frames_per_s:.2f} frames a second, for which the "
        f"edges computed {_core_seconds(ours):.2f} and {_core_seconds(modnn):.2f} core-seconds a frame; untiled, it "
        f"takes {_core_seconds(whole):.2f}: no method could exceed {possible:.2f} frames a second here, "
        f"{possible / max(1e-9, modnn.frames_per_s):.2f}x"
    )


def _core_seconds(measured: Measurement) -> float:
    """Return the CPU time of all edges together for a frame, in seconds."""
    used = sum(seconds for node, seconds in measured.cpu_seconds.items() if node.startswith("edge"))
    return used / max(1, len(measured.frames))


def _authors(results: Results) -> Iterator[PaperFinding]:
    yield from _authors_cells(results)
    yield from _authors_thin_link(results)
    yield from _authors_speed_up(results)


def _authors_cells(results: Results) -> Iterator[PaperFinding]:
    """Compare seconds and bytes with those of the authors' program, for each method, grid and number of devices."""
    compared, slower = 0, []
    for (method, grid), cells in paper.AUTHORS.items():
        for edges, (seconds, megabytes) in cells.items():
            measured = results.find_measurement(
                method, grid, edges, link_mbit=paper.AUTHORS_LINK_MBIT, shared_medium=False
            )
            if measured is None:
                continue
            compared += 1
            if measured.fused_s >= seconds or measured.bytes_per_frame / 1e6 >= megabytes:
                slower.append(
                    f"{measured.setting.text}: {measured.fused_s:.2f} s, {measured.bytes_per_frame / 1e6:.1f} MB "
                    f"against {seconds} s, {megabytes} MB"
                )
    if compared:
        yield PaperFinding(
            "the authors' program, seconds and bytes in every cell", "1.8 to 9.9 s, 1.6 to 15 MB",
            "not in all" if slower else "faster and fewer", not slower, "; ".join(slower),
        )  # fmt: skip


def _authors_thin_link(results: Results) -> Iterator[PaperFinding]:
    """Compare seconds with those of the authors' program at slow links."""
    thin = {
        key: (measured.fused_s, seconds)
        for key, seconds in paper.AUTHORS_THIN.items()
        if (measured := results.find_measurement(*key, paper.AUTHORS_THIN_EDGES, link_mbit=THIN_LINK_MBIT)) is not None
    }
    if thin:
        yield PaperFinding(
            f"the same with {paper.AUTHORS_THIN_EDGES} devices at {THIN_LINK_MBIT:g} Mbit/s",
            ", ".join(f"{seconds:.2f}" for _, seconds in thin.values()) + " s",
            ", ".join(f"{ours:.2f}" for ours, _ in thin.values()) + " s",
            all(ours < seconds for ours, seconds in thin.values()),
            ", ".join(f"{method} {grid}" for method, grid in thin),
        )


def _authors_speed_up(results: Results) -> Iterator[PaperFinding]:
    """Compare the latency of the most devices with that of one device that computes frames untiled."""
    for cpu, name in ((EDGE_CPU, ""), (EQUAL_ENGINE_CPU, ", at equal engine speed")):
        whole = results.find_measurement(Method.WHOLE, edge_cpu=cpu)
        candidates = [
            results.find_measurement(method, grid, max(results.scope.edges), edge_cpu=cpu)
            for method in (Method.WST, Method.WST_S)
            for grid in (*_GRIDS, one_each(max(results.scope.edges)))
        ]
        best = min((m for m in candidates if m is not None), key=lambda m: m.fused_s, default=None)
        if whole and best:
            ours = whole.fused_s / best.fused_s
            yield PaperFinding(
                f"{best.setting.edges} devices against one untiled{name}", f"{paper.AUTHORS_SPEED_UP:.1f}x",
                f"{ours:.2f}x", ours > paper.AUTHORS_SPEED_UP, _latency_parts(whole.fused_s, best),
            )  # fmt: skip


def _same_detections(results: Results) -> Iterator[PaperFinding]:
    """Compare the detections of all methods, device numbers and links, which must be the same."""
    complete = [m for m in results.all if not m.dropped and len(m.frames) == m.setting.frames * m.setting.sources]
    groups: dict[tuple[str, int, int], set[str]] = {}
    for measured in complete:
        setting = measured.setting
        groups.setdefault((setting.workload, setting.sources, setting.frames), set()).add(measured.detections_sha256)
    if groups:
        same = all(len(hashes) == 1 for hashes in groups.values())
        text = "the same, bit for bit" if same else "not all the same"
        yield PaperFinding("detections of all settings", "", text, same, f"{len(complete)} settings")
