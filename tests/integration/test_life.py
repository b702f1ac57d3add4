"""Starting and stopping: signals, wills, nothing left behind."""

from __future__ import annotations

import asyncio
import signal

import aiomqtt
import psutil
import pytest

from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import State
from tests.extent import one_in
from tests.harness import (
    Witness,
    broker_at,
    connected,
    gateway_ports,
    running_cluster,
    until_listening,
    until_said,
)  # fmt: skip
from tests.ports import free_port


def brokers_of(cluster):
    """The gateway's Mosquitto; a process that computes a frame again may be beside it."""
    children = psutil.Process(cluster.gateway.process.pid).children(recursive=True)
    return [child for child in children if child.name() == "mosquitto"]


@pytest.mark.parametrize("number", one_in(2, [signal.SIGTERM, signal.SIGINT]))
async def test_a_stopped_cluster_says_goodbye_and_leaves_no_process(tmp_path, number):
    async with running_cluster(tmp_path, 2, "--verify-share", "0") as cluster:  # no frame is computed again meanwhile
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop")
        await witness.until("the first frames", lambda: len(witness.detections) >= 3)
        children = psutil.Process(cluster.gateway.process.pid).children(recursive=True)
        assert [child.name() for child in children] == ["mosquitto"]
        for child in (camera, *cluster.edges.values()):
            cluster.signal(child, number)
            assert await asyncio.wait_for(child.process.wait(), 20) == 0, cluster.log(child.name)
        await witness.until("the account", lambda: witness.stats["front"].ended)
        await witness.until(
            "both goodbyes", lambda: all(node.state is State.OFFLINE for node in witness.nodes.values())
        )
        cluster.signal(cluster.gateway, number)
        await witness.until("the gateway's goodbye", lambda: witness.bridge[-1].state is State.OFFLINE)
        assert await asyncio.wait_for(cluster.gateway.process.wait(), 20) == 0
        assert not any(child.is_running() for child in children)
        counts = witness.stats["front"].counts
    assert counts.under_way == 0
    for name in ("gateway", "edge-1", "edge-2", "front"):
        assert "Traceback" not in cluster.log(name)
        assert "Warning:" not in cluster.log(name)


@pytest.mark.slow
async def test_an_edge_that_stops_in_mid_frame_tells_its_camera(tmp_path):
    async with running_cluster(tmp_path, 1) as cluster:
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop")
        await witness.until("the first frames", lambda: len(witness.detections) >= 3)
        cluster.signal(cluster.edges["edge-1"], signal.SIGTERM)
        assert await asyncio.wait_for(cluster.edges["edge-1"].process.wait(), 20) == 0
        cluster.signal(camera, signal.SIGTERM)
        assert await asyncio.wait_for(camera.process.wait(), 20) == 0
        assert "trying again" in cluster.log("front")


@pytest.mark.slow
async def test_a_broker_of_the_house_has_what_people_want_and_says_the_will_of_a_killed_gateway(tmp_path):
    broker = Address(LOOPBACK, free_port())
    async with broker_at(broker), running_cluster(tmp_path, 1, "--broker", str(broker)) as cluster:
        witness = Witness(broker)
        async with connected(witness.bus):
            await cluster.start_camera("front", "edge-1", "--frames", "5", "--every-frame")
            await witness.until("the camera's end", lambda: witness.ended("front"))
            assert witness.stats["front"].counts.published == 5
            assert "edge-1" in witness.nodes
            assert not witness.plans
            lost = await cluster.processes.start("lost", "edge", "--gateway", str(broker), "--name", "lost")
            await until_said(lost, f"start this edge with --gateway {cluster.broker}")
            cluster.signal(cluster.gateway, signal.SIGKILL)
            await witness.until("the gateway's will", lambda: witness.bridge[-1].state is State.OFFLINE)


@pytest.mark.slow
async def test_a_second_gateway_of_one_prefix_gives_way_and_one_of_another_lives_beside(tmp_path):
    async with running_cluster(tmp_path, 0) as cluster:
        witness, broker, own = cluster.witness, cluster.broker, Address(LOOPBACK, free_port())
        (tmp_path / "barn.yaml").write_text(
            f"mqtt: {{host: {broker.host}, port: {broker.port}, topic_prefix: barn}}\n"
            f"cluster: {{port: {free_port()}, data_port: 0}}\nstate: {tmp_path / 'barn'}\n"
        )
        second = await cluster.processes.start("second", "gateway", "--broker", str(broker), *gateway_ports(own))
        barn = await cluster.processes.start("barn", "gateway", "--config", str(tmp_path / "barn.yaml"))
        assert await asyncio.wait_for(second.process.wait(), 60) == 1
        await witness.until("the problem", lambda: "another gateway, on" in " ".join(witness.problems))
        async with aiomqtt.Client(*broker) as client, asyncio.timeout(30):
            await client.subscribe("barn/bridge/state")
            assert b'"online"' in await anext(message.payload async for message in client.messages)
        assert barn.process.returncode is None
        assert cluster.gateway.process.returncode is None
        assert [state.state for state in witness.bridge] == [State.ONLINE]
        (error,) = [line for line in cluster.log("second").splitlines() if line.startswith("Error: ")]
    assert "another gateway uses the topics below 'deepthings'" in error
    assert "mqtt.topic_prefix" in error


