from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.cluster.share_queue import TileShare
from tests.extent import examples
from tests.unit.gateway.cluster.share_queues import LEASE_S, fill, places, queue_of

# one stage: each tile goes to the next node in turn


def test_a_tile_is_shared_as_soon_as_it_is_here():
    assert queue_of(9).add_tile("f", 4, "pixels", ["a", "b"], 0.0) == [TileShare("pixels", "a", 0, ())]


def test_nodes_take_turns():
    shares = fill(queue_of(5), "f", 5, ["a", "b", "c"])
    assert [share.node for share in shares] == ["a", "b", "c", "a", "b"]


def test_nodes_take_turns_over_the_frames():
    queue = queue_of(4)
    nodes = ["a", "b", "c"]
    shares = fill(queue, "f", 4, nodes) + fill(queue, "g", 4, nodes) + fill(queue, "h", 4, nodes)
    assert Counter(share.node for share in shares) == {"a": 4, "b": 4, "c": 4}
    assert [share.node for share in shares[4:8]] == ["b", "c", "a", "b"]


def test_a_tile_that_comes_twice_is_shared_once():
    queue = queue_of(2)
    assert len(queue.add_tile("f", 0, "first", ["a"], 0.0)) == 1
    assert queue.add_tile("f", 0, "second", ["a"], 0.0) == []


def test_frames_beyond_the_capacity_are_not_shared_until_one_is_finished():
    queue = queue_of(1, capacity=2)
    for frame in ("f", "g"):
        assert fill(queue, frame, 1, ["a"])
    assert fill(queue, "h", 1, ["a"]) == []
    queue.drop_frame("f")
    assert fill(queue, "h", 1, ["a"])


def test_further_tiles_of_a_frame_need_no_further_room():
    queue = queue_of(3, capacity=1)
    assert len(fill(queue, "f", 3, ["a"])) == 3


def test_tiles_that_came_before_any_node_are_shared_when_there_is_one():
    queue = queue_of(3)
    assert fill(queue, "f", 3, []) == []
    assert queue.reassign_expired([], 1.0) == []
    shares = queue.reassign_expired(["a", "b"], 2.0)
    assert places(shares) == {"f-0": "a", "f-1": "b", "f-2": "a"}
    assert queue.reassign_expired(["a", "b"], 3.0) == []


def test_tiles_that_came_before_any_node_go_along_with_the_next_one_that_comes():
    queue = queue_of(3)
    queue.add_tile("f", 0, "f-0", [], 0.0)
    assert places(queue.add_tile("f", 1, "f-1", ["a", "b"], 1.0)) == {"f-0": "a", "f-1": "b"}


def test_what_a_lost_node_had_goes_to_those_that_are_left():
    queue = queue_of(6)
    fill(queue, "f", 6, ["a", "b", "c"])
    shares = queue.reassign_node("b", ["a", "c"], 1.0)
    assert set(places(shares)) == {"f-1", "f-4"}
    assert {share.node for share in shares} == {"a", "c"}
    assert queue.reassign_node("b", ["a", "c"], 1.0) == []


def test_what_a_lost_node_has_finished_is_not_shared_again():
    queue = queue_of(6)
    fill(queue, "f", 6, ["a", "b", "c"])
    queue.tile_done("f", 1)
    assert set(places(queue.reassign_node("b", ["a", "c"], 1.0))) == {"f-4"}


def test_a_node_that_had_nothing_is_lost_without_consequence():
    queue = queue_of(2)
    fill(queue, "f", 2, ["a", "b"])
    assert queue.reassign_node("stranger", ["a", "b"], 1.0) == []


def test_what_the_last_node_had_waits_for_the_next_one():
    queue = queue_of(2)
    fill(queue, "f", 2, ["a"])
    assert queue.reassign_node("a", [], 1.0) == []
    assert places(queue.reassign_expired(["b"], 2.0)) == {"f-0": "b", "f-1": "b"}


def test_a_share_that_is_late_is_given_out_again():
    queue = queue_of(2)
    fill(queue, "f", 2, ["a", "b"], now=10.0)
    queue.tile_done("f", 0)
    assert queue.reassign_expired(["a", "b"], 10.0 + LEASE_S - 0.1) == []
    (share,) = queue.reassign_expired(["a", "b"], 10.0 + LEASE_S)
    assert (share.tile, share.attempt) == ("f-1", 1)
    assert queue.reassign_expired(["a", "b"], 10.0 + LEASE_S) == []
    assert len(queue.reassign_expired(["a", "b"], 10.0 + 2 * LEASE_S)) == 1


