"""A gateway gets another address while it runs; its edge finds it, and nobody else."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from shared.network.addresses import Address
from shared.process.local_cluster import LocalCluster
from shared.security.key_folder import read_gateway
from tests.commands import run
from tests.harness import until_said
from tests.namespaces import ip

pytestmark = pytest.mark.slow  # the search and the proof are tested without networks, too

OLD, NEW = Address("10.77.3.1", 7886), Address("10.77.3.9", 7886)
LISTEN = ("--listen", "0.0.0.0")  # noqa: S104
COMPUTES = "by whole, whole frames"

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


async def run_ok(*words):
    """`deepthings WORDS`, which must succeed; what it printed."""
    done = await asyncio.to_thread(run, *map(str, words))
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_an_edge_finds_its_gateway_at_another_address_and_goes_to_no_impostor(hosts, tmp_path):
    first, porch, stranger = hosts
    state, keys = tmp_path / "logs" / "state" / "deepthings", tmp_path / "porch"
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    impatient = (*porch, "env", f"PYTHONPATH={tmp_path}")
    async with LocalCluster(OLD, tmp_path / "logs") as processes:
        gateway = await processes.start("gateway", "gateway", *LISTEN, "--no-compute", host=first)
        await until_said(gateway, "connected to broker")
        said = await run_ok("invite", "porch", "--state", state)
        (code,) = [word for word in said.split() if word.startswith("dt1.")]
        joined = await processes.start("join", "join", code, "--keys", str(keys), host=porch)
        await joined.wait()
        edge = await processes.start("porch", "edge", *LISTEN, "--keys", str(keys), host=impatient)
        await until_said(edge, COMPUTES)
        assert read_gateway(keys) == OLD
        (tmp_path / "impostor.py").write_text(IMPOSTOR)
        impostor = await asyncio.create_subprocess_exec(
            *stranger, sys.executable, str(tmp_path / "impostor.py"), cluster_in(code), stdout=asyncio.subprocess.PIPE
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
            (node,) = [
                node for node in json.loads(await run_ok("nodes", "--state", state, "--json"))["nodes"]
                if node["name"] == "porch"
            ]  # fmt: skip
            assert node["online"]
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


async def test_an_edge_finds_its_gateway_at_another_address_of_ipv6(hosts, tmp_path):
    first, porch, _ = hosts
    state, keys = tmp_path / "logs" / "state" / "deepthings", tmp_path / "porch"
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    impatient = (*porch, "env", f"PYTHONPATH={tmp_path}")
    async with LocalCluster(OLD_V6, tmp_path / "logs") as processes:
        gateway = await processes.start("gateway", "gateway", "--listen", "::", "--no-compute", host=first)
        await until_said(gateway, "connected to broker")
        said = await run_ok("invite", "porch", "--state", state)
        (code,) = [word for word in said.split() if word.startswith("dt1.")]
        joined = await processes.start("join", "join", code, "--keys", str(keys), host=porch)
        await joined.wait()
        edge = await processes.start("porch", "edge", "--listen", "::", "--keys", str(keys), host=impatient)
        await until_said(edge, COMPUTES)
        assert read_gateway(keys) == OLD_V6
        ip("-n", first[-1], "address", "delete", f"{OLD_V6.host}/64", "dev", "eth0")
        ip("-n", first[-1], "address", "add", f"{NEW_V6.host}/64", "dev", "eth0", "nodad")
        await until_said(edge, f"it is at {NEW_V6} now, proved by its key", 60)
        await until_said(edge, f"connected to broker {NEW_V6}")
        assert read_gateway(keys) == NEW_V6


async def test_a_camera_finds_its_edge_beside_the_gateway_at_another_address(hosts, tmp_path):
    first, porch, _ = hosts
    state, edge_keys, camera_keys = tmp_path / "logs" / "state" / "deepthings", tmp_path / "hall", tmp_path / "door"
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    impatient = (*porch, "env", f"PYTHONPATH={tmp_path}")
    edge_at, edge_then = Address(OLD.host, 7701), Address(NEW.host, 7701)
    async with LocalCluster(OLD, tmp_path / "logs") as processes:
        gateway = await processes.start("gateway", "gateway", *LISTEN, "--no-compute", host=first)
        await until_said(gateway, "connected to broker")
        for name, role, keys, host in (("hall", "edge", edge_keys, first), ("door", "camera", camera_keys, porch)):
            said = await run_ok("invite", name, "--role", role, "--state", state)
            (code,) = [word for word in said.split() if word.startswith("dt1.")]
            joined = await processes.start(f"join-{name}", "join", code, "--keys", str(keys), host=host)
            await joined.wait()
        edge = await processes.start(
            "hall", "edge", *LISTEN, "--port", str(edge_at.port), "--gateway", "127.0.0.1:7886", "--keys",
            str(edge_keys), host=first,
        )  # fmt: skip
        await until_said(edge, COMPUTES)
        camera = await processes.start(
            "door", "camera", "--source", "test://320x240?fps=5", "--name", "door", "--edge", str(edge_at), "--keys",
            str(camera_keys), host=impatient,
        )  # fmt: skip
        await until_said(camera, f"feeds edge {edge_at}")
        ip("-n", first[-1], "address", "delete", f"{OLD.host}/24", "dev", "eth0")
        ip("-n", first[-1], "address", "add", f"{NEW.host}/24", "dev", "eth0")
        await until_said(camera, f"it is at {edge_then} now, proved by its key", 90)
        await until_said(camera, f"feeds edge {edge_then}")
        assert camera.process.returncode is None
