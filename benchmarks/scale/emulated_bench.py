"""Emulated weak devices, on which first bare loops are measured, then a cluster, and then bare loops again."""

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
"""The usual CPU limits, as in the measurements of the authors' program."""

LINK = Link(100, shared=False)
"""The usual link of each device."""

ONE_CORE = ("--max-cores", "1")
"""Options of all nodes. They start without CPU limits, and would otherwise prepare for all cores of the machine."""


@dataclass(slots=True)
class EmulatedBench:
    """The devices, the bare loops on them, and the cluster.

    `description`: of the model, for the bare loops; `before`: figures of the bare loops before the cluster started;
    `sessions`: those of `session.run` alone; `windows`: observations of the cluster, by a name that the steps choose.
    """

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
        """Return the cluster. The first call measures the bare devices, and then starts the cluster."""
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
        """Stop the cluster, and start and return another one, whose gateway and edges have these options as well."""
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
        """Return the figures of a bare device while the others are idle. The first call must come without a cluster."""
        if name not in self._alone:
            assert self._cluster is None, "a cluster takes some of the device's time"
            self.nodes.set_cpu_limits()
            loop = await self.bare.measure(self.scope.alone, [name])
            session = await self.bare.measure(self.scope.session, [name])
            self._alone[name] = BareDevice(loop[name], session[name])
        return self._alone[name]

    async def beside_others(self, name: str) -> BareDevice:
        """Return the figures of a bare device while the bare loops of all others run as well.

        As in a cluster, it then shares the caches of this machine with the others.
        """
        await self._measure_before()
        return BareDevice(self.before[name], self.sessions[name])

    async def compare(self) -> Mapping[str, BareFigures]:
        """Stop the cluster and measure the bare devices again; return the mean of each before and after the cluster."""
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
        """Return a text about how much the bare devices differed before and after the cluster."""
        return f"bare after, against before: {drift(self.before, self._after):+.0%}".replace("%", " %")

    def session_rate(self, names: tuple[str, ...]) -> float:
        """Return the sum of these devices' frames a second when they run only the network."""
        return sum_of_rates(self.sessions, names)

    def picture_bytes(self) -> int:
        """Return the bytes of a picture that is scaled to the network's input. Bars beside it are not counted."""
        model = BareModel.read(self.description)
        picture = next(open_source(str(FOOTAGE)).pictures())
        height, width = Letterbox.for_picture(picture.shape, model.input_size, model.spec.preprocessing).size
        return 3 * height * width


@asynccontextmanager
async def open_emulated(
    scope: ScaleScope, name: str, model: str, edges: Sequence[float] | int, link: Link = LINK,
    gateway_cores: float = GATEWAY_CORES,
) -> AsyncIterator[EmulatedBench]:  # fmt: skip
    """Make the devices with these links, and start the bare loops on them. Raises EmulationError.

    `name`: of the folder for logs; `edges`: the cores of each edge, or the number of edges with the usual cores.
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
    """Return whether the gateway of this release has an option with which it computes no tiles."""
    known = [name for each in gateway_command.params if isinstance(each, click.Option) for name in each.opts]
    known += [name for each in gateway_command.params for name in each.secondary_opts]
    return NO_COMPUTING_OPTION in known
