"""Hosts of a network on this machine: network namespaces on one bridge."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def ip(*arguments: str) -> None:
    """Run iproute2 with these arguments."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def limit_link(host: tuple[str, ...], rate: str) -> None:
    """Let what a host sends leave it no faster than this."""
    limit = ("tbf", "rate", rate, "burst", "16kb", "latency", "1s")
    subprocess.run([*host, "tc", "qdisc", "add", "dev", "eth0", "root", *limit], check=True, capture_output=True)


@contextlib.contextmanager
def three_hosts() -> Iterator[list[tuple[str, ...]]]:
    """Give commands that run another command on host 1, 2 or 3; host N has 10.77.3.N and fd77:3::N."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("making network namespaces needs root and iproute2")
    with _network_free(), _three_hosts() as commands:
        yield commands


@contextlib.contextmanager
def _network_free() -> Iterator[None]:
    """Wait until no other process of tests has hosts of these addresses: this one would speak with them."""
    with (Path(tempfile.gettempdir()) / "deepthings-test-network.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _three_hosts() -> Iterator[list[tuple[str, ...]]]:
    own = f"dt{os.getpid() % 100000}"
    names = [f"{own}-{number}" for number in (1, 2, 3)]
    try:
        try:
            ip("link", "add", own, "type", "bridge")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces are not to be had here: {error.stderr.decode().strip()}")
        ip("address", "add", "10.77.3.254/24", "dev", own)
        ip("link", "set", own, "up")
        for number, name in enumerate(names, 1):
            ip("netns", "add", name)
            ip("link", "add", f"{own}v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{own}v{number}", "master", own, "up")
            ip("-n", name, "address", "add", f"10.77.3.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            # where the kernel has no IPv6, tests of it say so
            ip6 = ("-n", name, "address", "add", f"fd77:3::{number}/64", "dev", "eth0", "nodad")
            subprocess.run(["ip", *ip6], check=False, capture_output=True)
        yield [("ip", "netns", "exec", name) for name in names]
    finally:
        for number, name in enumerate(names, 1):
            # By hand: the kernel removes a namespace's interfaces some time after it, and names would be in use still.
            subprocess.run(["ip", "link", "delete", f"{own}v{number}"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", own], check=False, capture_output=True)
