"""The experiments of the paper, section V, each as a list of settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import isqrt
from typing import TYPE_CHECKING

from benchmarks.setting import BenchSetting
from gateway.planning.methods import PAPER_METHODS, Method

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FTP_METHODS = (Method.WSH, Method.WST, Method.WST_S)
DISTRIBUTED_METHODS = (Method.BODP, *FTP_METHODS)
THIN_LINK_MBIT = 20.0
"""Rate of the slow link, with which the authors' program was measured as well (benchmarks.paper)."""

EQUAL_ENGINE_CPU = 0.06
"""Cores with which one edge takes as long for the 16 layers as the authors' engine with 0.2 (benchmarks.paper)."""

UNEQUAL_EDGES = 4
"""Edges in the experiment with unequal ones: one for each of benchmarks.setting.UNEQUAL_CPU_FACTORS."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The extent of a campaign: `edges` are the numbers of devices to measure.

    `quick`: measure only a few settings, with fewer frames each.
    """

    edges: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    methods: tuple[Method, ...] = PAPER_METHODS
    link_mbit: float = 100.0
    shared_medium: bool = False
    quick: bool = False

    def setting_of(self, method: Method, **more: object) -> BenchSetting:
        """Return a setting with this scope's link and number of frames."""
        frames = 5 if self.quick else 8
        link = {"link_mbit": self.link_mbit, "shared_medium": self.shared_medium, "frames": frames}
        return BenchSetting(str(method), **{**link, **more})  # type: ignore[arg-type]

    def wanted_methods(self, methods: Sequence[Method]) -> tuple[Method, ...]:
        return tuple(method for method in methods if method in self.methods)


def one_each(edges: int) -> str:
    """Return the most square grid with one tile for each device."""
    rows = max(rows for rows in range(1, isqrt(edges) + 1) if edges % rows == 0)
    return f"{rows}x{edges // rows}"


def all_settings(scope: Scope) -> list[BenchSetting]:
    """Return all settings, each once, ordered so that settings to compare are measured close together."""
    experiments = (latency, traffic, sources) if scope.quick else (
        latency, traffic, sources, thin_link, equal_engine, shared_medium, unequal, whole_network, built_in_network
    )  # fmt: skip
    return list(dict.fromkeys(setting for experiment in experiments for setting in experiment(scope)))


def latency(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with one source: latency and speed-up by devices and method, reuse, and stolen tiles."""
    grids = ("3x3",) if scope.quick else ("3x3", "4x4", "5x5")
    for edges in scope.edges:
        for method in scope.wanted_methods([Method.WHOLE]):
            if edges == 1:
                yield scope.setting_of(method, grid="1x1")
        for method in scope.wanted_methods([Method.BODP]):
            yield scope.setting_of(method, edges=edges)
        for grid, method in product(grids, scope.wanted_methods(FTP_METHODS)):
            if (grid, method) != ("4x4", Method.WSH):
                yield scope.setting_of(method, grid=grid, edges=edges)
        for method in scope.wanted_methods([Method.WST]):
            if edges > 1:
                yield scope.setting_of(method, grid=one_each(edges), edges=edges)


def traffic(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings for bytes by devices and method, with the paper's float32 pixels."""
    for edges, method in product(scope.edges, scope.wanted_methods(DISTRIBUTED_METHODS)):
        if edges > 1:
            yield replace(scope.setting_of(method, edges=edges, pixels="float32"), frames=4)


def sources(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with several sources: the largest latency, and throughput."""
    most = max(scope.edges)
    counts = [most] if scope.quick else range(2, most + 1)
    for count, method in product(counts, scope.wanted_methods([Method.BODP, Method.WST_S])):
        yield scope.setting_of(method, edges=most, sources=count)
    for method in scope.wanted_methods([] if scope.quick else [Method.WSH, Method.WST]):
        yield scope.setting_of(method, edges=most, sources=most)
    if not scope.quick and Method.WST_S in scope.methods:
        yield scope.setting_of(Method.WST_S, edges=most, sources=most, grid="5x5")


def thin_link(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with a slow link, where strips may cost more than they save."""
    for edges, grid, method in product(_ends(scope), ("3x3", "5x5"), scope.wanted_methods([Method.WST, Method.WST_S])):
        yield replace(scope.setting_of(method, grid=grid, edges=edges), link_mbit=THIN_LINK_MBIT)


def equal_engine(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with devices that are as slow as with the authors' engine.

    The ratio of computing to communication is then the same as with the authors' program.
    """
    if Method.WHOLE in scope.methods and 1 in scope.edges:
        yield replace(scope.setting_of(Method.WHOLE, grid="1x1", edges=1), edge_cpu=EQUAL_ENGINE_CPU, frames=5)
    chosen = [edges for edges in scope.edges if edges in {1, 2, max(scope.edges)}]
    for edges, method in product(chosen, scope.wanted_methods([Method.BODP, Method.WST, Method.WST_S])):
        grids = {Method.BODP: ("3x3",), Method.WST: ("3x3", "5x5", one_each(edges))}.get(method, ("3x3", "5x5"))
        for grid in grids:
            yield replace(scope.setting_of(method, grid=grid, edges=edges), edge_cpu=EQUAL_ENGINE_CPU, frames=5)


def shared_medium(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with all devices on one medium, as on Wi-Fi."""
    for method in scope.wanted_methods(DISTRIBUTED_METHODS):
        yield replace(scope.setting_of(method, edges=max(scope.edges)), shared_medium=True)


def unequal(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with devices of unequal speed.

    MoDNN gives faster devices larger shares; with FTP, faster devices steal more tiles.
    """
    if UNEQUAL_EDGES in scope.edges:
        for method in scope.wanted_methods(DISTRIBUTED_METHODS):
            yield replace(scope.setting_of(method, edges=UNEQUAL_EDGES), unequal=True, frames=24)


def whole_network(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with all of YOLOv2: the remaining layers, 59 % of its work, run on the gateway."""
    for edges in _ends(scope):
        for method in scope.wanted_methods([Method.BODP, Method.WST_S]):
            yield replace(scope.setting_of(method, edges=edges, workload="whole"), frames=5)


def built_in_network(scope: Scope) -> Iterator[BenchSetting]:
    """Yield settings with the built-in network, a real one for small devices."""
    for edges, method in product(_ends(scope), scope.wanted_methods(DISTRIBUTED_METHODS)):
        yield scope.setting_of(method, edges=edges, workload="built-in")
    most = max(scope.edges)
    for method in scope.wanted_methods([Method.BODP, Method.WST_S]):
        yield scope.setting_of(method, edges=most, sources=most, workload="built-in")


def _ends(scope: Scope) -> list[int]:
    """Return the smallest and the largest number of devices."""
    return sorted({min(scope.edges), max(scope.edges)})