def test_a_share_that_is_late_goes_to_a_node_that_is_not():
    queue = queue_of(4)
    fill(queue, "f", 4, ["a", "b"])
    queue.tile_done("f", 0)
    queue.tile_done("f", 2)
    assert places(queue.reassign_expired(["a", "b"], LEASE_S)) == {"f-1": "a", "f-3": "a"}


def test_shares_that_are_late_everywhere_go_to_all_nodes_again():
    queue = queue_of(2)
    fill(queue, "f", 2, ["a", "b"])
    assert sorted(places(queue.reassign_expired(["a", "b"], LEASE_S)).values()) == ["a", "b"]


def test_a_late_share_that_nobody_can_take_waits_for_a_node():
    queue = queue_of(1)
    fill(queue, "f", 1, ["a"])
    assert queue.reassign_expired([], LEASE_S) == []
    assert places(queue.reassign_expired(["b"], LEASE_S + 1)) == {"f-0": "b"}


def test_the_lease_counts_from_the_last_share():
    queue = queue_of(2)
    queue.add_tile("f", 0, "f-0", ["a"], 0.0)
    queue.add_tile("f", 1, "f-1", ["a"], 3.0)
    assert queue.reassign_expired(["a"], 3.0 + LEASE_S - 0.1) == []
    assert len(queue.reassign_expired(["a"], 3.0 + LEASE_S)) == 2


@pytest.mark.parametrize("together", [False, True])
def test_a_dropped_frame_is_shared_no_more(together):
    queue = queue_of(2, together=together)
    fill(queue, "f", 2, ["a", "b"])
    queue.drop_frame("f")
    queue.tile_done("f", 0)
    assert queue.reassign_node("a", ["b"], 1.0) == queue.reassign_expired(["b"], 100.0) == []


@pytest.mark.parametrize("together", [False, True])
def test_a_frame_whose_tiles_are_all_done_is_not_shared_again_while_it_is_being_finished(together):
    queue = queue_of(2, together=together)
    fill(queue, "f", 2, ["a", "b"])
    queue.tile_done("f", 0)
    queue.tile_done("f", 1)
    assert queue.reassign_node("a", ["b"], 1.0) == []
    assert queue.reassign_expired(["b"], LEASE_S) == []


def test_each_time_is_another_attempt_of_the_frame_and_of_no_other():
    queue = queue_of(2)
    fill(queue, "f", 2, ["a", "b"])
    fill(queue, "g", 2, ["b"])
    assert [share.attempt for share in queue.reassign_node("a", ["b"], 1.0)] == [1]
    assert [share.attempt for share in queue.reassign_node("b", ["c"], 1.0)] == [2, 2, 1, 1]


# several stages: all tiles of a frame together, as their workers must know each other


def test_with_several_stages_nothing_is_shared_before_all_tiles_are_here():
    queue = queue_of(3, together=True)
    nodes = ["a", "b", "c"]
    assert queue.add_tile("f", 2, "f-2", nodes, 0.0) == queue.add_tile("f", 0, "f-0", nodes, 0.0) == []
    shares = queue.add_tile("f", 1, "f-1", nodes, 0.0)
    assert places(shares) == {"f-0": "a", "f-1": "b", "f-2": "c"}
    assert {share.workers for share in shares} == {("a", "b", "c")}


def test_with_several_stages_every_frame_is_given_out_in_the_order_of_the_nodes():
    queue = queue_of(2, together=True)
    for frame in ("f", "g"):
        assert places(fill(queue, frame, 2, ["a", "b", "c"])) == {f"{frame}-0": "a", f"{frame}-1": "b"}


def test_with_fewer_nodes_than_tiles_some_compute_several():
    shares = fill(queue_of(3, together=True), "f", 3, ["a", "b"])
    assert {share.workers for share in shares} == {("a", "b", "a")}


def test_with_several_stages_an_incomplete_frame_is_never_late():
    queue = queue_of(2, together=True)
    queue.add_tile("f", 0, "f-0", ["a"], 0.0)
    assert queue.reassign_expired(["a"], 100.0) == queue.reassign_node("a", ["b"], 100.0) == []
    assert len(queue.add_tile("f", 1, "f-1", ["b"], 100.0)) == 2


def test_with_several_stages_all_begin_anew_when_one_is_lost():
    queue = queue_of(3, together=True)
    fill(queue, "f", 3, ["a", "b", "c"])
    shares = queue.reassign_node("b", ["a", "c"], 1.0)
    assert places(shares) == {"f-0": "a", "f-1": "c", "f-2": "a"}
    assert {(share.attempt, share.workers) for share in shares} == {(1, ("a", "c", "a"))}


