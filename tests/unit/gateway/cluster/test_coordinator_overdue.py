"""Tasks that are not for every node: overdue ones are for idle nodes, others for those that are near."""

from __future__ import annotations

from gateway.cluster.coordinator import Coordinator, Match
from tests.unit.gateway.cluster.coordinators import parked, victims


def test_overdue_tasks_are_for_thieves_that_are_idle():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=2)
    assert coordinator.on_request("thief", idle=False) == []
    assert coordinator.on_request("other") == [Match("other", "a")]
    assert parked(coordinator) == ["thief"]


def test_overdue_tasks_are_granted_as_often_as_there_are_any():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=2)
    assert victims(coordinator, 3) == ["a", "a", None]


def test_tasks_that_wait_go_before_overdue_ones_whosever_turn_it_is():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=3)
    coordinator.on_announcement("b", 2)
    assert victims(coordinator, 4) == ["b", "b", "a", "a"]


def test_owners_with_overdue_tasks_take_turns():
    coordinator = Coordinator()
    for owner in ("a", "b"):
        coordinator.on_announcement(owner, 0, overdue=2)
    assert victims(coordinator, 4) == ["a", "b", "a", "b"]


def test_an_owner_is_granted_its_waiting_tasks_and_then_its_overdue_ones():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 1, overdue=1)
    assert victims(coordinator, 3) == ["a", "a", None]


def test_a_thief_that_asks_ahead_is_granted_when_tasks_wait_for_anyone():
    coordinator = Coordinator()
    coordinator.on_request("thief", idle=False)
    assert coordinator.on_announcement("a", 0, overdue=4) == []
    assert coordinator.on_announcement("a", 1) == [Match("thief", "a")]


def test_a_thief_that_asked_ahead_and_became_idle_may_have_an_overdue_task():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=1)
    assert coordinator.on_request("thief", idle=False) == []
    assert coordinator.on_request("thief") == [Match("thief", "a")]


def test_a_thief_that_was_idle_and_asks_ahead_has_no_overdue_task_any_more():
    coordinator = Coordinator()
    coordinator.on_request("thief")
    coordinator.on_request("thief", idle=False)
    assert coordinator.on_announcement("a", 0, overdue=1) == []


def test_a_thief_that_became_idle_keeps_its_place():
    coordinator = Coordinator()
    coordinator.on_request("first", idle=False)
    coordinator.on_request("second")
    coordinator.on_request("first")
    assert coordinator.on_announcement("a", 0, overdue=2) == [Match("first", "a"), Match("second", "a")]


def test_an_owner_with_nothing_but_overdue_tasks_keeps_its_request():
    coordinator = Coordinator()
    coordinator.on_request("a")
    coordinator.on_announcement("a", 0, overdue=2)
    assert coordinator.on_announcement("b", 1) == [Match("a", "b")]


def test_overdue_tasks_where_nothing_was_to_be_had_are_not_granted_again_until_announced():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=4)
    assert victims(coordinator, 1) == ["a"]
    assert coordinator.on_request("thief", missed="a") == []
    assert coordinator.on_announcement("a", 0, overdue=3) == [Match("thief", "a")]


def test_tasks_are_for_nodes_that_are_near_though_they_are_not_idle():
    coordinator = Coordinator()
    coordinator.on_request("far", idle=False)
    coordinator.on_request("near", idle=False)
    assert coordinator.on_announcement("a", 0, overdue=3, near={"near": 1}) == [Match("near", "a")]
    assert coordinator.on_request("near", idle=False) == []
    assert parked(coordinator) == ["far", "near"]


def test_what_a_near_node_is_granted_leaves_the_overdue_ones_to_the_others():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=1, near={"near": 1})
    assert coordinator.on_request("near", idle=False) == [Match("near", "a")]
    assert coordinator.on_request("other") == [Match("other", "a")]
    assert coordinator.on_request("another") == []


def test_a_near_node_that_is_idle_is_granted_what_is_near_before_what_is_overdue():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=1, near={"near": 1})
    assert [len(coordinator.on_request("near")) for _ in range(3)] == [1, 1, 0]
    coordinator.on_announcement("a", 0, overdue=1, near={"near": 1})
    assert [len(coordinator.on_request("near", idle=idle)) for idle in (True, False)] == [1, 0]


def test_a_near_node_takes_what_waits_for_anyone_as_well():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 1, overdue=2, near={"near": 1})
    assert [len(coordinator.on_request("near", idle=False)) for _ in range(3)] == [1, 1, 0]


def test_nodes_that_are_no_longer_near_are_forgotten_with_the_next_announcement():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 0, overdue=2, near={"thief": 2})
    coordinator.on_announcement("a", 0, overdue=2)
    assert coordinator.on_request("thief", idle=False) == []
