"""The addresses of this machine's network interfaces."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
from ipaddress import IPv6Interface
from pathlib import Path
from typing import TYPE_CHECKING

from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIOCGIFADDR = 0x8915
"""Linux's request for the IPv4 address of an interface; see netdevice(7)."""

_NAME_BYTES = 15
"""The longest name of an interface; the kernel's field also has a zero byte at its end."""

_IPV6_FILE = Path("/proc/net/if_inet6")
"""The kernel's list of this machine's IPv6 addresses."""

_GLOBAL_SCOPE = 0
"""The scope of addresses in this list that other networks can reach, unlike link-local ones."""

_UNFIT_FLAGS = 0x01 | 0x08 | 0x20 | 0x40
"""Flags of addresses that are not used: temporary (they change), taken by another machine, about to expire, not usable
yet; see rtnetlink(7)."""


def interface_address() -> str:
    """Return the IPv4 address of the first interface that is not loopback; empty if there is none.

    It is used in a network without a router, where no route tells which address other machines see.
    """
    return next((address for address in interface_addresses() if not is_loopback(address)), "")


def interface_address_v6() -> str:
    """Return an IPv6 address of this machine that lasts, preferably in a private network; empty if there is none."""
    found = sorted(interface_networks_v6(), key=lambda each: not each.ip.is_private)
    return str(found[0].ip) if found else ""


def interface_networks_v6() -> list[IPv6Interface]:
    """Return the IPv6 addresses of this machine's interfaces that last, each with its network.

    Link-local addresses, which need the name of an interface, and temporary ones, which change each day, are left out.
    """
    with contextlib.suppress(OSError):
        return list(networks_in(_IPV6_FILE.read_text("ascii")))
    return []


def networks_in(table: str) -> Iterator[IPv6Interface]:
    """Yield the addresses that last, with their networks, from the text of /proc/net/if_inet6."""
    for line in table.splitlines():
        digits, _, prefix_length, scope, flags, _ = line.split()
        if int(scope, 16) == _GLOBAL_SCOPE and not int(flags, 16) & _UNFIT_FLAGS:
            yield IPv6Interface((bytes.fromhex(digits), int(prefix_length, 16)))


def interface_addresses() -> list[str]:
    """Return the first IPv4 address of each interface that has one."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:_NAME_BYTES]))
            except OSError:  # it has none
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found
