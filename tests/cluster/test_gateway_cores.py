"""The gateway's own cores: a node that the gateway runs while no edge is on its machine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest

from camera_sources.source import FOOTAGE
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import Address
from shared.payloads.cluster import State
from shared.process.local_cluster import LocalCluster
from tests.exact_detections import check_frames
from tests.harness import Witness, connected, python_path, until_listening
from tests.slow_devices import SlowDevice

GATEWAY = Address("10.77.3.1", 7883)

LISTEN = ("--insecure", "--listen", "0.0.0.0")  # noqa: S104  (hosts that only these tests reach)

SECONDS = 0.3
"""What the edges need for a frame: the gateway's cores are much faster."""


def own_nodes(gateway):
    """The process ids of the nodes that a gateway runs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (folder / "cmdline").read_text().split("\0")
            if parent == gateway.process.pid and OWN_NODE in words and "edge" in words:
                found.append(int(folder.name))
    return found


def own_node(gateway):
    """The process id of the only one; an error that shows what the gateway logged if there is none."""
    found = own_nodes(gateway)
    assert len(found) == 1, (found, gateway.log.read_text(errors="replace")[-3000:])
    return found[0]


async def ended(process):
    """Wait until a process has ended; nobody may be there to read its exit code."""
    async with asyncio.timeout(10):
        while running(process):  # noqa: ASYNC110  (it is no child of this process)
            await asyncio.sleep(0.05)


def running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Network:
    """A gateway on the first host, and slow edges on all."""

    def __init__(self, folder, hosts, processes):
        self.folder, self.hosts, self.processes = folder, hosts, processes
        self.witness = Witness(GATEWAY)

    async def start_gateway(self):
        return await self.processes.start("gateway", "gateway", *LISTEN, host=self.hosts[0])

    async def start_edge(self, name, number):
        device = SlowDevice(self.folder / name, SECONDS)
        return await self.processes.start(
            name, "edge", "--name", name, "--gateway", GATEWAY.host, "--max-cores", "1", *LISTEN,
            host=(*self.hosts[number - 1], *python_path(device.code)),
        )  # fmt: skip

    async def start_camera(self, name, edge, number, *options):
        address = Address.parse(self.witness.nodes[edge].address)
        return await self.processes.start(
            name, "camera", "--name", name, "--source", str(FOOTAGE), "--edge", f"127.0.0.1:{address.port}",
            "--every-frame", *options, host=self.hosts[number - 1],
        )  # fmt: skip

    def computed_by(self, node):
        """The frames that a node computed."""
        return [frame for frame in self.witness.detections if node in frame.nodes]

    async def more_frames(self, node, count):
        before = len(self.computed_by(node))
        await self.witness.until(f"frames by {node}", lambda: len(self.computed_by(node)) >= before + count)


@contextlib.asynccontextmanager
async def network(folder, hosts):
    """A gateway with its own node, and one edge on the second host."""
    async with LocalCluster(GATEWAY, folder / "logs") as processes:
        net = Network(folder, hosts, processes)
        gateway = await net.start_gateway()
        await until_listening(GATEWAY, gateway)
        async with connected(net.witness.bus):
            await net.start_edge("shed", 2)
            await net.witness.until("the own node", lambda: net.witness.ready("shed", OWN_NODE))
            yield net, gateway


@pytest.mark.slow
async def test_the_gateways_cores_compute_frames_of_other_machines_until_an_edge_is_beside_it(tmp_path, hosts):
    async with network(tmp_path, hosts) as (net, gateway):
        witness = net.witness
        camera = await net.start_camera("front", "shed", 2, "--loop")
        await net.more_frames(OWN_NODE, 10)
        node = own_node(gateway)
        beside = await net.start_edge("beside", 1)
        await witness.until("the own node's end", lambda: witness.nodes[OWN_NODE].state is State.OFFLINE)
        await ended(node)
        await net.more_frames("beside", 15)
        assert not own_nodes(gateway)
        await net.processes.stop(beside)
        await witness.until("the own node", lambda: witness.nodes[OWN_NODE].state is State.ONLINE)
        await net.more_frames(OWN_NODE, 5)
        await net.processes.stop(camera)
        await check_frames(witness, "front")
        node = own_node(gateway)
        await net.processes.stop(gateway)
        await ended(node)


@pytest.mark.slow
async def test_the_node_of_a_killed_gateway_ends_and_the_next_gateway_has_its_own(tmp_path, hosts):
    async with network(tmp_path, hosts) as (net, gateway):
        await net.start_camera("front", "shed", 2, "--loop")
        await net.more_frames(OWN_NODE, 3)
        node = own_node(gateway)
        gateway.process.send_signal(signal.SIGKILL)
        await gateway.process.wait()
        await ended(node)
        renewed = await net.start_gateway()
        await net.more_frames(OWN_NODE, 3)
        own_node(renewed)
