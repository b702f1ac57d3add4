"""The nodes of a benchmark: emulated weak devices on a slow network, or plain processes on loopback."""

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
    """The nodes that the processes of a cluster run on. Leaving the context ends the processes that still run."""

    shaped: bool
    """True if the link, CPU and memory of each node are emulated."""
    reason: str
    """The reason why they are not; empty if they are."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def address(self, node: str) -> str:
        """Return the address at which the other nodes reach it."""

    def command(self, node: str) -> list[str]:
        """Return the arguments to put before a command so that it runs on `node`, within its limits."""

    def bare_command(self, node: str) -> list[str]:
        """Return the arguments for running a command on `node` without its limits.

        A camera agent runs like this, because it must not use the CPU time of the edge on the same node.
        """

    def counters(self, node: str) -> InterfaceCounters | None:
        """Return the bytes counted at the interface of `node`; None if it is not emulated."""

    def cpu_seconds(self, node: str) -> float | None:
        """Return the CPU time used within the node's limits; None if it is not emulated."""

    def peak_memory_bytes(self, node: str) -> int | None:
        """Return the peak memory used within the node's limits; None if it is not emulated."""

    def lift_cpu_limits(self) -> None:
        """Remove the CPU limits of all nodes, so that they start quickly."""

    def set_cpu_limits(self) -> None:
        """Set the CPU limits again."""

    def set_cpu(self, node: str, cores: float) -> None:
        """Change the CPU limit of one node at once. It holds until `set_cpu_limits` restores the limits of all."""

    def set_rate(self, node: str, link: Link) -> None:
        """Change the link of one node at once, in both directions."""


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

    def cores(self, node: str) -> float:
        """Return the CPU limit of a node."""
        return self._limits[node].cpu

    def peak_memory_bytes(self, node: str) -> int:
        return self._groups[node].peak_memory_bytes()

    def lift_cpu_limits(self) -> None:
        for group in self._groups.values():
            group.set_cpu(None)

    def set_cpu_limits(self) -> None:
        for node, group in self._groups.items():
            group.set_cpu(self._limits[node].cpu)

    def set_cpu(self, node: str, cores: float) -> None:
        self._groups[node].set_cpu(cores)

    def set_rate(self, node: str, link: Link) -> None:
        self._network.set_rate(node, link)


class LoopbackNodes:
    """Nodes that are plain processes of this machine, without limits."""

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

    def set_cpu(self, node: str, cores: float) -> None:
        pass

    def set_rate(self, node: str, link: Link) -> None:
        pass


def emulation_unavailable_reason(link: Link) -> str:
    """Return why nodes cannot be emulated here, in one line; empty if they can."""
    return networking.network_unavailable_reason(link) or limiting.limits_unavailable_reason()


def open_nodes(names: Sequence[str], limits: Mapping[str, NodeLimits], link: Link) -> BenchNodes:
    """Return emulated nodes, or nodes on loopback with a `reason` if the kernel or permissions do not allow them.

    The caller must enter the returned context. Raises ConfigurationError for invalid names.
    """
    reason = emulation_unavailable_reason(link)
    return LoopbackNodes(reason) if reason else EmulatedNodes(names, limits, link)
