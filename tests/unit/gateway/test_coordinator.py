from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.coordinator import Coordinator, Match


def with_tasks(**waiting):
    """A coordinator that was told of these tasks, in this order."""
    coordinator = Coordinator()
    for owner, count in waiting.items():
        assert coordinator.announce(owner, count) == []
    return coordinator


def victims(coordinator, count, thief="thief"):
    """Whom a thief is sent to, asking again and again; None where it is parked."""
    found = []
    for _ in range(count):
        matches = coordinator.request(thief)
        found.append(matches[0].victim if matches else None)
    return found


def test_a_thief_is_sent_to_an_owner_with_tasks():
    assert with_tasks(a=2).request("thief") == [Match("thief", "a")]


def test_an_owner_is_granted_as_often_as_it_has_tasks():
    assert victims(with_tasks(a=2), 3) == ["a", "a", None]


def test_owners_take_turns():
    assert victims(with_tasks(a=3, b=3, c=3), 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_owners_take_turns_whoever_steals():
    coordinator = with_tasks(a=3, b=3)
    assert [coordinator.request(thief)[0].victim for thief in ("x", "y", "x", "z")] == ["a", "b", "a", "b"]


def test_an_owner_without_tasks_is_passed_over():
    assert victims(with_tasks(a=2, b=0, c=2), 4) == ["a", "c", "a", "c"]


def test_an_owner_that_announces_again_does_not_jump_its_turn():
    coordinator = with_tasks(a=3, b=3)
    assert victims(coordinator, 1) == ["a"]
    coordinator.announce("a", 9)
    assert victims(coordinator, 1) == ["b"]


def test_an_owner_does_not_wait_for_others_that_came_later():
    coordinator = with_tasks(a=2)
    victims(coordinator, 1)
    coordinator.announce("b", 1)
    assert set(victims(coordinator, 2)) == {"a", "b"}


def test_a_request_without_work_waits_until_work_is_announced():
    coordinator = Coordinator()
    assert coordinator.request("thief") == []
    assert list(coordinator.parked) == ["thief"]
    assert coordinator.announce("a", 1) == [Match("thief", "a")]
    assert list(coordinator.parked) == []


def test_requests_are_granted_in_the_order_in_which_they_came():
    coordinator = Coordinator()
    for thief in ("first", "second", "third"):
        coordinator.request(thief)
    assert coordinator.announce("a", 2) == [Match("first", "a"), Match("second", "a")]
    assert coordinator.parked == ("third",)


def test_a_repeated_request_is_one_request_and_keeps_its_place():
    coordinator = Coordinator()
    for thief in ("first", "second", "first"):
        coordinator.request(thief)
    assert coordinator.announce("a", 9) == [Match("first", "a"), Match("second", "a")]


def test_one_announcement_serves_all_who_wait():
    coordinator = Coordinator()
    coordinator.request("x")
    coordinator.request("y")
    assert coordinator.announce("a", 5) == [Match("x", "a"), Match("y", "a")]
    assert victims(coordinator, 4) == ["a", "a", "a", None]


def test_an_owner_with_tasks_of_its_own_waits_for_none():
    coordinator = Coordinator()
    coordinator.request("a")
    assert coordinator.announce("a", 3) == []
    assert coordinator.parked == ()


def test_an_owner_that_announces_an_empty_queue_keeps_its_request():
    coordinator = Coordinator()
    coordinator.request("a")
    coordinator.announce("a", 0)
    assert coordinator.announce("b", 1) == [Match("a", "b")]


def test_a_thief_is_never_sent_to_itself():
    coordinator = with_tasks(a=5)
    assert coordinator.request("a") == []
    assert coordinator.announce("b", 1) == [Match("a", "b")]


def test_a_victim_where_nothing_was_left_is_not_granted_again():
    coordinator = with_tasks(a=5)
    assert victims(coordinator, 1) == ["a"]
    assert coordinator.request("thief", missed="a") == []
    assert coordinator.request("other") == []


def test_a_missed_victim_is_granted_again_when_it_announces():
    coordinator = with_tasks(a=5)
    coordinator.request("thief", missed="a")
    assert coordinator.announce("a", 1) == [Match("thief", "a")]


def test_a_missed_victim_leaves_the_others_their_turns():
    coordinator = with_tasks(a=5, b=5)
    victims(coordinator, 1)
    assert coordinator.request("thief", missed="a") == [Match("thief", "b")]
    assert victims(coordinator, 2) == ["b", "b"]


def test_a_missed_victim_that_nobody_knows_changes_nothing():
    coordinator = with_tasks(a=1)
    assert coordinator.request("thief", missed="gone") == [Match("thief", "a")]
    assert victims(coordinator, 1) == [None]


def test_a_lost_owner_is_granted_no_more():
    coordinator = with_tasks(a=5, b=1)
    coordinator.node_lost("a")
    assert victims(coordinator, 2) == ["b", None]


def test_the_request_of_a_lost_node_is_forgotten():
    coordinator = Coordinator()
    coordinator.request("lost")
    coordinator.node_lost("lost")
    assert coordinator.announce("a", 1) == []


def test_a_node_that_was_never_heard_of_may_be_lost():
    coordinator = with_tasks(a=1)
    coordinator.node_lost("stranger")
    assert victims(coordinator, 1) == ["a"]


def test_a_node_that_comes_back_is_an_owner_again():
    coordinator = with_tasks(a=1)
    coordinator.node_lost("a")
    coordinator.announce("a", 1)
    assert victims(coordinator, 1) == ["a"]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(1, 40))
