"""A gateway gets another address while it runs; its edge finds it, and nobody else."""

from __future__ import annotations

import asyncio
import sys

import pytest

from shared.network.addresses import Address
from shared.security.key_folder import read_gateway
from tests.harness import until_said
from tests.joined_hosts import COMPUTES, LISTEN, gateway_on, nodes_of
from tests.namespaces import ip

pytestmark = pytest.mark.slow  # the search and the proof are tested without networks, too

OLD, NEW = Address("10.77.3.1", 7886), Address("10.77.3.9", 7886)

IMPATIENT = """
import shared.mqtt.broker_client, shared.network.gateway_search, shared.wire.pipe

shared.mqtt.broker_client.BROKER_KEEPALIVE_S = 3
shared.wire.pipe.SILENT_PEER_TIMEOUT_S = 4
shared.network.gateway_search.LOOK_AFTER_S = 3.0
"""
"""A sitecustomize.py: a silent connection is dead, and somebody looks elsewhere, after seconds instead of minutes."""

IMPOSTOR = """
import asyncio, sys
from shared.network.mdns import announce

async def main():
    def answer(reader, writer):
        print("tried", flush=True)
        writer.close()

    await asyncio.start_server(answer, "10.77.3.3", 7886)
    await announce(sys.argv[1], 7886, ("10.77.3.3",))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def cluster_in(code):
    """The cluster's part of an invitation's code, which its gateway announces."""
    return code.removeprefix("dt1.")[:26]


@pytest.fixture
def impatient(tmp_path):
    """Put before a command on a host: it gives up a silent connection soon, and looks elsewhere."""
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    return "env", f"PYTHONPATH={tmp_path}"


def move(host, old, new, *options):
    """Give a host another address."""
    ip("-n", host[-1], "address", "delete", old, "dev", "eth0")
    ip("-n", host[-1], "address", "add", new, "dev", "eth0", *options)


async def test_an_edge_finds_its_gateway_at_another_address_and_goes_to_no_impostor(hosts, tmp_path, impatient):
    first, porch, stranger = hosts
    async with gateway_on(first, OLD, tmp_path) as net:
        keys = await net.join("porch", porch)
        edge = await net.start_edge("porch", (*porch, *impatient), keys)
        assert read_gateway(keys) == OLD
        (tmp_path / "impostor.py").write_text(IMPOSTOR)
        impostor = await asyncio.create_subprocess_exec(
            *stranger,
            sys.executable,
            str(tmp_path / "impostor.py"),
            cluster_in(net.code),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert await impostor.stdout.readline() == b"ready\n"
            ip("-n", first[-1], "address", "delete", f"{OLD.host}/24", "dev", "eth0")
            async with asyncio.timeout(45):  # until it is clear that the connection is dead
                assert await impostor.stdout.readline() == b"tried\n"
            assert read_gateway(keys) == OLD
            ip("-n", first[-1], "address", "add", f"{NEW.host}/24", "dev", "eth0")
            await until_said(edge, f"it is at {NEW} now, proved by its key", 40)
            await until_said(edge, f"connected to broker {NEW}")
            assert read_gateway(keys) == NEW
            assert (await nodes_of(net.state))["porch"]["online"]
            async with asyncio.timeout(30):
                while edge.log.read_text().count(COMPUTES) < 2:  # noqa: ASYNC110  (a file says nothing when it grows)
                    await asyncio.sleep(0.2)
        finally:
            impostor.terminate()
            tried, _ = await impostor.communicate()
        assert tried == b""  # once was enough
        assert edge.process.returncode is None
        assert edge.log.read_text().count("proved by its key") == 1


OLD_V6, NEW_V6 = Address("fd77:3::1", 7886), Address("fd77:3::9", 7886)


async def test_an_edge_finds_its_gateway_at_another_address_of_ipv6(hosts, tmp_path, impatient):
    first, porch, _ = hosts
    everywhere = ("--listen", "::")
    async with gateway_on(first, OLD_V6, tmp_path, everywhere) as net:
        keys = await net.join("porch", porch)
        edge = await net.start_edge("porch", (*porch, *impatient), keys, *everywhere)
        assert read_gateway(keys) == OLD_V6
        move(first, f"{OLD_V6.host}/64", f"{NEW_V6.host}/64", "nodad")
        await until_said(edge, f"it is at {NEW_V6} now, proved by its key", 60)
        await until_said(edge, f"connected to broker {NEW_V6}")
        assert read_gateway(keys) == NEW_V6


async def test_a_camera_finds_its_edge_beside_the_gateway_at_another_address(hosts, tmp_path, impatient):
    first, porch, _ = hosts
    edge_at, edge_then = Address(OLD.host, 7701), Address(NEW.host, 7701)
    async with gateway_on(first, OLD, tmp_path) as net:
        edge_keys, camera_keys = await net.join("hall", first), await net.join("door", porch, role="camera")
        beside = ("--port", str(edge_at.port), "--gateway", "127.0.0.1:7886")
        await net.start_edge("hall", first, edge_keys, *LISTEN, *beside)
        camera = await net.processes.start(
            "door", "camera", "--source", "test://320x240?fps=5", "--name", "door", "--edge", str(edge_at), "--keys",
            str(camera_keys), host=(*porch, *impatient),
        )  # fmt: skip
        await until_said(camera, f"feeds edge {edge_at}")
        move(first, f"{OLD.host}/24", f"{NEW.host}/24")
        await until_said(camera, f"it is at {edge_then} now, proved by its key", 90)
        await until_said(camera, f"feeds edge {edge_then}")
        assert camera.process.returncode is None
