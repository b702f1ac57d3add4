"""A card that is full: what is computed goes on, and what cannot be kept is said once."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess

import pytest

from camera_sources.source import FOOTAGE
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.harness import Witness, connected, gateway_ports, until_listening
from tests.ports import free_port

SMALL = 'mount -t tmpfs -o size=24m tmpfs "$1"; cd "$1"'
FULL = "cat /dev/zero > fill 2> /dev/null"
READ_ONLY = "for folder in /tmp /var/tmp; do mount --bind $folder $folder; mount -o remount,bind,ro $folder; done"
"""What a process does in a world of its own before it begins; its disk is "$1"."""

MEANWHILE = 5
"""Frames that are published while the card is full."""


@pytest.fixture(autouse=True)
def unshare():
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting small disks needs root and util-linux")
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True)
    if tried.returncode:
        pytest.skip(f"small disks cannot be mounted here: {tried.stderr.decode().strip()}")


def with_disk(folder, *steps):
    """Return what starts a process that has a disk of 24 MB of its own at `folder`, where it is, after these steps."""
    script = "; ".join((*steps, 'shift; exec "$@"'))
    return "unshare", "-m", "sh", "-c", script, "sh", str(folder)


def of(child, path):
    """Return where a file of a process with a disk of its own is seen from here."""
    return f"/proc/{child.process.pid}/root{path}"


def fill(child, folder):
    subprocess.run(["sh", "-c", 'cat /dev/zero > "$1"', "sh", of(child, folder / "fill")], check=False, stderr=-3)


class FewDevices:
    """A gateway and an edge, each with a disk of its own, and a camera."""

    def __init__(self, folder, processes):
        self.card = folder / "card"
        self.card.mkdir()
        self.file = folder / "home.yaml"
        self.file.write_text(f"state: {self.card / 'state'}\ncameras: {{street: {{source: {FOOTAGE}, loop: true}}}}\n")
        self.processes, self.broker = processes, processes.broker
        self.witness = Witness(processes.broker)

    async def start_gateway(self, host):
        options = "--config", str(self.file), *gateway_ports(self.broker)
        gateway = await self.processes.start("gateway", "gateway", *options, host=host)
        await until_listening(self.broker, gateway)
        return gateway

    async def start_edge(self, name, host):
        options = "--gateway", str(self.broker), "--name", name, "--cache", str(self.card / "cache")
        return await self.processes.start(name, "edge", *options, host=host)

    def problem(self, *words):
        return any(all(word in problem for word in words) for problem in self.witness.problems)

    async def more_frames(self):
        before = len(self.witness.detections)
        await self.witness.until("frames", lambda: len(self.witness.detections) >= before + MEANWHILE)


@pytest.fixture
async def devices(tmp_path):
    async with LocalCluster(Address(LOOPBACK, free_port()), tmp_path / "logs") as processes:
        yield FewDevices(tmp_path, processes)


def lines(child, words):
    return sum(words in line for line in child.log.read_text().splitlines())


async def test_detection_goes_on_when_cards_become_full_and_what_is_lost_is_a_problem_until_there_is_room(devices):
    gateway = await devices.start_gateway(with_disk(devices.card, SMALL))
    async with connected(devices.witness.bus):
        edge = await devices.start_edge("pi", with_disk(devices.card, SMALL))
        await devices.more_frames()
        for child in (gateway, edge):
            fill(child, devices.card)
        await devices.witness.until("a problem", lambda: devices.problem("state folder", "the disk is full"))
        await devices.more_frames()
        await asyncio.to_thread(os.unlink, of(gateway, devices.card / "fill"))
        await devices.witness.until("no problem", lambda: not devices.problem("the disk is full"))
        edge.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(edge.process.wait(), 20) == 0
    assert 1 <= lines(gateway, "the disk is full") <= 5, "a line for each file"
    assert lines(edge, "Traceback") == lines(gateway, "Traceback") == 0


@pytest.mark.slow
async def test_a_gateway_starts_with_a_full_card_and_an_edge_that_cannot_keep_its_program_is_named(devices):
    gateway = await devices.start_gateway(with_disk(devices.card, READ_ONLY, SMALL, FULL))
    async with connected(devices.witness.bus):
        full = await devices.start_edge("full", with_disk(devices.card, SMALL, FULL))
        await devices.witness.until("a problem of the gateway", lambda: devices.problem("state folder", "full"))
        await devices.witness.until(
            "a problem of the edge",
            lambda: devices.problem("edge full does not", "cache", "the disk is full", "--cache"),
        )
        await asyncio.to_thread(os.unlink, of(full, devices.card / "fill"))
        await devices.more_frames()
        await devices.witness.until("no problem of the edge", lambda: not devices.problem("edge full"))
    assert lines(full, "the plan cannot be followed") <= 5
    assert lines(full, "Traceback") == lines(gateway, "Traceback") == 0
