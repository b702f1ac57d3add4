from __future__ import annotations

import pytest

from gateway.membership.node_list import shorten_node_list
from shared.mqtt.message_size import MAX_MESSAGE_BYTES
from shared.payloads.cluster import NodeReport, Nodes, State


def report(offline, online):
    states = {f"a-{number:04}": State.OFFLINE for number in range(offline)}
    states |= {f"b-{number:04}": State.ONLINE for number in range(online)}
    nodes = {
        name: NodeReport(state=state, address="10.0.0.1:7", version="1", problem="ü" * 400)
        for name, state in states.items()
    }
    return Nodes(nodes=nodes, gateway_bytes={"mqtt": 7})


def test_a_list_that_fits_stays_as_it_is():
    nodes = report(10, 10)
    assert shorten_node_list(nodes, MAX_MESSAGE_BYTES) is nodes


@pytest.mark.parametrize(("offline", "online"), [(1500, 20), (20, 1500), (0, 2000)])
def test_a_list_that_is_too_long_keeps_who_is_there_and_says_how_many_are_left_out(offline, online):
    nodes = report(offline, online)
    assert len(nodes.model_dump_json().encode()) > MAX_MESSAGE_BYTES
    shortened = shorten_node_list(nodes, MAX_MESSAGE_BYTES)
    size = len(shortened.model_dump_json().encode())
    assert 0.99 * MAX_MESSAGE_BYTES < size <= MAX_MESSAGE_BYTES
    assert shortened.left_out == offline + online - len(shortened.nodes) > 0
    listed_online = sum(node.state is State.ONLINE for node in shortened.nodes.values())
    assert listed_online == online or len(shortened.nodes) == listed_online
    assert shortened.gateway_bytes == {"mqtt": 7}