def test_no_owner_is_served_a_second_time_before_all_others_that_have_tasks(counts, requests):
    coordinator = with_tasks(**{f"owner-{number}": count for number, count in enumerate(counts)})
    served = Counter(victims(coordinator, requests))
    served.pop(None, None)
    assert sum(served.values()) == min(requests, sum(counts))
    for number, count in enumerate(counts):
        own = served[f"owner-{number}"]
        assert own <= count
        if own < count:
            assert all(other <= own + 1 for other in served.values())


names = st.sampled_from(["a", "b", "c", "d"])


class Matching(RuleBasedStateMachine):
    """Any order of announcements, requests and losses."""

    def __init__(self):
        super().__init__()
        self.coordinator = Coordinator()
        self.waiting: Counter[str] = Counter()
        self.idle = set()

    def check(self, matches):
        for match in matches:
            assert match.thief != match.victim
            assert match.thief in self.idle
            assert self.waiting[match.victim] > 0
            self.idle.remove(match.thief)
            self.waiting[match.victim] -= 1

    @rule(owner=names, count=st.integers(0, 4))
    def announce(self, owner, count):
        self.waiting[owner] = count
        if count:
            self.idle.discard(owner)
        self.check(self.coordinator.announce(owner, count))

    @rule(thief=names, missed=st.none() | names)
    def request(self, thief, missed):
        if missed:
            self.waiting[missed] = 0
        self.idle.add(thief)
        self.check(self.coordinator.request(thief, missed))

    @rule(node=names)
    def lose(self, node):
        del self.waiting[node]
        self.idle.discard(node)
        self.coordinator.node_lost(node)

    @invariant()
    def nobody_waits_while_another_has_tasks(self):
        assert set(self.coordinator.parked) == self.idle
        for thief in self.idle:
            assert not any(count for owner, count in self.waiting.items() if owner != thief)


Matching.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestMatching = Matching.TestCase


def test_a_lost_owner_takes_nobodys_turn_with_it():
    coordinator = Coordinator()
    for owner in ("a", "b", "c"):
        coordinator.announce(owner, 5)
    assert coordinator.request("x") == [Match("x", "a")]
    coordinator.node_lost("a")
    assert coordinator.request("y") == [Match("y", "b")]
    assert coordinator.request("z") == [Match("z", "c")]
