"""Two processes of one name at a real broker: the living one stays, the other ends and says why."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest

from edge.command import edge_name
from edge.options import EdgeConfig
from gateway.service import name_to_claim
from shared.errors import NameTakenError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.client_ids import gateway_client_id
from shared.mqtt.name_claim import NameOwner
from shared.mqtt.outgoing import Outgoing
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import BridgeState, Identity, NodeState, State
from shared.payloads.versions import PROTOCOL
from tests.harness import broker_at, cut_off, running_cluster
from tests.ports import free_port


@pytest.fixture
async def broker():
    address = Address(LOOPBACK, free_port())
    async with broker_at(address):
        yield address


class Edge:
    """As an edge does it: the claim, then a bus that says who is there."""

    def __init__(self, broker, name="shed", prefix="deepthings"):
        config = EdgeConfig(name=name, broker=broker, topic_prefix=prefix)
        self.owner = NameOwner(broker, edge_name(config), prefix)
        self.name = name
        self.births = asyncio.Queue()
        will = Outgoing(topics.NODE_STATE, self._state(State.OFFLINE), name)
        self.bus = Bus(
            broker, self.owner.client_id, will=will, on_connected=self._birth, prefix=prefix, owner=self.owner
        )

    def _state(self, state):
        return NodeState(node=self.name, state=state, protocol=PROTOCOL, identity=self.owner.identity)

    async def _birth(self):
        await self.bus.publish(topics.NODE_STATE, self._state(State.ONLINE), self.name)
        self.births.put_nowait(None)


@contextlib.asynccontextmanager
async def living(party):
    """A party that runs; it is there, or has ended, when the context begins."""
    running = asyncio.create_task(party.bus.run())
    connected = asyncio.create_task(party.bus.connected.wait())
    try:
        await asyncio.wait([running, connected], timeout=15, return_when=asyncio.FIRST_COMPLETED)
        yield running
    finally:
        for task in (running, connected):
            task.cancel()
        await asyncio.gather(running, connected, return_exceptions=True)


async def test_a_second_edge_of_the_name_gives_way_and_the_first_says_so(broker, caplog):
    async with living(Edge(broker)) as first, living(Edge(broker)) as second, living(Edge(broker, "attic")) as other:
        with pytest.raises(NameTakenError, match=r"is called 'shed' already: .* \(beside the broker\);.* --name"):
            second.result()
        assert not first.done()
        assert not other.done()
    assert "another edge is called 'shed', too:" in caplog.text
    assert "Unspecified" not in caplog.text
    assert "connection was lost" not in caplog.text


async def test_of_many_that_come_at_once_one_stays(broker):
    edges = [Edge(broker) for _ in range(4)]
    async with contextlib.AsyncExitStack() as stack:
        running = [asyncio.create_task(edge.bus.run()) for edge in edges]
        for task in running:
            stack.callback(task.cancel)
        async with asyncio.timeout(15):
            while sum(task.done() for task in running) < 3:
                pending = [task for task in running if not task.done()]
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        (winner,) = [edge for edge, task in zip(edges, running, strict=True) if not task.done()]
        await asyncio.wait_for(winner.bus.connected.wait(), 10)
        assert all(isinstance(task.exception(), NameTakenError) for task in running if task.done())


async def test_who_comes_back_finds_its_own_name_free(broker):
    """Of a living process nothing but a broker that forgot everything, or a connection that broke, comes in between."""
    edge = Edge(broker)
    async with living(edge) as running:
        await edge.births.get()
        cut_off(edge.bus)
        await asyncio.wait_for(edge.births.get(), 10)
        assert not running.done()


async def test_a_broker_that_is_started_again_makes_nobody_give_way():
    address = Address(LOOPBACK, free_port())
    edges = [Edge(address, f"pi-{number}") for number in range(5)]
    running = [asyncio.create_task(edge.bus.run()) for edge in edges]
    for _ in range(2):
        async with broker_at(address), asyncio.timeout(20):
            for edge in edges:
                await edge.births.get()
    assert not any(task.done() for task in running)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_state_that_an_earlier_run_left_behind_only_takes_a_moment(broker):
    left = NodeState(node="shed", state=State.ONLINE, protocol=PROTOCOL, identity=Identity(instance="earlier"))
    stranger = Edge(broker, "stranger")
    async with living(stranger):
        await stranger.bus.publish(topics.NODE_STATE, left, "shed")
        edge = Edge(broker)
        async with living(edge) as running:
            assert edge.bus.connected.is_set()
            assert not running.done()


async def test_edges_of_one_name_below_different_prefixes_live_side_by_side(broker):
    async with living(Edge(broker)) as ours, living(Edge(broker, prefix="barn/things")) as theirs:
        await asyncio.wait([ours, theirs], timeout=1)
        assert not ours.done()
        assert not theirs.done()


class Gateway:
    def __init__(self, broker, prefix="deepthings"):
        self.owner = NameOwner(broker, name_to_claim(gateway_client_id(prefix), broker, prefix), prefix)
        self.bus = Bus(broker, self.owner.client_id, on_connected=self._birth, prefix=prefix, owner=self.owner)

    async def _birth(self):
        state = BridgeState(state=State.ONLINE, protocol=PROTOCOL, identity=self.owner.identity)
        await self.bus.publish(topics.BRIDGE_STATE, state)


async def test_gateways_of_different_prefixes_live_side_by_side_and_of_one_do_not(broker):
    ours, beside, clone = Gateway(broker), Gateway(broker, "barn"), Gateway(broker)
    async with living(ours) as first, living(beside) as second, living(clone) as third:
        with pytest.raises(NameTakenError, match=r"mqtt\.topic_prefix"):
            third.result()
        assert not first.done()
        assert not second.done()


@pytest.mark.slow
async def test_a_clone_ends_with_a_sentence_and_an_edge_that_was_frozen_gives_way(tmp_path):
    """As on two devices: the clone says who has the name, health says so too, and the frozen one is replaced."""
    async with running_cluster(tmp_path, 1) as cluster:
        witness, edge = cluster.witness, cluster.edges["edge-1"]
        clone = await cluster.processes.start("clone", "edge", "--gateway", str(cluster.broker), "--name", "edge-1")
        assert await asyncio.wait_for(clone.process.wait(), 20) == 1
        errors = [line for line in cluster.log("clone").splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert "another edge is called 'edge-1' already" in errors[0]
        assert "listens on" not in cluster.log("clone")
        await witness.until(
            "the problem", lambda: any("two edges are called edge-1" in said for said in witness.problems)
        )
        edge.process.send_signal(signal.SIGSTOP)
        second = await cluster.processes.start("second", "edge", "--gateway", str(cluster.broker), "--name", "edge-1")
        await witness.until("the second", lambda: "plan" in cluster.log("second") and witness.ready("edge-1"))
        edge.process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(edge.process.wait(), 20) == 1
        assert second.process.returncode is None
        assert "code:" not in cluster.log("edge-1")
