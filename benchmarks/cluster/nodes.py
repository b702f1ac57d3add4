"""The nodes of a benchmark: weak devices on a slow network where that can be emulated, plain loopback elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

from benchmarks.cluster import emulated_network as networking
from benchmarks.cluster import limits as limiting
from benchmarks.cluster.emulated_network import EmulatedNetwork, InterfaceCounters
from benchmarks.cluster.limits import ControlGroup, NodeLimits
from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.cluster.shaping import Link


class BenchNodes(Protocol):
    """Where the processes of a cluster run; a context that ends those that still do."""

    shaped: bool
    """Whether link and limits hold."""
    reason: str
    """Why they do not."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def address(self, node: str) -> str:
        """The address at which the other nodes reach it."""

    def command(self, node: str) -> list[str]:
        """What to put before a command so that it runs on `node`, within its limits."""

    def bare_command(self, node: str) -> list[str]:
        """The same outside of its limits: for a camera agent, whose processor is not the edge's."""

    def counters(self, node: str) -> InterfaceCounters | None:
        """What has gone over the interface of `node`."""

    def cpu_seconds(self, node: str) -> float | None:
        """What has been used within its limits."""

    def peak_memory_bytes(self, node: str) -> int | None:
        """The most that has been in use within its limits at a time."""

    def lift_cpu_limits(self) -> None:
        """Lift the CPU limits of all nodes, so that starting them takes no longer than it must."""

    def set_cpu_limits(self) -> None:
        """Set the CPU limits again."""


class EmulatedNodes:
    """Nodes with a network namespace and a control group each. Raises EmulationError, ConfigurationError."""

    shaped = True
    reason = ""

    def __init__(self, names: Sequence[str], limits: Mapping[str, NodeLimits], link: Link) -> None:
        without = [name for name in names if name not in limits]
        if without:
            raise ConfigurationError(f"nodes {', '.join(without)} have no limits; give some to each")
        self._network = EmulatedNetwork(names, link)
        self._limits = {name: limits[name] for name in names}
        self._groups = {name: ControlGroup(name, limits[name]) for name in names}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(self._network)
            for group in self._groups.values():
                opening.enter_context(group)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def address(self, node: str) -> str:
        return self._network.address(node)

    def command(self, node: str) -> list[str]:
        return [*self._groups[node].command(), *self._network.command(node)]

    def bare_command(self, node: str) -> list[str]:
        return self._network.command(node)

    def counters(self, node: str) -> InterfaceCounters:
        return self._network.counters(node)

    def cpu_seconds(self, node: str) -> float:
        return self._groups[node].cpu_seconds()

    def peak_memory_bytes(self, node: str) -> int:
        return self._groups[node].peak_memory_bytes()

    def lift_cpu_limits(self) -> None:
        for group in self._groups.values():
            group.set_cpu(None)

    def set_cpu_limits(self) -> None:
        for node, group in self._groups.items():
            group.set_cpu(self._limits[node].cpu)


class LoopbackNodes:
    """Nodes that are processes of this machine and nothing else: whatever is measured is this machine's own."""

    shaped = False

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def address(self, node: str) -> str:  # noqa: ARG002
        return LOOPBACK

    def command(self, node: str) -> list[str]:  # noqa: ARG002
        return []

    def bare_command(self, node: str) -> list[str]:  # noqa: ARG002
        return []

    def counters(self, node: str) -> None:  # noqa: ARG002
        return None

    def cpu_seconds(self, node: str) -> None:  # noqa: ARG002
        return None

    def peak_memory_bytes(self, node: str) -> None:  # noqa: ARG002
        return None

    def lift_cpu_limits(self) -> None:
        pass

    def set_cpu_limits(self) -> None:
        pass


def emulation_unavailable_reason(link: Link) -> str:
    """Why nodes cannot be emulated here, in one line; empty where they can."""
    return networking.network_unavailable_reason(link) or limiting.limits_unavailable_reason()


def open_nodes(names: Sequence[str], limits: Mapping[str, NodeLimits], link: Link) -> BenchNodes:
    """Emulated nodes, or, where the kernel or the user's rights are not up to it, ones on loopback that say why not.

    Enter what is returned. Raises ConfigurationError for bad names.
    """
    reason = emulation_unavailable_reason(link)
    return LoopbackNodes(reason) if reason else EmulatedNodes(names, limits, link)
