"""The addresses of this machine's network interfaces."""

from __future__ import annotations

import fcntl
import socket
import struct

from shared.network.hosts import is_loopback

_SIOCGIFADDR = 0x8915
"""Linux's request for the IPv4 address of an interface; see netdevice(7)."""

_NAME_BYTES = 15


def interface_address() -> str:
    """Return the IPv4 address of the first interface that leads out of this machine; empty if there is none.

    For a network without a router, where no route shows which address others see.
    """
    return next((address for address in interface_addresses() if not is_loopback(address)), "")


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
