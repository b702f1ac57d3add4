"""Strangers at the doors of a running cluster: rejected, while the cluster goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct

import aiomqtt
import numpy as np
import pytest
import pytest_asyncio

from shared.errors import ProtocolError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import BridgeState, NodeState, State, StealRequest, TaskAnnouncement
from shared.payloads.frames import FrameInfo
from shared.payloads.versions import PROTOCOL
from shared.wire.camera_headers import CameraHeader, ControlHeader, FrameHeader, ReadyHeader
from shared.wire.codec import MAGIC, MessageKind
from shared.wire.connection import Connection
from shared.wire.headers import (
    BorderHeader,
    PictureRequestHeader,
    ProgramRequestHeader,
    ResultHeader,
    StripsHeader,
    StripsRequestHeader,
    TakeHeader,
)
from shared.wire.wire_traffic import WireTraffic
from tests.harness import address_of, connected, running_cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

INFO = FrameInfo(frame="front-1", camera="front", number=1, captured_at=1.0, height=8, width=8)

GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    os.urandom(4096),
    MAGIC + struct.pack("!BBHIQ", PROTOCOL, MessageKind.RESULT, 0, 2**32 - 1, 2**64 - 1),
    MAGIC + struct.pack("!BBHIQ", 99, MessageKind.RESULT, 0, 0, 0),
    MAGIC + struct.pack("!BBHIQ", PROTOCOL, MessageKind.RESULT, 0, 500, 500),
]


def stranger(broker):
    """A client that is none of ours."""
    return aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5)


async def throw(address, garbage):
    """Send it, and go away in the middle."""
    _, writer = await asyncio.open_connection(*address)
    with contextlib.suppress(ConnectionError):
        writer.write(garbage)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def data_address(cluster):
    return Address(cluster.witness.plan.gateway_host, cluster.witness.plan.gateway_port)


async def test_garbage_on_every_port_harms_nobody(tmp_path):
    async with running_cluster(tmp_path, 2, "--verify-every", "1") as cluster:
        doors = [cluster.broker, data_address(cluster), address_of(cluster, "edge-1"), address_of(cluster, "edge-2")]
        await cluster.start_camera("front", "edge-1", "--frames", "20", "--every-frame")
        for garbage in GARBAGE:
            await asyncio.gather(*(throw(door, garbage) for door in doors))
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"))
        counts = cluster.witness.stats["front"].counts
        logs = {name: cluster.log(name) for name in ("gateway", "edge-1", "edge-2")}
    assert (counts.published, counts.dropped) == (20, {})
    assert max(verification.max_abs_diff for verification in cluster.witness.verifications) <= 1e-5
    for name, log in logs.items():
        assert "rejected: not a DeepThings peer" in log, name
        assert "rejected: it speaks version 99" in log, name
        assert "Traceback" not in log, name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory):
    """A gateway and an edge for all tests after which both go on as before."""
    async with running_cluster(tmp_path_factory.mktemp("cluster"), 1) as cluster:
        yield cluster


async def it_goes_on(cluster, camera):
    """A camera of this name, which no other test has, has all of its frames published."""
    await cluster.start_camera(camera, "edge-1", "--frames", "3", "--every-frame")
    await cluster.witness.until("the camera's end", lambda: cluster.witness.ended(camera))
    assert cluster.witness.stats[camera].counts.published == 3


async def test_well_formed_lies_are_rejected_or_ignored(cluster):
    epoch = cluster.witness.plan.epoch
    gateway, edge = data_address(cluster), address_of(cluster, "edge-1")
    lies = [
        (gateway, TakeHeader(thief="edge-1", epoch=epoch), b""),
        (gateway, CameraHeader(camera="front"), b""),
        (edge, ProgramRequestHeader(sha256="0" * 64), b""),
        (edge, result(epoch, tile=0), bytes(16)),
        (gateway, result(epoch, tile=10**9), bytes(16)),
        (gateway, result(epoch, tile=0, shapes=((1, 1, 1, 1),)), bytes(4)),
        (gateway, result(epoch, tile=0), bytes(16)),
        (gateway, StripsHeader(), b""),
        (gateway, BorderHeader(frame="front-1", epoch=epoch, giver=0, reader=1), bytes(16)),
        (edge, StripsRequestHeader(frame="front-1", epoch=epoch, reader=1, givers=(0,)), b""),
    ]
    for address, header, payload in lies:
        peer = await Connection.open(address, WireTraffic())
        await peer.send(header, [memoryview(payload)] if payload else [])
        with pytest.raises(ProtocolError, match="refused"):
            await asyncio.wait_for(peer.receive(), 10)
    for address, header, kind in [
        (gateway, ProgramRequestHeader(sha256="0" * 64), MessageKind.ABSENT),
        (gateway, StripsRequestHeader(frame="front-1", epoch=epoch, reader=1, givers=(0, 2)), MessageKind.STRIPS),
        (gateway, StripsRequestHeader(frame="front-1", epoch=epoch - 1, reader=1, givers=(0, 2)), MessageKind.STRIPS),
        (edge, PictureRequestHeader(frame="front-1"), MessageKind.ABSENT),
        (edge, TakeHeader(thief="stranger", epoch=epoch), MessageKind.ABSENT),
        (edge, TakeHeader(thief="stranger", epoch=epoch - 1), MessageKind.ABSENT),
    ]:
        peer = await Connection.open(address, WireTraffic())
        await peer.send(header)
        assert (await asyncio.wait_for(peer.receive(), 10))[0].kind is kind
        peer.close()
    await it_goes_on(cluster, "after_lies")


def result(epoch, tile, shapes=((1, 2, 2, 1),)):
    return ResultHeader(
        info=INFO, epoch=epoch, owner="edge-1", worker="edge-1", tile=tile, shapes=shapes, compute_ms=1.0
    )


async def test_a_camera_whose_pictures_do_not_fit_their_size_is_rejected(cluster):
    peer = await Connection.open(address_of(cluster, "edge-1"), WireTraffic())
    await peer.send(CameraHeader(camera="front"))
    await until_invited(peer)
    await peer.send(FrameHeader(info=INFO), [np.zeros(7, np.uint8).data])
    with pytest.raises(ProtocolError, match="a frame of front with 7 bytes does not match its header"):
        await until_invited(peer)


async def until_invited(peer):
    """Wait for a Ready; a Control comes whenever a second camera comes or goes."""
    async with asyncio.timeout(10):
        while not isinstance((await peer.expect(ControlHeader, ReadyHeader))[0], ReadyHeader):
            pass


async def test_an_edge_of_another_protocol_version_is_refused_and_gets_no_work(cluster):
    witness = cluster.witness
    stranger = Bus(cluster.broker, "stranger")
    running = asyncio.create_task(stranger.run())
    await stranger.connected.wait()
    node = NodeState(node="future", state=State.ONLINE, protocol=99, version="9.9", host=LOOPBACK, port=9)
    await stranger.publish(topics.NODE_STATE, node, "future")
    await stranger.publish(topics.STEAL, StealRequest(node="future", epoch=witness.plan.epoch), "future")
    await stranger.publish(topics.TASKS, TaskAnnouncement(node="future", epoch=witness.plan.epoch, waiting=5), "future")
    await witness.until("the refusal", lambda: "future" in witness.nodes)
    await it_goes_on(cluster, "beside_future")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert witness.nodes["future"].state is State.REFUSED
    assert "install the same release" in witness.nodes["future"].reason
    assert witness.grants["future"] == []


async def test_an_edge_that_comes_back_with_another_protocol_version_is_no_helper_any_more(cluster):
    """As after an update of one device: nothing says before that the edge of the release before is gone."""
    helpers, request = set(), StealRequest(node="updated", epoch=cluster.witness.plan.epoch)
    gone = asyncio.Event()

    def hear(_, said):
        if "updated" in helpers - set(said.seconds):
            gone.set()
        helpers.update(said.seconds)

    stranger = Bus(cluster.broker, "updated")
    stranger.on(topics.HELPERS, hear)
    node = NodeState(node="updated", state=State.ONLINE, protocol=PROTOCOL, version="9.9", host=LOOPBACK, port=9)
    async with connected(stranger), asyncio.timeout(20):
        await stranger.publish(topics.NODE_STATE, node, "updated")
        while "updated" not in helpers:
            await stranger.publish(topics.STEAL, request, "updated")
            await asyncio.sleep(0.2)
        await stranger.publish(topics.NODE_STATE, node.model_copy(update={"protocol": 99}), "updated")
        await gone.wait()
    await it_goes_on(cluster, "beside_updated")


async def test_a_state_of_the_gateway_that_a_stranger_published_ends_nobody_and_is_corrected(cluster):
    witness = cluster.witness
    impostor = Bus(cluster.broker, "impostor")
    async with connected(impostor):
        strange = BridgeState(state=State.ONLINE, protocol=99, version="9.9")
        await impostor.publish(topics.BRIDGE_STATE, strange)
        await cluster.start_edge("edge-2")
        await witness.until("the correction", lambda: strange in witness.bridge and witness.bridge[-1] != strange)
        await cluster.edges_ready("edge-1", "edge-2")
    errors = [line for line in cluster.log("edge-1").splitlines() if "version 99 of the protocol" in line]
    assert len(errors) == 1
    assert "install the same release of deepthings on both; waiting for another gateway" in errors[0]


async def test_an_edge_that_is_said_to_be_gone_objects_and_goes_on(cluster):
    witness = cluster.witness
    impostor = Bus(cluster.broker, "impostor")
    async with connected(impostor):
        await impostor.publish(
            topics.NODE_STATE, NodeState(node="edge-1", state=State.OFFLINE, protocol=PROTOCOL), "edge-1"
        )
        await witness.until("its loss", lambda: witness.nodes["edge-1"].state is State.OFFLINE)
        await witness.until("its objection", lambda: witness.nodes["edge-1"].state is State.ONLINE, 10)
    assert cluster.log("edge-1").count("ours is published again") == 1


async def test_addresses_that_cannot_be_end_no_edge_that_is_sent_there(cluster):
    witness = cluster.witness
    async with stranger(cluster.broker) as client:
        for host, port in (("10.0.0.1", 70_000), ("10.0.0.1\0", 80), ("x" * 64 + ".example", 80), ("", 0)):
            state = {"node": "evil", "state": "online", "protocol": PROTOCOL, "host": host, "port": port}
            await client.publish(topics.NODE_STATE.full_path("evil"), json.dumps(state), qos=1, retain=True)
            grant = {"epoch": witness.plan.epoch, "victim": "evil", "host": host, "port": port}
            await client.publish(topics.GRANTS.full_path("edge-1"), json.dumps(grant), qos=1)
            cameras = {"node": "edge-1", "host": host, "port": port, "cameras": {"door": {"revision": 1}}}
            await client.publish(topics.CAMERAS.full_path("edge-1"), json.dumps(cameras), qos=1)
        await it_goes_on(cluster, "after_addresses")
    assert "Traceback" not in cluster.log("edge-1")
    assert "Traceback" not in cluster.log("gateway")
    assert cluster.edges["edge-1"].process.returncode is None


async def test_everything_listens_on_loopback_unless_told_otherwise(cluster):
    ports = [cluster.broker.port, data_address(cluster).port, address_of(cluster, "edge-1").port]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        outside = probe.getsockname()[0]
    if outside.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    for port in ports:
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(outside, port)


@pytest.mark.slow
async def test_a_plan_that_cannot_be_carried_out_is_refused_and_the_one_before_goes_on(tmp_path):
    async with running_cluster(tmp_path, 1) as cluster:
        witness = cluster.witness
        plan = witness.plan
        bad = plan.model_dump(mode="json")
        bad["epoch"] += 1
        bad["stages"][0]["tiles"][4]["inputs"] = []
        where = topics.PLAN.full_path()
        for payload in (json.dumps(bad), "[" * 10_000, '{"epoch": 1e999}', "\0"):
            await witness.bus.publish_at(where, payload, retain=True)
        await cluster.start_camera("front", "edge-1", "--frames", "3", "--every-frame")
        await witness.until("the camera's end", lambda: witness.ended("front"))
        assert witness.stats["front"].counts.published == 3
        (ignored,) = [line for line in cluster.log("edge-1").splitlines() if "message ignored" in line]  # one a minute
        assert "tile 4: 0 inputs; all tiles must have the same number, and at least one" in ignored


@pytest.mark.slow
async def test_a_newer_plan_is_followed_at_once_whatever_holds_up_the_one_before(tmp_path):
    """A plan whose gateway takes connections and says nothing."""
    async with running_cluster(tmp_path, 1) as cluster:
        witness = cluster.witness
        plan = witness.plan
        with socket.create_server((LOOPBACK, 0)) as silent:
            program = plan.stages[0].program.model_copy(update={"sha256": "0" * 64, "parts": None})
            stage = plan.stages[0].model_copy(update={"program": program})
            held_up = plan.model_copy(
                update={"epoch": plan.epoch + 1, "gateway_port": silent.getsockname()[1], "stages": (stage,)}
            )
            await witness.bus.publish(topics.PLAN, held_up)
            silent.settimeout(10)
            connection, _ = await asyncio.to_thread(silent.accept)
            newer = plan.model_copy(update={"epoch": plan.epoch + 2})
            await witness.bus.publish(topics.PLAN, newer)
            await witness.until("the newer plan", lambda: witness.nodes["edge-1"].epoch == newer.epoch, 4)
            connection.close()
