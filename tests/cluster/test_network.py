"""A cluster whose devices are hosts of their own: network namespaces on one bridge."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys

import pytest

from benchmarks.cluster.cleanup import list_namespaces
from benchmarks.cluster.owned_names import is_alive
from camera_sources.source import FOOTAGE
from shared.network.addresses import Address
from shared.payloads.cluster import State
from shared.process.local_cluster import LocalCluster
from tests.harness import Witness, connected, until_listening, until_said
from tests.namespaces import ip, limit_link, three_hosts

GATEWAY = Address("10.77.3.1", 7883)

KILLED = """
import subprocess, sys
from tests.namespaces import three_hosts
with three_hosts() as (first, *_):
    print(subprocess.Popen([*first, "sleep", "1000"]).pid, flush=True)
    sys.stdin.read()
"""
"""A process of tests; it tells which other one runs on its first host."""


def test_what_a_killed_process_of_tests_left_is_removed_before_the_next_has_its_network():
    with three_hosts():
        pass  # or it is skipped
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as killed:  # fmt: skip
        orphan = int(killed.stdout.readline())
        killed.kill()
        killed.wait()
        names = f"dt{killed.pid}."
        shown = subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout
        assert names in shown
        assert len([name for name in list_namespaces() if name.startswith(names)]) == 4
        assert is_alive(orphan)
        with three_hosts() as (_, second, _):
            shown = subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout
            assert names not in shown
            assert not [name for name in list_namespaces() if name.startswith(names)]
            assert not is_alive(orphan)
            for host in ((), second):
                probe = (*host, sys.executable, "-c", "import socket; socket.create_connection(('10.77.3.1', 9), 5)")
                tried = subprocess.run(probe, check=False, capture_output=True, text=True)
                assert "Connection refused" in tried.stderr  # by a host that is there


async def test_devices_on_a_network_steal_from_each_other_wherever_they_stand(tmp_path, hosts):
    """The edge beside the gateway reaches the broker on loopback; thieves elsewhere must find it all the same."""
    first, second, third = hosts
    listen = ("--insecure", "--listen", "0.0.0.0")  # noqa: S104  (hosts that only this test reaches)
    async with LocalCluster(GATEWAY, tmp_path / "logs") as cluster:
        witness = Witness(GATEWAY)
        tiles = ("--method", "ftp-wst", "--verify-every", "1")
        await cluster.start("gateway", "gateway", *listen, *tiles, host=first)
        watching = asyncio.create_task(witness.bus.run())
        try:
            await cluster.start("beside", "edge", "--name", "beside", *listen, host=first)
            await cluster.start("shed", "edge", "--name", "shed", "--gateway", GATEWAY.host, *listen, host=second)
            await cluster.start("attic", "edge", "--name", "attic", "--gateway", GATEWAY.host, *listen, host=third)
            await witness.until("three edges", lambda: witness.ready("beside", "shed", "attic"))
            for camera, edge, host in (("front", "beside", first), ("yard", "shed", second)):
                port = Address.parse(witness.nodes[edge].address).port
                await cluster.start(
                    camera, "camera", "--name", camera, "--source", str(FOOTAGE), "--edge", f"127.0.0.1:{port}",
                    "--frames", "20", "--every-frame", host=host,
                )  # fmt: skip
            await witness.until("the end of front", lambda: witness.ended("front"))
            await witness.until("the end of yard", lambda: witness.ended("yard"))
            await witness.until("verification", lambda: len(witness.verifications) == 40)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    robbed = {
        (frame.camera, node) for frame in witness.detections for node, tiles in frame.nodes.items() if tiles.stolen
    }
    assert ("front", "attic") in robbed
    assert ("yard", "attic") in robbed
    assert [witness.stats[camera].counts.published for camera in ("front", "yard")] == [20, 20]
    assert max(verification.max_abs_diff for verification in witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_over_a_slow_link_pixels_are_coded_and_come_as_they_were(tmp_path, hosts):
    first, second, _ = hosts
    limit_link(second, "20mbit")
    listen = ("--insecure", "--listen", "0.0.0.0")  # noqa: S104
    async with LocalCluster(GATEWAY, tmp_path / "logs") as cluster:
        witness = Witness(GATEWAY)
        tiles = ("--method", "ftp-wst", "--grid", "2x2", "--verify-every", "1", "--no-compute", "--deadline", "60")
        await cluster.start("gateway", "gateway", *listen, *tiles, host=first)
        watching = asyncio.create_task(witness.bus.run())
        try:
            await cluster.start("beside", "edge", "--name", "beside", *listen, host=first)
            await cluster.start("shed", "edge", "-v", "--name", "shed", "--gateway", GATEWAY.host, *listen, host=second)
            await witness.until("two edges", lambda: witness.ready("beside", "shed"))
            port = Address.parse(witness.nodes["shed"].address).port
            await cluster.start(
                "yard", "camera", "--name", "yard", "--source", str(FOOTAGE), "--edge", f"127.0.0.1:{port}",
                "--frames", "6", "--every-frame", host=second,
            )  # fmt: skip
            await witness.until("the end of yard", lambda: witness.ended("yard"))
            await witness.until("verification", lambda: len(witness.verifications) == 6)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    coded = re.findall(r": coded, (\d+) bytes of (\d+)", (tmp_path / "logs" / "shed.log").read_text())
    assert coded
    assert all(int(sent) < 0.7 * int(pixels) for sent, pixels in coded)
    assert max(verification.max_abs_diff for verification in witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_mistakes_of_listening_and_naming_are_said_with_the_option_to_set_until_they_are_mended(tmp_path, hosts):
    """All hosts have one name here, as Raspberry Pis from one image do."""
    first, second, third = hosts
    ip("-n", third[-1], "address", "add", "10.99.0.1/24", "dev", "lo")  # as a bridge of Docker's has one
    everywhere = ("--insecure", "--listen", "0.0.0.0")  # noqa: S104
    async with LocalCluster(GATEWAY, tmp_path / "logs") as cluster:
        witness = Witness(GATEWAY)
        watching = asyncio.create_task(witness.bus.run())

        async def start(name, host, *options):
            return await cluster.start(name, "edge", "--name", name, "--gateway", GATEWAY.host, *options, host=host)

        def said(*words):
            return any(all(word in problem for word in words) for problem in witness.problems)

        try:
            gateway = await cluster.start("gateway", "gateway", host=first)
            lonely = await start("attic", second, "--insecure")
            await until_said(lonely, "has not answered for 1")
            for child in (lonely, gateway):
                await cluster.stop(child)
            logs = {"lonely": lonely.log.read_text()}
            gateway = await cluster.start("gateway", "gateway", *everywhere, host=first)
            attic = await start("attic", second, "--insecure")
            shed = await start("shed", third, "--insecure", "--listen", "10.99.0.1")
            await witness.until("loopback of an edge", lambda: said("edge attic", "127.0.0.1 only", "--listen"))
            await witness.until(
                "an address of no use", lambda: said("cannot reach edge shed at 10.99.0.1", "no route", "--listen")
            )
            options = "--name", "attic", "--gateway", GATEWAY.host, "--insecure"
            clone = await cluster.start("clone", "edge", *options, host=third)
            assert await asyncio.wait_for(clone.process.wait(), 20) == 1
            await witness.until("two of one name", lambda: said("two edges are called attic", "10.77.3.3", "--name"))
            logs |= {child.name: child.log.read_text() for child in (attic, clone)}
            for child in (attic, shed):
                await cluster.stop(child)
            await start("attic", second, *everywhere)
            await start("shed", third, *everywhere)
            await witness.until("two edges", lambda: witness.ready("attic", "shed"))
            await witness.until(
                "no problem but the name's, which is remembered for a while",
                lambda: all("two edges" in problem or "has no keys" in problem for problem in witness.problems),
            )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    assert "started with --listen 0.0.0.0" in logs["lonely"]
    assert "this edge listens on 127.0.0.1 only" in logs["attic"]
    assert "start this edge with --listen 0.0.0.0" in logs["attic"]
    assert "another edge is called 'attic', too" in logs["attic"]
    assert "(10.77.3.2)" in logs["clone"]


SETTLED_S = 40.0
"""After it a silent connection has ended on both sides, and a try to make another one has failed in each way."""

LASTS_S = 60.0
"""In which each of them tries some six times more; what is counted and summed up would be told within a minute."""

OUTAGE_LINES = 12
"""At the most, of one process: why each of its connections was lost, and then why there is no other one."""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_device_whose_network_is_away_logs_a_few_lines_however_long_that_lasts(tmp_path, hosts):
    first, second, third = hosts
    async with LocalCluster(GATEWAY, tmp_path / "logs") as cluster:
        witness = Witness(GATEWAY)
        listen = ("--insecure", "--listen", "0.0.0.0")  # noqa: S104  (hosts that only this test reaches)
        gateway = await cluster.start("gateway", "gateway", *listen, host=first)
        await until_listening(GATEWAY, gateway)
        async with connected(witness.bus):
            options = "--gateway", GATEWAY.host, *listen
            edge = await cluster.start("shed", "edge", "--name", "shed", "--port", "7701", *options, host=third)
            await witness.until("an edge", lambda: witness.ready("shed"))
            agents = [
                await cluster.start(
                    name, "camera", "--name", name, "--source", str(FOOTAGE), "--edge", f"{address}:7701", "--loop",
                    host=host,
                )
                for name, address, host in (("far", "10.77.3.3", second), ("near", "127.0.0.1", third))
            ]  # fmt: skip
            await witness.until("frames", lambda: {frame.camera for frame in witness.detections} == {"far", "near"})
            everybody = [gateway, edge, *agents]
            before = lines(everybody)
            ip("-n", third[-1], "link", "set", "eth0", "down")
            await witness.until("the loss of the edge", lambda: witness.nodes["shed"].state is State.OFFLINE)
            await until_said(edge, "no route to it")
            await until_said(agents[0], "trying again until it works")
            await asyncio.sleep(SETTLED_S)
            settled = lines(everybody)
            await asyncio.sleep(LASTS_S)
            lasting = lines(everybody)
            ip("-n", third[-1], "link", "set", "eth0", "up")
            seen = len(witness.detections)
            await witness.until("the edge again", lambda: witness.nodes["shed"].state is State.ONLINE)
            await witness.until("frames again", lambda: len(witness.detections) > seen)
    assert lasting == settled
    assert all(0 <= now - then <= OUTAGE_LINES for now, then in zip(settled, before, strict=True)), (before, settled)


def lines(children):
    """Return how many lines each process has logged."""
    return [len(child.log.read_text().splitlines()) for child in children]
