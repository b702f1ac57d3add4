from __future__ import annotations

import pytest

from gateway.membership.members import MAX_KNOWN_NODES, NODE_RETURN_TIMEOUT_S, Membership
from shared.engine.lanes import MAX_LANES
from shared.network.addresses import Address
from shared.payloads.cluster import NodeState, NodeStats, State, TileCounts
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS


def online(name="pi-1", protocol=PROTOCOL, host="10.0.0.1", port=4000):
    return NodeState(node=name, state=State.ONLINE, protocol=protocol, version="1.0", host=host, port=port)


def offline(name="pi-1"):
    return NodeState(node=name, state=State.OFFLINE, protocol=PROTOCOL, version="1.0")


def stats(name="pi-1", epoch=7, load=0.5, temperature=61.5):
    return NodeStats(
        node=name, epoch=epoch, tiles=TileCounts(own=3, stolen=2), bytes={"mqtt": 9}, cameras=("door",), load=load,
        temperature=temperature,
    )  # fmt: skip


@pytest.fixture
def members():
    membership = Membership(Address("10.0.0.99", 1883))
    membership.on_state(online())
    return membership


def test_an_edge_that_came_has_an_address(members):
    assert members.address("pi-1") == Address("10.0.0.1", 4000)


def test_an_edge_that_listens_beside_the_broker_is_reached_there(members):
    members.on_state(online("pi-2", host=""))
    assert members.address("pi-2") == Address("10.0.0.99", 4000)
    assert members.report({}).nodes["pi-2"].address == "10.0.0.99:4000"


def test_an_edge_is_listed_as_it_presented_itself(members):
    presented = online("pi-2", host="")
    members.on_state(presented)
    assert members.online("pi-2") == presented


def test_an_edge_that_nobody_heard_of_has_none(members):
    assert members.address("pi-2") is None
    assert members.online("pi-2") is None


def test_an_edge_without_keys_that_others_reach_is_a_problem_while_it_is_there(members):
    members.on_state(online("pi-2").model_copy(update={"insecure": True}))
    assert members.problems() == (
        "edge pi-2 has no keys: everybody who can reach it can see its cameras, and send wrong results",
    )
    members.on_state(offline("pi-2"))
    assert members.problems() == ()


def test_an_edge_that_went_has_none(members):
    members.on_state(offline())
    assert members.address("pi-1") is None
    assert members.online("pi-1") is None


def test_an_edge_that_moved_has_its_new_address(members):
    members.on_state(online(host="10.0.0.2"))
    assert members.address("pi-1") == Address("10.0.0.2", 4000)


def test_an_edge_of_another_protocol_is_refused_with_what_to_do(members):
    stranger = online("pi-2", protocol=PROTOCOL + 1)
    members.on_state(stranger)
    assert members.address("pi-2") is None
    assert "install the same release" in members.refusal(stranger)
    report = members.report({}).nodes["pi-2"]
    assert report.state is State.REFUSED
    assert f"version {PROTOCOL + 1}" in report.reason


def test_an_edge_without_a_list_of_protocols_understands_its_own(members):
    assert online("pi-2").understood == ()
    assert members.refusal(online("pi-2")) == ""


def test_an_edge_that_was_updated_is_admitted(members):
    members.on_state(online("pi-2", protocol=PROTOCOL + 1))
    members.on_state(online("pi-2"))
    assert members.address("pi-2") is not None
    assert members.report({}).nodes["pi-2"].reason == ""


def test_an_edge_of_the_release_before_is_known_by_what_it_understands(members):
    now = online("pi-2").model_copy(update={"understood": tuple(UNDERSTOOD_PROTOCOLS)})
    members.on_state(online().model_copy(update={"understood": (PROTOCOL,)}))
    members.on_state(now)
    assert members.has_older_nodes
    members.on_state(offline())
    assert not members.has_older_nodes


