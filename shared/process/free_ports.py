"""Ports for servers that are started on this machine."""

from __future__ import annotations

import itertools
import secrets
import socket
from pathlib import Path

from shared.network.addresses import LOOPBACK

LOWEST_PORT = 10_000
"""The lowest port that is chosen; well-known services use lower ones."""

EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The file with the first and the last port that the system gives to outgoing connections."""


class FreePorts:
    """Free TCP ports below the system's ephemeral ports.

    An ephemeral port could be given to an outgoing connection of another program before our server listens on it.
    """

    def __init__(self, share: int = 0, shares: int = 1) -> None:
        """Choose only from share number `share` of `shares` equal ones, so that programs side by side never collide."""
        highest = int(EPHEMERAL_PORTS.read_text().split()[0])
        each = (highest - LOWEST_PORT) // shares
        first = LOWEST_PORT + each * share
        self._ports = range(first, first + each)
        self._next = itertools.count(secrets.randbelow(each))

    def take(self) -> int:
        """Return a port that is free now and was not returned lately. Raises OSError if none is."""
        for _ in self._ports:
            port = self._ports[next(self._next) % len(self._ports)]
            with socket.socket() as probe:
                try:
                    probe.bind((LOOPBACK, port))
                except OSError:
                    continue
                return port
        raise OSError("no port is free")


def free_port() -> int:
    """Return a TCP port that is free now."""
    return FreePorts().take()
