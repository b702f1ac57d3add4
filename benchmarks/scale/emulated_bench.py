"""Emulated weak devices with bare loops on all of them, and a cluster on the same devices between two runs of these."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from benchmarks.cluster.limits import NodeLimits
from benchmarks.cluster.nodes import EmulatedNodes
from benchmarks.cluster.shaping import Link
from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.bare_devices import BareDevices, open_bare
from benchmarks.scale.bare_export import export_bare
from benchmarks.scale.bare_figures import BareDevice, BareFigures, drift, mean_figures, sum_of_rates
from benchmarks.scale.bare_model import BareModel
from benchmarks.scale.scale_cluster import NO_COMPUTING_OPTION, ClusterSetup, ScaleCluster, open_cluster
from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.commands.serve import command as gateway_command
from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.scale.bench_group import ScaleScope
    from benchmarks.scale.cluster_window import ClusterWindow

EDGE_CORES, GATEWAY_CORES = 0.2, 0.4
LINK = Link(100, shared=False)
ONE_CORE = ("--max-cores", "1")
"""The limits are lifted while the processes start: they would find all cores of this machine, and use them."""


@dataclass(slots=True)
class EmulatedBench:
    """The devices, the bare loops on them, and the cluster; `windows`: what was observed of it, by name."""

    scope: ScaleScope
    name: str
    model: str
    description: Path
    nodes: EmulatedNodes
    edges: tuple[str, ...]
    bare: BareDevices
    before: dict[str, BareFigures] = field(default_factory=dict)
    sessions: dict[str, BareFigures] = field(default_factory=dict)
    windows: dict[str, ClusterWindow] = field(default_factory=dict)
    _alone: dict[str, BareDevice] = field(default_factory=dict)
    _after: dict[str, BareFigures] = field(default_factory=dict)
    _cluster: ScaleCluster | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def cluster(self) -> ScaleCluster:
        """Return the cluster; the first call measures the bare devices, then starts it."""
        if self._cluster is None:
            await self._measure_before()
            self._cluster = await self._start()
        return self._cluster

    async def _measure_before(self) -> None:
        if not self.before:
            self.nodes.set_cpu_limits()
            self.before = await self.bare.measure(self.scope.loop)
            self.sessions = await self.bare.measure(self.scope.session)

    async def restart(self, *gateway_options: str, edge_options: Sequence[str] = ()) -> ScaleCluster:
        """Return another cluster, whose gateway and edges have more options, after stopping the one before."""
        await self.close()
        self._cluster = await self._start(gateway_options, edge_options)
        return self._cluster

    async def _start(self, gateway_options: Sequence[str] = (), edge_options: Sequence[str] = ()) -> ScaleCluster:
        setup = ClusterSetup(
            self.model, self.edges, (*self.scope.gateway_options, *ONE_CORE, *gateway_options),
            (*ONE_CORE, *edge_options),
        )  # fmt: skip
        cache, logs = self.scope.folder / "cache", self.scope.logs(self.name)
        return await self._open.enter_async_context(open_cluster(setup, self.nodes, logs, cache))

    async def alone(self, name: str) -> BareDevice:
        """Return the figures of a bare device while the others do nothing: measured while there is no cluster."""
        if name not in self._alone:
            assert self._cluster is None, "a cluster takes some of the device's time"
            self.nodes.set_cpu_limits()
            loop = await self.bare.measure(self.scope.alone, [name])
            session = await self.bare.measure(self.scope.session, [name])
            self._alone[name] = BareDevice(loop[name], session[name])
        return self._alone[name]

    async def beside_others(self, name: str) -> BareDevice:
        """Return the figures of a bare device while all others do the same, as they share this machine's caches."""
        await self._measure_before()
        return BareDevice(self.before[name], self.sessions[name])

    async def compare(self) -> Mapping[str, BareFigures]:
        """Stop the cluster and measure the bare devices again; return the means of before and after."""
        if not self._after:
            await self.close()
            self.nodes.set_cpu_limits()
            self._after = await self.bare.measure(self.scope.loop)
        return {name: mean_figures([figures, self._after[name]]) for name, figures in self.before.items()}

    async def close(self) -> None:
        """Stop the cluster."""
        self._cluster = None
        await self._open.aclose()

    @property
    def devices(self) -> tuple[str, ...]:
        return (*self.edges, GATEWAY_NODE)

    def relative_speed(self, name: str) -> float:
        """Return the cores of a device, relative to those of the first edge."""
        return self.nodes.cores(name) / self.nodes.cores(self.edges[0])

    @property
    def remark(self) -> str:
        """Return what to know about a comparison of before and after."""
        return f"bare after, against before: {drift(self.before, self._after):+.0%}".replace("%", " %")

    def session_rate(self, names: tuple[str, ...]) -> float:
        """Return the frames a second of `session.run` on these devices together."""
        return sum_of_rates(self.sessions, names)

    def picture_bytes(self) -> int:
        """Return the bytes of a picture that is scaled to the network's input, without bars."""
        model = BareModel.read(self.description)
        picture = next(open_source(str(FOOTAGE)).pictures())
        height, width = Letterbox.for_picture(picture.shape, model.input_size, model.spec.preprocessing).size
        return 3 * height * width


@asynccontextmanager
async def open_emulated(
    scope: ScaleScope, name: str, model: str, edges: Sequence[float] | int, link: Link = LINK,
    gateway_cores: float = GATEWAY_CORES,
) -> AsyncIterator[EmulatedBench]:  # fmt: skip
    """Make the devices with such links, and start the bare loops on them. Raises EmulationError.

    `edges` are the cores of each, or their number.
    """
    cores = (EDGE_CORES,) * edges if isinstance(edges, int) else edges
    limits = {f"edge-{number}": NodeLimits(each) for number, each in enumerate(cores, 1)}
    names = tuple(limits)
    limits[GATEWAY_NODE] = NodeLimits(gateway_cores)
    description = export_bare(model, scope.folder / "models")
    with EmulatedNodes([GATEWAY_NODE, *names], limits, link) as nodes:
        async with open_bare(nodes, [GATEWAY_NODE, *names], description, scope.logs(name)) as bare:
            bench = EmulatedBench(scope, name, model, description, nodes, names, bare)
            try:
                yield bench
            finally:
                await bench.close()


def can_gateway_stand_aside() -> bool:
    """Return whether this release's gateway has an option to take no part in computing."""
    known = [name for each in gateway_command.params if isinstance(each, click.Option) for name in each.opts]
    known += [name for each in gateway_command.params for name in each.secondary_opts]
    return NO_COMPUTING_OPTION in known
