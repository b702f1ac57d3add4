"""`deepthings status` at a real broker: with a cluster, with what a gateway left behind, with nothing."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import time

import aiomqtt
import pytest

from shared.mqtt import topics
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import Nodes, State
from shared.process.lifecycle import installed_version
from shared.status.status_client import RETAINED_TIMEOUT_S, STATUS_ANSWER_TIMEOUT_S
from tests.commands import DEEPTHINGS
from tests.harness import broker_at, running_cluster
from tests.ports import free_port
from tests.unit.shared.status.clusters import ATTIC, DOOR, GATEWAY, HALL, HEALTH, INFO, SHED


async def status(broker, *options):
    """What it prints, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "status", "--gateway", str(broker), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), STATUS_ANSWER_TIMEOUT_S + RETAINED_TIMEOUT_S + 15)
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def broker():
    address = Address(LOOPBACK, free_port())
    async with broker_at(address):
        yield address


@pytest.fixture
async def retained(broker):
    """Publishes what a gateway of release 1.2.0 has retained; what is given takes the place of it."""
    async with aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5) as client:

        async def publish(bridge=GATEWAY, cameras=(DOOR,)):
            told = [
                (topics.BRIDGE_STATE.full_path(), bridge),
                (topics.BRIDGE_INFO.full_path(), INFO),
                (topics.BRIDGE_HEALTH.full_path(), HEALTH.model_copy(update={"at": time.time()})),
                (topics.BRIDGE_NODES.full_path(), Nodes(nodes={"attic": ATTIC, "hall": HALL, "shed": SHED})),
                *((topics.CAMERA_STATS.full_path(camera.camera), camera) for camera in cameras),
            ]
            for topic, message in told:
                await client.publish(topic, message.model_dump_json(), qos=1, retain=True)

        yield publish


@pytest.mark.slow
async def test_a_running_cluster_is_told_from_its_threads_to_its_frames(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        await cluster.start_camera("campus", "edge-1", "--loop")
        await cluster.witness.until(
            "a rate of frames",
            lambda: "campus" in cluster.witness.stats and cluster.witness.stats["campus"].published_per_s,
        )
        await cluster.witness.until("a measured speed", lambda: cluster.witness.nodes["edge-1"].computable_per_s)
        code, out, _ = await status(cluster.broker, "--json")
        told = json.loads(out)
        assert code == 0
        assert told["gateway"]["release"] == installed_version()
        for edge in ("edge-1", "edge-2"):
            found = told["edges"][edge]
            assert (found["state"], found["same_release"], found["threads"]) == ("online", True, 1)
            assert found["cores"] == os.cpu_count()
            assert 0 <= found["cores_busy"] <= found["cores"]
        campus = told["cameras"]["campus"]
        assert (campus["edge"], campus["state"], campus["configured"]) == ("edge-1", "online", False)
        assert (campus["width"], campus["height"]) == (768, 576)
        assert campus["frames_per_s"] > 0
        gain = told["gateway"]["gain"]
        rates = [edge["computable_per_s"] for edge in told["edges"].values()]
        assert gain["frames_per_s"] == pytest.approx(sum(rate or 0 for rate in rates) / gain["work"], abs=0.01)
        assert gain["unmeasured"] == [edge for edge in told["edges"] if not told["edges"][edge]["computable_per_s"]]
        code, out, err = await status(cluster.broker)
        assert (code, err) == (0, "")
        assert "edge-2  online" in out
        assert "\nspeed    " in out
        assert "no problems" in out
        cluster.signal(cluster.edges["edge-2"], signal.SIGTERM)
        await cluster.witness.until("its end", lambda: cluster.witness.nodes["edge-2"].state is State.OFFLINE)
        _, out, _ = await status(cluster.broker)
        assert "- edge edge-2 is offline\n  -> switch its device on" in out


async def test_another_release_and_a_lost_edge_are_told_with_their_cures(broker, retained):
    await retained()
    code, out, _ = await status(broker)
    assert code == 0
    assert "1.1.0 (differs)" in out
    assert "- edge shed has release 1.1.0, the gateway 1.2.0\n  -> install the same release on both" in out
    assert "- edge hall is offline" in out


async def test_a_hundred_cameras_are_told_at_once(broker, retained):
    cameras = [DOOR.model_copy(update={"camera": f"camera-{number}"}) for number in range(100)]
    await retained(cameras=cameras)
    begun = time.monotonic()
    _, out, _ = await status(broker, "--json")
    assert len([name for name in json.loads(out)["cameras"] if name.startswith("camera-")]) == 100
    assert time.monotonic() - begun < RETAINED_TIMEOUT_S


async def test_nothing_that_listens_is_told_with_what_to_do():
    code, out, err = await status(Address(LOOPBACK, free_port()))
    assert (code, out) == (1, "")
    assert err.startswith("Error: broker 127.0.0.1:")
    assert "connection refused" in err
    assert "deepthings gateway" in err


async def test_a_broker_without_a_gateway_is_told_with_what_to_do(broker):
    code, out, err = await status(broker)
    assert (code, out) == (1, "")
    assert "no gateway found at broker" in err
    assert "--gateway HOST" in err


@pytest.mark.slow
async def test_a_gateway_below_another_prefix_is_found_there_only(broker, retained):
    await retained()
    code, _, err = await status(broker, "--topic-prefix", "elsewhere")
    assert code == 1
    assert "below 'elsewhere/'" in err


async def test_a_gateway_that_has_ended_is_told_with_its_device(broker, retained):
    await retained(bridge=GATEWAY.model_copy(update={"state": State.OFFLINE}))
    code, out, err = await status(broker, "--json")
    assert (code, out) == (1, "")
    assert "is offline: start it again on nas (192.168.1.5)" in err


@pytest.mark.slow
async def test_what_answers_but_is_no_broker_ends_within_a_bounded_time():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, LOOPBACK, 0)
    async with server:
        begun = time.monotonic()
        code, _, err = await status(Address(*server.sockets[0].getsockname()))
        assert code == 1
        assert "not reached: it does not answer" in err
        assert time.monotonic() - begun < STATUS_ANSWER_TIMEOUT_S + 10


@pytest.mark.slow
async def test_it_is_told_again_in_place_until_it_is_interrupted(broker, retained):
    """On a terminal; a gateway that goes meanwhile, and comes again, is told and ends nothing."""
    await retained()
    leader, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "status", "--gateway", str(broker), "--watch", stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = b""

    async def until(words, times=1):
        nonlocal shown
        async with asyncio.timeout(20):
            while shown.count(words) < times:
                shown += await asyncio.to_thread(os.read, leader, 65536)

    try:
        await until(b"gateway  online", 2)
        assert shown.count(b"\x1b[H\x1b[2J") >= 2
        await retained(bridge=GATEWAY.model_copy(update={"state": State.OFFLINE}))
        await until(b"is offline: start it again")
        shown = b""
        await retained()
        await until(b"gateway  online")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(leader)


async def test_without_a_terminal_each_report_is_a_line_of_json(broker, retained):
    await retained()
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "status", "--gateway", str(broker), "--watch", "--json", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            first, second = [json.loads(await process.stdout.readline()) for _ in range(2)]
        assert first["edges"] == second["edges"]
        assert first["at"] < second["at"]
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
