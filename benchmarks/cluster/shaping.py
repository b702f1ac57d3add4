"""Defines the speed of a link, and builds the commands for `tc -batch` that set it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ETHERNET_FRAME_BYTES = 1514
"""The longest frame: an IP packet of 1500 bytes behind the Ethernet header of 14."""

BURST_S = 0.002
"""After a pause, as many bytes may be sent at once as the link carries in this time.

The kernel wakes a shaper up late. As long as it is late by less than this time, the link still has its full rate.
"""

BUFFER_S = 0.1
"""The longest time that a frame waits in the queues before a link: as much as the link carries in it is queued."""

MIN_BUFFER_FRAMES = 32
"""A queue has room for this many frames, so that a slow link does not lose the first packets of three connections."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network of `rate_mbit` Mbit/s (10^6 bit/s of Ethernet frames). Raises ConfigurationError unless 0.1 to 10000.

    `shared`: one medium for all nodes, like Wi-Fi; each frame occupies it once.
    Otherwise each node has its own link to a switch, with this rate in each direction.
    """

    rate_mbit: float
    shared: bool

    def __post_init__(self) -> None:
        if not 0.1 <= self.rate_mbit <= 10_000:
            raise ConfigurationError(f"a link of {self.rate_mbit} Mbit/s cannot be emulated; choose 0.1 to 10000")

    @property
    def rate_bytes(self) -> float:
        """Return the bytes per second."""
        return self.rate_mbit * 1e6 / 8

    @property
    def burst_bytes(self) -> int:
        """Return the bytes that may be sent at once after a pause; at least two frames."""
        return max(round(self.rate_bytes * BURST_S), 2 * ETHERNET_FRAME_BYTES)

    def buffer_bytes(self, queues: int = 1) -> int:
        """Return the bytes that fit into each of the `queues` before the link. Frames beyond these are lost."""
        return max(round(self.rate_bytes * BUFFER_S / queues), MIN_BUFFER_FRAMES * ETHERNET_FRAME_BYTES)


def shape_sender(device: str, link: Link) -> list[str]:
    """Limit a node's own interface to the link's rate. TCP of the node notices this queue, and keeps it short."""
    return [
        f"qdisc replace dev {device} root tbf rate {_bits(link)} burst {link.burst_bytes} limit {link.buffer_bytes()}",
    ]


def shape_switch(ports: Mapping[str, str], link: Link) -> list[str]:
    """Limit what leaves each port of the bridge; `ports` maps each port to the address of the node behind it."""
    return [
        command
        for port in ports
        for command in _fair_queues(port, [address for other, address in ports.items() if other != port], link)
    ]


def shape_port(port: str, senders: Iterable[str], link: Link) -> list[str]:
    """Limit what leaves a port of the bridge that is not limited yet; `senders`: the addresses of the other nodes."""
    return _fair_queues(port, senders, link)


def shape_medium(medium: str, ports: Mapping[str, str], link: Link) -> list[str]:
    """Limit all ports together: frames that arrive at any port go through `medium`, an ifb device, to the bridge."""
    return [
        *_fair_queues(medium, ports.values(), link),
        *(f"qdisc add dev {port} ingress" for port in ports),
        *(
            f"filter add dev {port} parent ffff: protocol all u32 match u32 0 0"
            f" action mirred egress redirect dev {medium}"
            for port in ports
        ),
    ]


def _fair_queues(device: str, senders: Iterable[str], link: Link) -> list[str]:
    """Limit a device to the link's rate, with a queue for each sender's address.

    Queues take turns, frame by frame, so that busy senders get equal rates; a single one gets the whole rate. The last
    queue is for the few packets that are not IP, such as ARP.
    """
    classes = {address: f"1:{number:x}" for number, address in enumerate((*senders, "other"), 0x10)}
    rate, burst, quantum = _bits(link), f"cburst {link.burst_bytes}", f"quantum {ETHERNET_FRAME_BYTES}"
    commands = [
        f"qdisc replace dev {device} root handle 1: htb default {classes['other'].removeprefix('1:')}",
        f"class add dev {device} parent 1: classid 1:1 htb rate {rate} burst {link.burst_bytes} {burst} {quantum}",
    ]
    for address, name in classes.items():
        commands += [
            f"class add dev {device} parent 1:1 classid {name} htb"
            f" rate {_bits(link, 1 / len(classes))} ceil {rate} burst {ETHERNET_FRAME_BYTES} {burst} {quantum}",
            f"qdisc add dev {device} parent {name} bfifo limit {link.buffer_bytes(max(len(classes) - 1, 1))}",
        ]
        if address != "other":
            commands.append(f"filter add dev {device} parent 1: protocol ip u32 match ip src {address} flowid {name}")
    return commands


def _bits(link: Link, share: float = 1) -> str:
    return f"{round(link.rate_mbit * 1e6 * share)}bit"