async def test_a_killed_gateway_takes_its_broker_along(tmp_path):
    async with running_cluster(tmp_path, 0) as cluster:
        (broker,) = brokers_of(cluster)
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        assert await asyncio.to_thread(psutil.wait_procs, [broker], 10) == ([broker], [])


@pytest.mark.slow
async def test_an_edge_whose_gateway_is_gone_says_so_once_for_each_absence(tmp_path):
    impatient = tmp_path / "impatient"
    impatient.mkdir()
    code = "from edge.status import gateway_watch\ngateway_watch.SILENCE_TIMEOUT_S = 2.0\n"
    (impatient / "sitecustomize.py").write_text(code)
    async with running_cluster(tmp_path, 0) as cluster:
        witness = cluster.witness
        edge = await cluster.start_edge("shed", code=impatient)
        await cluster.edges_ready("shed")
        for absence in (1, 2):
            await cluster.processes.stop(cluster.gateway)
            async with asyncio.timeout(30):
                while cluster.log("shed").count("its address still right?") < absence:  # noqa: ASYNC110  (a file)
                    await asyncio.sleep(0.1)
            await asyncio.sleep(5)  # in which it would have been said twice more
            plans = len(witness.plans)
            await until_listening(cluster.broker, await cluster.start_gateway())
            await witness.until("a new plan", lambda before=plans: len(witness.plans) > before)
            await cluster.edges_ready("shed")
        assert edge.process.returncode is None
        log = cluster.log("shed")
    lines = [line for line in log.splitlines() if "has not answered" in line]
    assert len(lines) == 2
    assert all("ERROR" in line and f"gateway {cluster.broker} has not answered for" in line for line in lines)


@pytest.mark.slow
async def test_a_broker_that_is_killed_comes_back_and_everybody_with_it(tmp_path):
    async with running_cluster(tmp_path, 1) as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--loop")
        await witness.until("the first frames", lambda: len(witness.detections) >= 3)
        (broker,) = brokers_of(cluster)
        broker.kill()
        before = len(witness.detections)
        await witness.until("frames as before", lambda: len(witness.detections) >= before + 10, 60)
        assert cluster.gateway.process.returncode is None
        assert cluster.edges["edge-1"].process.returncode is None


@pytest.mark.long
async def test_an_edge_that_dies_together_with_the_broker_is_lost_and_another_lives_on(
    tmp_path,
):
    async with running_cluster(tmp_path, 2) as cluster:
        witness = cluster.witness
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        for _ in range(6):
            for broker in brokers_of(cluster):
                broker.kill()
            await asyncio.sleep(1.5)
        await witness.until("the loss", lambda: witness.nodes["edge-2"].state is State.OFFLINE, 90)
        assert witness.nodes["edge-1"].state is State.ONLINE
        assert cluster.edges["edge-1"].process.returncode is None


@pytest.mark.slow
async def test_an_edge_fetches_its_program_once_and_keeps_it_by_its_hash(tmp_path):
    async with running_cluster(tmp_path, 1, cache=tmp_path / "cache") as cluster:
        assert "fetched from" in cluster.log("edge-1")
        (kept,) = (tmp_path / "cache").glob("*.onnx")
        parts = cluster.witness.plan.stages[0].program.parts
        assert kept.name == f"{parts.graph.sha256}.onnx"
        weights = {f"{part.sha256}.weights" for part in parts.weights}
        assert weights == {path.name for path in (tmp_path / "cache").glob("*.weights")} != set()
        await cluster.start_edge("edge-2")
        await cluster.edges_ready("edge-2")
        assert "is in the cache" in cluster.log("edge-2")
        kept.write_bytes(kept.read_bytes()[:-1])
        await cluster.start_edge("edge-3")
        await cluster.edges_ready("edge-3")
        assert "fetched from" in cluster.log("edge-3")
