from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from gateway.cluster.own_node import OwnNode
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import Address
from shared.network.backoff import Backoff
from shared.payloads.cluster import Identity, NodeState, State
from shared.payloads.versions import PROTOCOL

HERE, ELSEWHERE = Identity(network="here"), Identity(network="elsewhere")


def own_node(**nodes):
    """Of a gateway with these edges, by name with the machine that each is on."""
    states = {
        name: NodeState(node=name, state=State.ONLINE, protocol=PROTOCOL, identity=identity)
        for name, identity in nodes.items()
    }
    members = SimpleNamespace(present=tuple(states), online=states.get, broker=Address("127.0.0.1", 7883))
    return OwnNode(members, lambda: HERE, members.broker, "127.0.0.1:0", ["--threads", "2"])


@pytest.mark.parametrize(
    ("nodes", "needed"),
    [
        ({}, False),
        ({OWN_NODE: HERE}, False),
        ({"pi": ELSEWHERE}, True),
        ({"pi": ELSEWHERE, OWN_NODE: HERE}, True),
        ({"pi": ELSEWHERE, "here": HERE}, False),
    ],
    ids=["no edges", "only itself", "an edge", "an edge and itself", "an edge on this machine"],
)
def test_the_gateways_cores_take_part_beside_edges_of_other_machines(nodes, needed):
    assert own_node(**nodes)._needed() is needed


def test_the_node_is_an_edge_without_cameras_that_ends_with_the_gateway():
    command = own_node()._command
    words = command[command.index("edge") :]
    assert words[1:5] == ["--gateway", "127.0.0.1:7883", "--name", OWN_NODE]
    assert "--no-cameras" in words
    assert "--parent" in words
    assert words[-2:] == ["--threads", "2"]


async def test_a_node_that_runs_outlasts_a_short_absence_of_the_edges(monkeypatch):
    monkeypatch.setattr("gateway.cluster.own_node.SETTLE_S", 0.05)
    monkeypatch.setattr("gateway.cluster.own_node.ALONE_S", 0.5)
    node = own_node(pi=ELSEWHERE)
    node._command = ["sleep", "60"]
    members, running = node._members, asyncio.create_task(node._run_node(Backoff(1, 1)))
    members.present = ()
    await asyncio.sleep(0.25)
    members.present = ("pi",)
    await asyncio.sleep(0.5)
    assert not running.done()
    members.present = ()
    async with asyncio.timeout(10):
        await running
