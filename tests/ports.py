"""Ports for servers of tests."""

from __future__ import annotations

import itertools
import os
import random
import socket
from pathlib import Path

from shared.network.addresses import LOOPBACK

LOWEST = 10_000
WORKERS = 8
"""Processes at the most that run tests at once, each with ports of its own."""


def _range() -> range:
    """Return the ports of this process: below those that the system gives to whoever asks for any port.

    One of the system's could be given to somebody else between its choice and the start of a server.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    each = (highest - LOWEST) // WORKERS
    first = LOWEST + each * (int(worker or 0) % WORKERS)
    return range(first, first + each)


_PORTS = _range()
_next = itertools.count(random.randrange(len(_PORTS)))


def free_port() -> int:
    """Return a TCP port that nobody uses now, and no test of this process has been given lately."""
    for _ in _PORTS:
        port = _PORTS[next(_next) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
