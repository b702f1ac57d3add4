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

from benchmarks.cluster.cleanup import list_namespaces, remove_leftover_networks, remove_namespace
from benchmarks.cluster.owned_names import new_prefix

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
    remove_leftover_networks()
    own = new_prefix()
    hub, link = f"{own}hub", f"{own}l"  # Linux allows 15 letters
    names = [f"{own}{number}" for number in (1, 2, 3)]
    try:
        try:
            ip("netns", "add", hub)
            ip("link", "add", link, "type", "veth", "peer", "name", "port0", "netns", hub)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces are not to be had here: {error.stderr.decode().strip()}")
        ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", hub, "link", "set", "bridge", "up")
        ip("-n", hub, "link", "set", "port0", "master", "bridge", "up")
        ip("address", "add", "10.77.3.254/24", "dev", link)
        ip("link", "set", link, "up")
        for number, name in enumerate(names, 1):
            ip("netns", "add", name)
            ip("-n", hub, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", hub, "link", "set", f"port{number}", "master", "bridge", "up")
            ip("-n", name, "address", "add", f"10.77.3.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            # where the kernel has no IPv6, tests of it say so
            ip6 = ("-n", name, "address", "add", f"fd77:3::{number}/64", "dev", "eth0", "nodad")
            subprocess.run(["ip", *ip6], check=False, capture_output=True)
        yield [("ip", "netns", "exec", name) for name in names]
    finally:
        # By hand: the kernel removes a namespace's links some time after it, and the next network has these addresses.
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
        made = {hub, *names}
        for name in made.intersection(list_namespaces()):
            remove_namespace(name)
