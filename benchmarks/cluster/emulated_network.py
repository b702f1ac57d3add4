"""Emulates a network of nodes: a network namespace for each, connected by a bridge in another namespace.

Nothing is added to the machine's own namespace: no link, address or route. Nodes cannot reach anything outside.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.cluster.cleanup import list_namespaces, remove_leftover_networks, remove_namespace
from benchmarks.cluster.commands import EmulationError, run_tool
from benchmarks.cluster.owned_names import check_node_names, new_prefix
from benchmarks.cluster.shaping import Link, shape_medium, shape_port, shape_sender, shape_switch

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUBNET = "10.77.1"
"""The first three numbers of each node's IPv4 address."""

MAX_NODES = 250
"""Their addresses must fit into the subnet, which has 254."""

_HUB = "+hub"
"""Ends the name of the namespace with the bridge. No node can have this name, because of its "+"."""

_MEDIUM = "medium"
"""Name of the device through which all frames go if nodes share one medium."""

PROBE_LINK = Link(rate_mbit=100, shared=True)
"""Link of the network that is built to see whether this machine can: the kind that needs most kernel features."""


@dataclass(frozen=True, slots=True)
class InterfaceCounters:
    """Bytes of Ethernet frames (each is 14 bytes longer than its IP packet) that a node's interface has counted."""

    received_bytes: int
    sent_bytes: int


class EmulatedNetwork:
    """A context in which `nodes` have addresses on a network with this `link`. Leaving the context removes all of it.

    Entering it also removes leftovers of dead processes. Raises ConfigurationError for invalid names, EmulationError
    when the kernel refuses something.
    """

    def __init__(self, nodes: Sequence[str], link: Link) -> None:
        check_node_names(nodes, MAX_NODES)
        prefix = new_prefix()
        self._hub = prefix + _HUB
        self._link = link
        self._namespaces = {node: prefix + node for node in nodes}
        self._addresses = {node: f"{_SUBNET}.{number}" for number, node in enumerate(nodes, 1)}

    def __enter__(self) -> Self:
        remove_leftover_networks()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def address(self, node: str) -> str:
        """Return the node's IPv4 address on the network."""
        return self._addresses[node]

    def command(self, node: str) -> list[str]:
        """Return the arguments to put before a command so that it runs on `node`, where it sees no control groups."""
        return ["ip", "netns", "exec", self._namespaces[node]]

    def counters(self, node: str) -> InterfaceCounters:
        """Return the bytes counted at the interface of `node` so far. Raises EmulationError."""
        (link,) = json.loads(run_tool("ip", "-j", "-s", "-n", self._namespaces[node], "link", "show", "eth0"))
        return InterfaceCounters(link["stats64"]["rx"]["bytes"], link["stats64"]["tx"]["bytes"])

    def set_rate(self, node: str, link: Link) -> None:
        """Change the link of one node, in both directions, while the others keep theirs. Raises EmulationError."""
        if self._link.shared:
            raise EmulationError("one node on a shared medium has no link of its own, so its rate cannot be changed")
        ports = {f"port{number}": address for number, address in enumerate(self._addresses.values(), 1)}
        port = next(port for port, address in ports.items() if address == self._addresses[node])
        others = {name: address for name, address in ports.items() if name != port}
        run_tool("tc", "-n", self._namespaces[node], "-batch", "-", lines=shape_sender("eth0", link))
        run_tool("tc", "-n", self._hub, "qdisc", "delete", "dev", port, "root")
        run_tool("tc", "-n", self._hub, "-batch", "-", lines=shape_port(port, others.values(), link))

    def _build(self) -> None:
        hub = ("ip", "-n", self._hub, "link")
        run_tool("ip", "netns", "add", self._hub)
        run_tool(*hub, "add", "bridge", "type", "bridge")
        _start_link(self._hub, "bridge")
        ports = {}
        for number, (node, namespace) in enumerate(self._namespaces.items(), 1):
            port = f"port{number}"
            ports[port] = self._addresses[node]
            run_tool("ip", "netns", "add", namespace)
            run_tool(*hub, "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            run_tool(*hub, "set", port, "master", "bridge")
            run_tool("ip", "-n", namespace, "address", "add", f"{ports[port]}/24", "dev", "eth0")
            # Send single frames, as on a real wire, so that each is counted and queued by itself.
            run_tool("ip", "-n", namespace, "link", "set", "eth0", "gso_max_segs", "1")
            _start_link(namespace, "eth0")
            _start_link(self._hub, port)
            run_tool("ip", "-n", namespace, "link", "set", "lo", "up")
            run_tool("tc", "-n", namespace, "-batch", "-", lines=shape_sender("eth0", self._link))
        if self._link.shared:
            run_tool(*hub, "add", _MEDIUM, "type", "ifb")
            _start_link(self._hub, _MEDIUM)
        shaping = shape_medium(_MEDIUM, ports, self._link) if self._link.shared else shape_switch(ports, self._link)
        run_tool("tc", "-n", self._hub, "-batch", "-", lines=shaping)

    def _remove(self) -> None:
        existing = set(list_namespaces())
        with ExitStack() as removing:  # removes all namespaces, even when removing one of them fails
            for name in (self._hub, *self._namespaces.values()):
                if name in existing:
                    removing.callback(remove_namespace, name)


def network_unavailable_reason(link: Link = PROBE_LINK) -> str:
    """Build a network of two nodes with this link. Return why it cannot be emulated, in one line; empty if it can."""
    if os.geteuid() != 0:
        return "emulating a network needs root"
    missing = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    if missing:
        return f"emulating a network needs {' and '.join(missing)}; install iproute2"
    try:
        with EmulatedNetwork(["one", "two"], link):
            return ""
    except EmulationError as error:
        return f"a network cannot be emulated here: {error}"


def _start_link(namespace: str, device: str) -> None:
    # Without an IPv6 address, no IPv6 frames are sent, which would be counted as the cluster's.
    with suppress(EmulationError):  # fails on a kernel without IPv6, where it is not needed
        run_tool("ip", "-n", namespace, "link", "set", device, "addrgenmode", "none")
    run_tool("ip", "-n", namespace, "link", "set", device, "up")
