from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.cluster.coordinator import Coordinator, Match
from gateway.cluster.victims import VICTIM_POLICIES, longest_queue
from tests.extent import examples
from tests.unit.gateway.cluster.coordinators import parked, victims, with_tasks


def test_a_thief_is_sent_to_an_owner_with_tasks():
    assert with_tasks(a=2).on_request("thief") == [Match("thief", "a")]


def test_an_owner_is_granted_as_often_as_it_has_tasks():
    assert victims(with_tasks(a=2), 3) == ["a", "a", None]


def test_owners_take_turns():
    assert victims(with_tasks(a=3, b=3, c=3), 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_owners_take_turns_whoever_steals():
    coordinator = with_tasks(a=3, b=3)
    assert [coordinator.on_request(thief)[0].victim for thief in ("x", "y", "x", "z")] == ["a", "b", "a", "b"]


def test_an_owner_without_tasks_is_passed_over():
    assert victims(with_tasks(a=2, b=0, c=2), 4) == ["a", "c", "a", "c"]


def test_an_owner_that_announces_again_does_not_jump_its_turn():
    coordinator = with_tasks(a=3, b=3)
    assert victims(coordinator, 1) == ["a"]
    coordinator.on_announcement("a", 9)
    assert victims(coordinator, 1) == ["b"]


def test_an_owner_does_not_wait_for_others_that_came_later():
    coordinator = with_tasks(a=2)
    victims(coordinator, 1)
    coordinator.on_announcement("b", 1)
    assert set(victims(coordinator, 2)) == {"a", "b"}


def test_a_request_without_work_waits_until_work_is_announced():
    coordinator = Coordinator()
    assert coordinator.on_request("thief") == []
    assert parked(coordinator) == ["thief"]
    assert coordinator.on_announcement("a", 1) == [Match("thief", "a")]
    assert parked(coordinator) == []


def test_requests_are_granted_in_the_order_in_which_they_came():
    coordinator = Coordinator()
    for thief in ("first", "second", "third"):
        coordinator.on_request(thief)
    assert coordinator.on_announcement("a", 2) == [Match("first", "a"), Match("second", "a")]
    assert parked(coordinator) == ["third"]


def test_a_repeated_request_is_one_request_and_keeps_its_place():
    coordinator = Coordinator()
    for thief in ("first", "second", "first"):
        coordinator.on_request(thief)
    assert coordinator.on_announcement("a", 9) == [Match("first", "a"), Match("second", "a")]


def test_one_announcement_serves_all_who_wait():
    coordinator = Coordinator()
    coordinator.on_request("x")
    coordinator.on_request("y")
    assert coordinator.on_announcement("a", 5) == [Match("x", "a"), Match("y", "a")]
    assert victims(coordinator, 4) == ["a", "a", "a", None]


def test_an_owner_with_tasks_of_its_own_waits_for_none():
    coordinator = Coordinator()
    coordinator.on_request("a")
    assert coordinator.on_announcement("a", 3) == []
    assert parked(coordinator) == []


def test_an_owner_that_announces_an_empty_queue_keeps_its_request():
    coordinator = Coordinator()
    coordinator.on_request("a")
    coordinator.on_announcement("a", 0)
    assert coordinator.on_announcement("b", 1) == [Match("a", "b")]


def test_a_thief_is_never_sent_to_itself():
    coordinator = with_tasks(a=5)
    assert coordinator.on_request("a") == []
    assert coordinator.on_announcement("b", 1) == [Match("a", "b")]


def test_a_victim_where_nothing_was_left_is_not_granted_again():
    coordinator = with_tasks(a=5)
    assert victims(coordinator, 1) == ["a"]
    assert coordinator.on_request("thief", missed="a") == []
    assert coordinator.on_request("other") == []


def test_a_missed_victim_is_granted_again_when_it_announces():
    coordinator = with_tasks(a=5)
    coordinator.on_request("thief", missed="a")
    assert coordinator.on_announcement("a", 1) == [Match("thief", "a")]


def test_a_missed_victim_leaves_the_others_their_turns():
    coordinator = with_tasks(a=5, b=5)
    victims(coordinator, 1)
    assert coordinator.on_request("thief", missed="a") == [Match("thief", "b")]
    assert victims(coordinator, 2) == ["b", "b"]


def test_a_missed_victim_that_nobody_knows_changes_nothing():
    coordinator = with_tasks(a=1)
    assert coordinator.on_request("thief", missed="gone") == [Match("thief", "a")]
    assert victims(coordinator, 1) == [None]


def test_a_lost_owner_is_granted_no_more():
    coordinator = with_tasks(a=5, b=1)
    coordinator.forget_node("a")
    assert victims(coordinator, 2) == ["b", None]


def test_the_request_of_a_lost_node_is_forgotten():
    coordinator = Coordinator()
    coordinator.on_request("lost")
    coordinator.forget_node("lost")
    assert coordinator.on_announcement("a", 1) == []


def test_a_node_that_was_never_heard_of_may_be_lost():
    coordinator = with_tasks(a=1)
    coordinator.forget_node("stranger")
    assert victims(coordinator, 1) == ["a"]


def test_a_node_that_comes_back_is_an_owner_again():
    coordinator = with_tasks(a=1)
    coordinator.forget_node("a")
    coordinator.on_announcement("a", 1)
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


def test_a_lost_owner_takes_nobodys_turn_with_it():
    coordinator = Coordinator()
    for owner in ("a", "b", "c"):
        coordinator.on_announcement(owner, 5)
    assert coordinator.on_request("x") == [Match("x", "a")]
    coordinator.forget_node("a")
    assert coordinator.on_request("y") == [Match("y", "b")]
    assert coordinator.on_request("z") == [Match("z", "c")]


def test_with_the_longest_queue_first_the_owner_with_the_most_tasks_is_granted():
    coordinator = Coordinator(longest_queue)
    for owner, count in (("a", 1), ("b", 4), ("c", 2)):
        coordinator.on_announcement(owner, count)
    assert victims(coordinator, 8) == ["b", "b", "c", "b", "a", "c", "b", None]


def test_with_the_longest_queue_first_owners_with_as_many_tasks_take_turns():
    coordinator = Coordinator(longest_queue)
    for owner in ("a", "b"):
        coordinator.on_announcement(owner, 2)
    assert victims(coordinator, 4) == ["a", "b", "a", "b"]


def test_with_the_longest_queue_first_overdue_tasks_still_go_last():
    coordinator = Coordinator(longest_queue)
    coordinator.on_announcement("a", 0, overdue=9)
    coordinator.on_announcement("b", 1)
    assert victims(coordinator, 2) == ["b", "a"]


names = st.sampled_from(["a", "b", "c", "d"])
few = st.integers(0, 4)


class Matching(RuleBasedStateMachine):
    """Any order of announcements, requests and losses, under either policy."""

    @initialize(policy=st.sampled_from(list(VICTIM_POLICIES.values())))
    def begin(self, policy):
        self.coordinator = Coordinator(policy)
        self.queues = {}
        self.asking = {}

    def open_to(self, owner, thief):
        """Tasks that this thief may have even when it is not idle, and those that it may have when it is."""
        waiting, overdue, near = self.queues.get(owner, (0, 0, {}))
        free = waiting + near.get(thief, 0)
        return free, free or overdue

    def check(self, matches):
        for thief, victim in ((match.thief, match.victim) for match in matches):
            assert thief != victim
            free, idle = self.open_to(victim, thief)
            others = [self.open_to(owner, thief)[0] for owner in self.queues if owner != thief]
            assert free or (idle and self.asking[thief] and not any(others))
            del self.asking[thief]
            waiting, overdue, near = self.queues[victim]
            if waiting:
                self.queues[victim] = waiting - 1, overdue, near
            elif near.get(thief):
                self.queues[victim] = 0, overdue, {**near, thief: near[thief] - 1}
            else:
                self.queues[victim] = 0, overdue - 1, near
                assert overdue > 0

    @rule(owner=names, waiting=few, overdue=few, near=st.dictionaries(names, few))
    def announce(self, owner, waiting, overdue, near):
        self.queues[owner] = waiting, overdue, near
        if waiting + near.get(owner, 0):
            self.asking.pop(owner, None)
        self.check(self.coordinator.on_announcement(owner, waiting, overdue, near))

    @rule(thief=names, missed=st.none() | names, idle=st.booleans())
    def request(self, thief, missed, idle):
        if missed:
            self.queues.pop(missed, None)
        self.asking[thief] = idle
        self.check(self.coordinator.on_request(thief, missed, idle=idle))

    @rule(node=names)
    def lose(self, node):
        self.queues.pop(node, None)
        self.asking.pop(node, None)
        self.coordinator.forget_node(node)

    @invariant()
    def nobody_waits_while_another_has_tasks_for_it(self):
        assert set(parked(self.coordinator)) == set(self.asking)
        for thief, idle in self.asking.items():
            assert not any(self.open_to(owner, thief)[idle] for owner in self.queues if owner != thief)


Matching.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestMatching = Matching.TestCase


def test_a_node_is_not_sent_for_tasks_that_it_failed_to_compute():
    coordinator = Coordinator()
    coordinator.on_announcement("a", 3, unfit={"x": 2})
    assert victims(coordinator, 2, "x") == ["a", None]
    assert victims(coordinator, 2, "y") == ["a", "a"]


def test_a_node_that_cannot_compute_its_own_tasks_may_ask_for_others():
    coordinator = Coordinator()
    coordinator.on_request("a")
    coordinator.on_announcement("a", 2, unfit={"a": 2})
    assert parked(coordinator) == ["a"]
    assert coordinator.on_announcement("b", 1) == [Match("a", "b")]


def test_a_node_that_fails_all_of_a_victim_does_not_keep_others_from_it():
    coordinator = Coordinator()
    coordinator.on_request("x")
    coordinator.on_announcement("a", 2, unfit={"x": 2})
    assert [coordinator.on_request(thief) for thief in ("x", "y")] == [[], [Match("y", "a")]]


def test_who_may_not_work_any_more_waits_for_nothing():
    coordinator = Coordinator()
    coordinator.on_request("x")
    coordinator.withdraw_request("x")
    coordinator.withdraw_request("y")
    assert coordinator.on_announcement("a", 1) == []
