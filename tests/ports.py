"""Ports for servers of tests."""

from __future__ import annotations

import os

from shared.process.free_ports import FreePorts

WORKERS = 8
"""Processes at the most that run tests at once, each with ports of its own."""

_ports = FreePorts(int(os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw") or 0) % WORKERS, WORKERS)


def free_port() -> int:
    """Return a TCP port that nobody uses now, and no test of this process has been given lately."""
    return _ports.take()
