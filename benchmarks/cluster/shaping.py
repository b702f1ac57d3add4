"""Defines the speed of a link, and builds the commands for `tc -batch` that set it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ETHERNET_FRAME_BYTES = 1514  # 1500 bytes of IP behind the Ethernet header
BURST_S = 0.002  # a shaper that wakes up less late than this loses none of its rate
BUFFER_S = 0.1  # the longest wait in the queues before a link
MIN_BUFFER_FRAMES = 32  # so that even a slow link does not lose the first packets of three connections at once


@dataclass(frozen=True, slots=True)
class Link:
    """A network of `rate_mbit` Mbit/s (10^6 bit/s of Ethernet frames), 0.1 to 10000; else raises ConfigurationError.

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
        """Return the size of each queue before the link, if there are `queues` of them; more is lost."""
        return max(round(self.rate_bytes * BUFFER_S / queues), MIN_BUFFER_FRAMES * ETHERNET_FRAME_BYTES)


def shape_sender(device: str, link: Link) -> list[str]:
    """Limit a node's own interface to the link's rate. TCP sees this queue, and keeps it short."""
    return [
        f"qdisc replace dev {device} root tbf rate {_bits(link)} burst {link.burst_bytes} limit {link.buffer_bytes()}",
    ]


def shape_switch(ports: Mapping[str, str], link: Link) -> list[str]:
    """Limit what leaves each port of the bridge; `ports` maps ports to the addresses behind them."""
    return [
        command
        for port in ports
        for command in _take_turns(port, [address for other, address in ports.items() if other != port], link)
    ]


def shape_port(port: str, senders: Iterable[str], link: Link) -> list[str]:
    """Limit what leaves one port of the bridge, which has no shaping yet; `senders` are the others' addresses."""
    return _take_turns(port, senders, link)


def shape_medium(medium: str, ports: Mapping[str, str], link: Link) -> list[str]:
    """Redirect all that arrives at any port through `medium`, an ifb device, before the bridge gets it."""
    return [
        *_take_turns(medium, ports.values(), link),
        *(f"qdisc add dev {port} ingress" for port in ports),
        *(
            f"filter add dev {port} parent ffff: protocol all u32 match u32 0 0"
            f" action mirred egress redirect dev {medium}"
            for port in ports
        ),
    ]


def _take_turns(device: str, senders: Iterable[str], link: Link) -> list[str]:
    """Make a queue for each sender's address: they take turns, frame by frame; a single sender has the whole rate.

    The last queue is for the few packets that are not IP, such as ARP.
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