def test_with_several_stages_whose_last_tile_is_done_is_needed_no_more():
    queue = queue_of(2, together=True)
    fill(queue, "f", 2, ["a", "b"])
    queue.tile_done("f", 1)
    assert queue.reassign_node("b", ["a"], 1.0) == []


def test_with_several_stages_a_tile_that_is_done_helps_the_others_again():
    """Its result is here, but what it hands on at the borders of the stages is not."""
    queue = queue_of(2, together=True)
    fill(queue, "f", 2, ["a", "b"])
    queue.tile_done("f", 1)
    assert set(places(queue.reassign_node("a", ["b", "c"], 1.0))) == {"f-0", "f-1"}


def test_with_several_stages_and_no_node_all_tiles_wait_for_one():
    queue = queue_of(2, together=True)
    assert fill(queue, "f", 2, []) == []
    shares = queue.reassign_expired(["a", "b"], 1.0)
    assert {share.workers for share in shares} == {("a", "b")}
    assert queue.reassign_node("a", [], 2.0) == []
    assert {share.workers for share in queue.reassign_expired(["c"], 3.0)} == {("c", "c")}


def test_with_several_stages_a_late_frame_begins_anew():
    queue = queue_of(2, together=True)
    fill(queue, "f", 2, ["a", "b"])
    queue.tile_done("f", 0)
    shares = queue.reassign_expired(["a", "b"], LEASE_S)
    assert {(share.tile, share.node, share.attempt) for share in shares} == {("f-0", "a", 1), ("f-1", "b", 1)}


FRAMES = ["f", "g", "h"]
TILES = 4


class ShareQueues(RuleBasedStateMachine):
    """Any order of tiles, results, losses and arrivals of nodes, and time."""

    together = False

    def __init__(self):
        super().__init__()
        self.queue = queue_of(TILES, capacity=2, together=self.together)
        self.now = 0.0
        self.present = ["a", "b"]
        self.here = {}
        self.done = {}
        self.holders = {}
        self.attempts = Counter()

    def follow(self, shares, *, capacity_known=True):
        assert capacity_known
        for share in shares:
            frame, index = share.tile
            assert share.node in self.present
            assert index in self.here[frame]
            if self.together:
                assert len(self.here[frame]) == len(share.workers) == TILES
                assert share.workers[index] == share.node
            else:
                assert share.workers == ()
                assert index not in self.done[frame]
            assert share.attempt >= self.attempts[frame]
            self.attempts[frame] = share.attempt
            self.holders[frame, index] = share.node

    @rule(frame=st.sampled_from(FRAMES), index=st.integers(0, TILES - 1))
    def a_tile_arrives(self, frame, index):
        known = frame in self.here or len(self.here) < 2
        if known:
            self.done.setdefault(frame, set())
            self.here.setdefault(frame, set()).add(index)
        shares = self.queue.add_tile(frame, index, (frame, index), self.present, self.now)
        assert known or not shares
        self.follow(shares)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def a_result_arrives(self, data):
        frame, index = data.draw(st.sampled_from(sorted(self.holders)))
        self.queue.tile_done(frame, index)
        self.done[frame].add(index)

    @rule(node=st.sampled_from("abcd"))
    def a_node_comes(self, node):
        if node not in self.present:
            self.present = sorted([*self.present, node])

    @rule(node=st.sampled_from("abcd"))
    def a_node_is_lost(self, node):
        self.present = [other for other in self.present if other != node]
        self.follow(self.queue.reassign_node(node, self.present, self.now))

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds):
        self.now += seconds
        self.follow(self.queue.reassign_expired(self.present, self.now))

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def a_frame_is_finished(self, data):
        frame = data.draw(st.sampled_from(sorted(self.here)))
        self.queue.drop_frame(frame)
        del self.here[frame], self.done[frame], self.attempts[frame]
        self.holders = {place: node for place, node in self.holders.items() if place[0] != frame}

    @precondition(lambda self: self.present)
    @invariant()
    def whoever_holds_what_is_not_done_is_there(self):
        """After a look at what could not be given out before, as the gateway takes it now and then."""
        self.follow(self.queue.reassign_expired(self.present, self.now))
        for frame, tiles in self.here.items():
            if self.together and (len(tiles) < TILES or self.done[frame] == tiles):
                continue
            for index in tiles - self.done[frame]:
                assert self.holders[frame, index] in self.present


class ShareQueuesTogether(ShareQueues):
    together = True


for machine in (ShareQueues, ShareQueuesTogether):
    machine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestShareQueues = ShareQueues.TestCase
TestShareQueuesTogether = ShareQueuesTogether.TestCase
