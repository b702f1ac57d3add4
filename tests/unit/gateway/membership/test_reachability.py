from __future__ import annotations

import pytest

from gateway.membership.reachability import Contacts, contact_problems
from shared.payloads.cluster import Identity, NodeState, State, UnreachedPeer


def identity(device, network):
    return Identity(instance=device, device=device, address=f"10.0.0.{len(device)}", network=network)


GATEWAY = identity("nas", "nas")


def node(name, host, network, port=7):
    return NodeState(
        node=name, state=State.ONLINE, protocol=4, host=host, port=port, identity=identity("raspberrypi", network)
    )


def facts(*nodes, host="10.0.0.1", failed=(), unreached=()):
    return Contacts(
        identity=GATEWAY, host=host, port=9, nodes={node.node: node for node in nodes}, failed=dict(failed),
        unreached=dict(unreached),
    )  # fmt: skip


def test_a_cluster_on_one_machine_has_no_problem_whatever_its_broker_is():
    assert (
        contact_problems(facts(node("shed", "127.0.0.1", "nas"), node("attic", "127.0.0.1", "nas"), host="127.0.0.1"))
        == []
    )


def test_a_cluster_on_a_network_has_none():
    assert (
        contact_problems(facts(node("shed", "10.0.0.2", "a"), node("attic", "10.0.0.3", "b"), node("by", "", "nas")))
        == []
    )


def test_an_edge_on_loopback_of_another_device_is_named_with_the_option_to_set():
    (said,) = contact_problems(facts(node("shed", "127.0.0.1", "a")))
    assert said == (
        "edge shed on raspberrypi (10.0.0.11) listens on 127.0.0.1 only, where the gateway on other devices cannot "
        "take tiles or pictures from it: start it with --listen 0.0.0.0"
    )


def test_an_edge_on_loopback_beside_the_gateway_is_a_problem_for_edges_elsewhere():
    (said,) = contact_problems(facts(node("by", "127.0.0.1", "nas"), node("shed", "10.0.0.2", "a")))
    assert said.startswith("edge by on raspberrypi")
    assert "where edge shed on other devices" in said


def test_a_gateway_on_loopback_is_a_problem_for_edges_elsewhere():
    nodes = [node(f"pi-{number}", f"10.0.0.{number}", f"n{number}") for number in range(7)]
    (said,) = contact_problems(facts(*nodes, node("by", "", "nas"), host="127.0.0.1"))
    assert said.startswith("the gateway listens on 127.0.0.1 only, where edge pi-0, ")
    assert "edge pi-4, 2 more edges on other devices" in said
    assert "cluster.listen: 0.0.0.0" in said


def test_of_devices_that_are_not_known_nothing_is_supposed():
    assert contact_problems(facts(node("shed", "127.0.0.1", ""), host="127.0.0.1")) == []


def test_what_was_tried_and_not_reached_is_named_with_address_and_reason_and_what_to_look_at():
    failed = {"shed": ("10.0.0.2:7", "it does not answer"), "gone": ("10.0.0.9:7", "no route to it")}
    (said,) = contact_problems(facts(node("shed", "10.0.0.2", "a"), failed=failed))
    assert said == (
        "the gateway cannot reach edge shed at 10.0.0.2:7: it does not answer; check the firewall there, and its "
        "--listen and --port"
    )


def test_a_problem_that_loopback_explains_is_reported_once():
    failed = {"shed": ("127.0.0.1:7", "connection refused")}
    unreached = {"attic": [UnreachedPeer(host="127.0.0.1", port=7, reason="connection refused")]}
    (said,) = contact_problems(
        facts(node("shed", "127.0.0.1", "a"), node("attic", "10.0.0.3", "b"), failed=failed, unreached=unreached)
    )
    assert "listens on 127.0.0.1 only" in said


@pytest.mark.parametrize("host", ["10.0.0.2", ""])
def test_an_edge_that_cannot_reach_another_is_reported(host):
    """An empty host is the broker's, which each knows by a name of its own."""
    unreached = {"attic": [UnreachedPeer(host="10.0.0.2", port=7, reason="no route to it")]}
    (said,) = contact_problems(facts(node("shed", host, "a"), node("attic", "10.0.0.3", "b"), unreached=unreached))
    assert said.startswith("edge attic cannot reach edge shed at 10.0.0.2:7: no route to it; check the firewall")


def test_an_edge_that_cannot_reach_the_gateway_is_reported():
    unreached = {"attic": [UnreachedPeer(host="10.0.0.1", port=9, reason="connection refused")]}
    (said,) = contact_problems(facts(node("attic", "10.0.0.3", "b"), unreached=unreached))
    assert said.startswith("edge attic cannot reach the gateway at 10.0.0.1:9: connection refused; check the firewall")
    assert "cluster.data_port" in said


def test_addresses_that_are_nobodys_by_now_and_words_of_who_is_gone_are_not_repeated():
    unreached = {
        "attic": [UnreachedPeer(host="10.0.0.77", port=7, reason="no route to it")],
        "gone": [UnreachedPeer(host="10.0.0.1", port=9, reason="no route to it")],
    }
    assert (
        contact_problems(facts(node("shed", "10.0.0.2", "a"), node("attic", "10.0.0.3", "b"), unreached=unreached))
        == []
    )


def test_nothing_that_others_write_begins_a_line():
    unreached = {"attic": [UnreachedPeer(host="10.0.0.1", port=9, reason="x\nERROR")]}
    (said,) = contact_problems(facts(node("attic", "10.0.0.3", "b"), unreached=unreached))
    assert "\n" not in said