def test_a_refused_edge_that_went_is_offline(members):
    gone = NodeState(node="pi-2", state=State.OFFLINE, protocol=PROTOCOL + 1)
    members.on_state(gone)
    assert members.report({}).nodes["pi-2"].state is State.OFFLINE


def test_the_list_says_what_an_edge_has_done(members):
    members.on_stats(stats())
    report = members.report({}).nodes["pi-1"]
    assert (report.state, report.address, report.epoch) == (State.ONLINE, "10.0.0.1:4000", 7)
    assert (report.tiles, report.bytes, report.cameras) == (TileCounts(own=3, stolen=2), {"mqtt": 9}, ("door",))


@pytest.mark.parametrize(("reported", "counted"), [(0, 1), (1, 1), (4, 4), (10**9, MAX_LANES)])
def test_lanes_are_those_that_an_edge_reports_within_reason(members, reported, counted):
    assert members.lanes("pi-1") == members.lanes("unknown") == 1
    members.on_stats(stats().model_copy(update={"lanes": reported}))
    assert members.lanes("pi-1") == counted


def test_the_list_says_that_an_edge_is_drained_until_it_is_resumed(members):
    members.drain_node("pi-1")
    assert members.report({}).nodes["pi-1"].drained
    members.on_state(offline())
    assert members.report({}).nodes["pi-1"].drained
    members.resume_node("pi-1")
    assert not members.report({}).nodes["pi-1"].drained


def test_an_edge_that_went_keeps_its_figures_and_loses_its_present(members):
    members.on_stats(stats())
    members.on_state(offline())
    report = members.report({}).nodes["pi-1"]
    assert report.tiles == TileCounts(own=3, stolen=2)
    assert (report.state, report.address, report.epoch, report.cameras) == (State.OFFLINE, "", 0, ())


def test_the_list_says_how_an_edge_is_as_it_said_last(members):
    assert (members.report({}).nodes["pi-1"].load, members.report({}).nodes["pi-1"].temperature) == (None, None)
    members.on_stats(stats())
    members.on_stats(stats(load=0.0, temperature=-5.0))
    report = members.report({}).nodes["pi-1"]
    assert (report.load, report.temperature) == (0.0, -5.0)


def test_an_edge_without_a_thermometer_has_no_temperature(members):
    members.on_stats(stats())
    members.on_stats(stats(temperature=None))
    report = members.report({}).nodes["pi-1"]
    assert (report.load, report.temperature) == (0.5, None)


def test_of_an_edge_that_went_nobody_knows_how_it_is(members):
    members.on_stats(stats())
    members.on_state(offline())
    report = members.report({}).nodes["pi-1"]
    assert (report.load, report.temperature) == (None, None)


def test_figures_of_an_edge_that_never_came_are_ignored(members):
    members.on_stats(stats("pi-2"))
    assert set(members.report({}).nodes) == {"pi-1"}


def test_the_list_is_in_the_order_of_names_with_the_gateways_bytes(members):
    members.on_state(online("a"))
    report = members.report({"mqtt": 5})
    assert list(report.nodes) == ["a", "pi-1"]
    assert report.gateway_bytes == {"mqtt": 5}


def test_names_without_end_are_not_remembered(members):
    for number in range(MAX_KNOWN_NODES + 5):
        members.on_state(online(f"invented-{number}"))
    assert len(members.report({}).nodes) == MAX_KNOWN_NODES
    assert members.address("pi-1") is not None


def test_an_edge_that_is_there_takes_the_place_of_one_that_is_not(members):
    members.on_state(offline())
    for number in range(MAX_KNOWN_NODES):
        members.on_state(online(f"new-{number}"))
    assert members.online(f"new-{MAX_KNOWN_NODES - 1}") is not None
    assert "pi-1" not in members.report({}).nodes


def test_a_known_edge_can_still_go_when_no_more_are_remembered(members):
    for number in range(MAX_KNOWN_NODES):
        members.on_state(online(f"invented-{number}"))
    members.on_state(offline())
    assert members.address("pi-1") is None


