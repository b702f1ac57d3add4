from __future__ import annotations

import pytest

from edge.frames.other_nodes import MAX_OTHER_NODES, OtherNodes
from shared.engine.lanes import MAX_LANES


def test_nodes_are_counted_while_they_are_online():
    others = OtherNodes("me")
    assert not others
    others.on_found("a")
    others.on_found("a")
    others.on_found("b")
    assert len(others) == 2
    others.on_lost("a")
    others.on_lost("never here")
    assert len(others) == 1


def test_names_without_end_are_not_remembered():
    others = OtherNodes("me")
    for number in range(2 * MAX_OTHER_NODES):
        others.on_found(f"invented-{number}")
    assert len(others) == MAX_OTHER_NODES


def test_this_node_is_no_helper_of_its_own():
    others = OtherNodes("me")
    assert not others.on_helpers({"me": 0.1}, {})
    assert others.helpers == {}
    assert others.on_helpers({"me": 0.1, "a": 0.2}, {})
    assert others.helpers == {"a": 0.2}


def test_only_the_first_helpers_after_none_are_news():
    others = OtherNodes("me")
    assert [others.on_helpers(seconds, {}) for seconds in ({"a": 0.0}, {"a": 0.1, "b": 0.2}, {}, {"b": 0.2})] == [
        True, False, False, True
    ]  # fmt: skip


def test_a_node_that_is_lost_is_no_helper():
    others = OtherNodes("me")
    others.on_helpers({"a": 0.1, "b": 0.2}, {})
    others.on_lost("a")
    assert others.helpers == {"b": 0.2}


def test_lanes_of_online_nodes_are_remembered_while_they_are_busy_until_they_change_or_leave():
    others = OtherNodes("me")
    others.on_found("a")
    others.on_helpers({"a": 0.1, "never found": 0.1}, {"a": 4, "never found": 4})
    others.on_helpers({}, {})
    assert (others.lanes_of("a"), others.lanes_of("never found")) == (4, 1)
    others.on_helpers({"a": 0.1}, {})
    assert others.lanes_of("a") == 1
    others.on_helpers({"a": 0.1}, {"a": 2})
    others.on_lost("a")
    assert others.lanes_of("a") == 1


@pytest.mark.parametrize(("said", "counted"), [(0, 1), (10**9, MAX_LANES)])
def test_lanes_that_cannot_be_are_not_believed(said, counted):
    others = OtherNodes("me")
    others.on_found("a")
    others.on_helpers({"a": 0.1}, {"a": said})
    assert others.lanes_of("a") == counted


def test_the_lanes_of_all_nodes_that_have_been_idle_are_counted():
    others = OtherNodes("me")
    assert others.lanes == 0
    for node in ("a", "b", "slow"):
        others.on_found(node)
    others.on_helpers({"a": 1.0, "b": 1.0, "me": 1.0, "unknown": 1.0}, {"b": 4})
    assert others.lanes == 5, "of a and b; nothing is known of the others"
    others.on_helpers({}, {})
    assert others.lanes == 5, "they are busy, perhaps with our frames"
    others.on_lost("b")
    assert others.lanes == 1
