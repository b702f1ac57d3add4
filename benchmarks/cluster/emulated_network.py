"""Nodes on one emulated network: a network namespace each, and a bridge in one of its own.

The machine's own namespace gets no link, address or route, and nothing in the others leads out of them.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.cluster.cleanup import namespaces, remove_left_namespaces, remove_namespace
from benchmarks.cluster.commands import EmulationError, run
from benchmarks.cluster.owned_names import check_nodes, new_prefix
from benchmarks.cluster.shaping import Link, shape_medium, shape_sender, shape_switch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Counters", "EmulatedNetwork", "Link", "available"]

SUBNET = "10.77.1"
MOST_NODES = 250
HUB = "+hub"  # no node can have this name
MEDIUM = "medium"
PROBE = Link(rate_mbit=100, shared=True)  # the kind that needs most of the kernel


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes of Ethernet frames (each is 14 bytes longer than its IP packet) that a node's interface has counted."""

    received_bytes: int
    sent_bytes: int


class EmulatedNetwork:
    """A context in which `nodes` have addresses on a network of the given `link`; it leaves nothing behind.

    Entering it also removes what dead processes left. Raises ConfigurationError for bad names, EmulationError when
    the kernel refuses something.
    """

    def __init__(self, nodes: Sequence[str], link: Link) -> None:
        check_nodes(nodes, MOST_NODES)
        prefix = new_prefix()
        self._hub = prefix + HUB
        self._link = link
        self._namespaces = {node: prefix + node for node in nodes}
        self._addresses = {node: f"{SUBNET}.{number}" for number, node in enumerate(nodes, 1)}

    def __enter__(self) -> Self:
        remove_left_namespaces()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def address(self, node: str) -> str:
        """The IPv4 address that the other nodes reach it at."""
        return self._addresses[node]

    def command(self, node: str) -> list[str]:
        """What to put before a command so that it runs on `node`. It sees a /sys without control groups."""
        return ["ip", "netns", "exec", self._namespaces[node]]

    def counters(self, node: str) -> Counters:
        """What went over the interface of `node` since the network is there. Raises EmulationError."""
        (link,) = json.loads(run("ip", "-j", "-s", "-n", self._namespaces[node], "link", "show", "eth0"))
        return Counters(link["stats64"]["rx"]["bytes"], link["stats64"]["tx"]["bytes"])

    def _build(self) -> None:
        hub = ("ip", "-n", self._hub, "link")
        run("ip", "netns", "add", self._hub)
        run(*hub, "add", "bridge", "type", "bridge")
        _start_link(self._hub, "bridge")
        ports = {}
        for number, (node, namespace) in enumerate(self._namespaces.items(), 1):
            port = f"port{number}"
            ports[port] = self._addresses[node]
            run("ip", "netns", "add", namespace)
            run(*hub, "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            run(*hub, "set", port, "master", "bridge")
            run("ip", "-n", namespace, "address", "add", f"{ports[port]}/24", "dev", "eth0")
            # Whole frames, as on a real wire: they are counted and take turns one by one.
            run("ip", "-n", namespace, "link", "set", "eth0", "gso_max_segs", "1")
            _start_link(namespace, "eth0")
            _start_link(self._hub, port)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("tc", "-n", namespace, "-batch", "-", lines=shape_sender("eth0", self._link))
        if self._link.shared:
            run(*hub, "add", MEDIUM, "type", "ifb")
            _start_link(self._hub, MEDIUM)
        shaping = shape_medium(MEDIUM, ports, self._link) if self._link.shared else shape_switch(ports, self._link)
        run("tc", "-n", self._hub, "-batch", "-", lines=shaping)

    def _remove(self) -> None:
        existing = set(namespaces())
        with ExitStack() as removing:  # all of them, even when one fails
            for name in (self._hub, *self._namespaces.values()):
                if name in existing:
                    removing.callback(remove_namespace, name)


def available(link: Link = PROBE) -> str:
    """Empty where such a network can be emulated; otherwise the reason, on one line. Tries it with two nodes."""
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
    with suppress(EmulationError):  # a kernel without IPv6 needs no telling
        run("ip", "-n", namespace, "link", "set", device, "addrgenmode", "none")  # no IPv6 chatter is counted
    run("ip", "-n", namespace, "link", "set", device, "up")