def test_the_last_address_of_an_edge_outlives_its_presence(members):
    assert members.last_address("pi-1") == Address("10.0.0.1", 4000)
    members.on_state(offline())
    assert members.address("pi-1") is None
    assert members.last_address("pi-1") == Address("10.0.0.1", 4000)


def test_the_last_address_of_an_edge_that_came_back_is_its_new_one(members):
    members.on_state(offline())
    members.on_state(online(port=5000))
    members.on_state(offline())
    assert members.last_address("pi-1") == Address("10.0.0.1", 5000)


def test_the_last_address_of_an_edge_beside_the_broker_is_the_brokers(members):
    members.on_state(online("pi-2", host=""))
    assert members.last_address("pi-2") == Address("10.0.0.99", 4000)


def test_an_edge_that_never_was_there_has_no_last_address(members):
    members.on_state(offline("pi-2"))
    assert members.last_address("pi-2") is None
    assert members.last_address("stranger") is None


def test_the_edges_that_are_present_are_in_the_order_of_their_names(members):
    members.on_state(online("b"))
    members.on_state(online("a"))
    members.on_state(online("refused", protocol=PROTOCOL + 1))
    members.on_state(online("gone"))
    members.on_state(offline("gone"))
    assert members.present == ("a", "b", "pi-1")


def test_edges_are_ready_that_follow_the_plan(members):
    for name, epoch in [("b", 7), ("a", 7), ("behind", 6), ("without", 0)]:
        members.on_state(online(name))
        members.on_stats(stats(name, epoch))
    members.on_state(online("silent"))
    assert members.ready_nodes(7) == ("a", "b")
    assert members.ready_nodes(6) == ("behind",)
    assert members.ready_nodes(8) == ()


def test_edges_are_ready_for_all_plans_that_they_have_prepared(members):
    members.on_stats(stats().model_copy(update={"also": (8, 9)}))
    assert [members.ready_nodes(epoch) for epoch in (6, 7, 8, 9)] == [(), ("pi-1",), ("pi-1",), ("pi-1",)]


def test_frames_under_way_are_those_of_all_edges_that_are_online(members):
    for name, frames in [("a", 0.5), ("b", 2.0), ("gone", 4.0)]:
        members.on_state(online(name))
        members.on_stats(stats(name).model_copy(update={"frames": frames}))
    members.on_state(online("silent"))
    assert members.frames_under_way == 6.5
    members.on_state(offline("gone"))
    assert members.frames_under_way == 2.5


def test_an_edge_that_went_or_was_refused_is_not_ready(members):
    members.on_stats(stats())
    assert members.ready_nodes(7) == ("pi-1",)
    members.on_state(offline())
    assert members.ready_nodes(7) == ()
    members.on_state(online(protocol=PROTOCOL + 1))
    assert members.ready_nodes(7) == ()


def test_the_list_says_what_of_an_edge_s_processor_computes_while_it_is_there(members):
    members.on_stats(stats().model_copy(update={"cores": 4, "threads": 2}))
    report = members.report({}).nodes["pi-1"]
    assert (report.cores, report.threads) == (4, 2)
    members.on_state(offline())
    report = members.report({}).nodes["pi-1"]
    assert (report.cores, report.threads) == (0, 0)


def test_an_edge_that_does_not_come_back_to_a_broker_that_lost_its_will_is_lost():
    """The broker died together with it: nobody says that it is gone."""
    members = Membership(Address("127.0.0.1", 7883))
    for name in ("attic", "hall", "shed"):
        members.on_state(online(name))
    members.expect_all_nodes(100.0)
    members.on_state(online("attic"))
    members.on_stats(stats("hall"))
    assert members.lost_nodes(100.0 + NODE_RETURN_TIMEOUT_S) == ()
    (lost,) = members.lost_nodes(100.1 + NODE_RETURN_TIMEOUT_S)
    assert (lost.node, lost.state) == ("shed", State.OFFLINE)
    members.on_state(lost)
    assert members.lost_nodes(200.0) == ()
    assert members.present == ("attic", "hall")
