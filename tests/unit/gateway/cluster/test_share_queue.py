from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.cluster.share_queue import ShareQueue, TileShare
from tests.extent import examples

LEASE_S = 5.0


def sharing_of(tiles, *, capacity=8, together=False):
    return ShareQueue(tiles, LEASE_S, capacity, together=together)


def fill(sharing, frame, tiles, nodes, now=0.0):
    """All tiles of a frame arrive; what is shared out."""
    return [share for index in range(tiles) for share in sharing.add_tile(frame, index, f"{frame}-{index}", nodes, now)]


def places(shares):
    """Who computes which tile."""
    return {share.tile: share.node for share in shares}


# one stage: each tile goes to the next node in turn


def test_a_tile_is_shared_as_soon_as_it_is_here():
    assert sharing_of(9).add_tile("f", 4, "pixels", ["a", "b"], 0.0) == [TileShare("pixels", "a", 0, ())]


def test_nodes_take_turns():
    shares = fill(sharing_of(5), "f", 5, ["a", "b", "c"])
    assert [share.node for share in shares] == ["a", "b", "c", "a", "b"]


def test_nodes_take_turns_over_the_frames():
    sharing = sharing_of(4)
    nodes = ["a", "b", "c"]
    shares = fill(sharing, "f", 4, nodes) + fill(sharing, "g", 4, nodes) + fill(sharing, "h", 4, nodes)
    assert Counter(share.node for share in shares) == {"a": 4, "b": 4, "c": 4}
    assert [share.node for share in shares[4:8]] == ["b", "c", "a", "b"]


def test_a_tile_that_comes_twice_is_shared_once():
    sharing = sharing_of(2)
    assert len(sharing.add_tile("f", 0, "first", ["a"], 0.0)) == 1
    assert sharing.add_tile("f", 0, "second", ["a"], 0.0) == []


def test_frames_beyond_the_capacity_are_not_shared_until_one_is_finished():
    sharing = sharing_of(1, capacity=2)
    for frame in ("f", "g"):
        assert fill(sharing, frame, 1, ["a"])
    assert fill(sharing, "h", 1, ["a"]) == []
    sharing.drop_frame("f")
    assert fill(sharing, "h", 1, ["a"])


def test_further_tiles_of_a_frame_need_no_further_room():
    sharing = sharing_of(3, capacity=1)
    assert len(fill(sharing, "f", 3, ["a"])) == 3


def test_tiles_that_came_before_any_node_are_shared_when_there_is_one():
    sharing = sharing_of(3)
    assert fill(sharing, "f", 3, []) == []
    assert sharing.reassign_expired([], 1.0) == []
    shares = sharing.reassign_expired(["a", "b"], 2.0)
    assert places(shares) == {"f-0": "a", "f-1": "b", "f-2": "a"}
    assert sharing.reassign_expired(["a", "b"], 3.0) == []


def test_tiles_that_came_before_any_node_go_along_with_the_next_one_that_comes():
    sharing = sharing_of(3)
    sharing.add_tile("f", 0, "f-0", [], 0.0)
    assert places(sharing.add_tile("f", 1, "f-1", ["a", "b"], 1.0)) == {"f-0": "a", "f-1": "b"}


def test_what_a_lost_node_had_goes_to_those_that_are_left():
    sharing = sharing_of(6)
    fill(sharing, "f", 6, ["a", "b", "c"])
    shares = sharing.reassign_node("b", ["a", "c"], 1.0)
    assert set(places(shares)) == {"f-1", "f-4"}
    assert {share.node for share in shares} == {"a", "c"}
    assert sharing.reassign_node("b", ["a", "c"], 1.0) == []


def test_what_a_lost_node_has_finished_is_not_shared_again():
    sharing = sharing_of(6)
    fill(sharing, "f", 6, ["a", "b", "c"])
    sharing.tile_done("f", 1)
    assert set(places(sharing.reassign_node("b", ["a", "c"], 1.0))) == {"f-4"}


def test_a_node_that_had_nothing_is_lost_without_consequence():
    sharing = sharing_of(2)
    fill(sharing, "f", 2, ["a", "b"])
    assert sharing.reassign_node("stranger", ["a", "b"], 1.0) == []


def test_what_the_last_node_had_waits_for_the_next_one():
    sharing = sharing_of(2)
    fill(sharing, "f", 2, ["a"])
    assert sharing.reassign_node("a", [], 1.0) == []
    assert places(sharing.reassign_expired(["b"], 2.0)) == {"f-0": "b", "f-1": "b"}


def test_a_share_that_is_late_is_given_out_again():
    sharing = sharing_of(2)
    fill(sharing, "f", 2, ["a", "b"], now=10.0)
    sharing.tile_done("f", 0)
    assert sharing.reassign_expired(["a", "b"], 10.0 + LEASE_S - 0.1) == []
    (share,) = sharing.reassign_expired(["a", "b"], 10.0 + LEASE_S)
    assert (share.tile, share.attempt) == ("f-1", 1)
    assert sharing.reassign_expired(["a", "b"], 10.0 + LEASE_S) == []
    assert len(sharing.reassign_expired(["a", "b"], 10.0 + 2 * LEASE_S)) == 1


def test_a_share_that_is_late_goes_to_a_node_that_is_not():
    sharing = sharing_of(4)
    fill(sharing, "f", 4, ["a", "b"])
    sharing.tile_done("f", 0)
    sharing.tile_done("f", 2)
    assert places(sharing.reassign_expired(["a", "b"], LEASE_S)) == {"f-1": "a", "f-3": "a"}


def test_shares_that_are_late_everywhere_go_to_all_nodes_again():
    sharing = sharing_of(2)
    fill(sharing, "f", 2, ["a", "b"])
    assert sorted(places(sharing.reassign_expired(["a", "b"], LEASE_S)).values()) == ["a", "b"]


def test_a_late_share_that_nobody_can_take_waits_for_a_node():
    sharing = sharing_of(1)
    fill(sharing, "f", 1, ["a"])
    assert sharing.reassign_expired([], LEASE_S) == []
    assert places(sharing.reassign_expired(["b"], LEASE_S + 1)) == {"f-0": "b"}


def test_the_lease_counts_from_the_last_share():
    sharing = sharing_of(2)
    sharing.add_tile("f", 0, "f-0", ["a"], 0.0)
    sharing.add_tile("f", 1, "f-1", ["a"], 3.0)
    assert sharing.reassign_expired(["a"], 3.0 + LEASE_S - 0.1) == []
    assert len(sharing.reassign_expired(["a"], 3.0 + LEASE_S)) == 2


@pytest.mark.parametrize("together", [False, True])
def test_a_dropped_frame_is_shared_no_more(together):
    sharing = sharing_of(2, together=together)
    fill(sharing, "f", 2, ["a", "b"])
    sharing.drop_frame("f")
    sharing.tile_done("f", 0)
    assert sharing.reassign_node("a", ["b"], 1.0) == sharing.reassign_expired(["b"], 100.0) == []


@pytest.mark.parametrize("together", [False, True])
def test_a_frame_whose_tiles_are_all_done_is_not_shared_again_while_it_is_being_finished(together):
    sharing = sharing_of(2, together=together)
    fill(sharing, "f", 2, ["a", "b"])
    sharing.tile_done("f", 0)
    sharing.tile_done("f", 1)
    assert sharing.reassign_node("a", ["b"], 1.0) == []
    assert sharing.reassign_expired(["b"], LEASE_S) == []


def test_each_time_is_another_attempt_of_the_frame_and_of_no_other():
    sharing = sharing_of(2)
    fill(sharing, "f", 2, ["a", "b"])
    fill(sharing, "g", 2, ["b"])
    assert [share.attempt for share in sharing.reassign_node("a", ["b"], 1.0)] == [1]
    assert [share.attempt for share in sharing.reassign_node("b", ["c"], 1.0)] == [2, 2, 1, 1]


# several stages: all tiles of a frame together, as their workers must know each other


def test_with_several_stages_nothing_is_shared_before_all_tiles_are_here():
    sharing = sharing_of(3, together=True)
    nodes = ["a", "b", "c"]
    assert sharing.add_tile("f", 2, "f-2", nodes, 0.0) == sharing.add_tile("f", 0, "f-0", nodes, 0.0) == []
    shares = sharing.add_tile("f", 1, "f-1", nodes, 0.0)
    assert places(shares) == {"f-0": "a", "f-1": "b", "f-2": "c"}
    assert {share.workers for share in shares} == {("a", "b", "c")}


def test_with_several_stages_every_frame_is_given_out_in_the_order_of_the_nodes():
    sharing = sharing_of(2, together=True)
    for frame in ("f", "g"):
        assert places(fill(sharing, frame, 2, ["a", "b", "c"])) == {f"{frame}-0": "a", f"{frame}-1": "b"}


def test_with_fewer_nodes_than_tiles_some_compute_several():
    shares = fill(sharing_of(3, together=True), "f", 3, ["a", "b"])
    assert {share.workers for share in shares} == {("a", "b", "a")}


def test_with_several_stages_an_incomplete_frame_is_never_late():
    sharing = sharing_of(2, together=True)
    sharing.add_tile("f", 0, "f-0", ["a"], 0.0)
    assert sharing.reassign_expired(["a"], 100.0) == sharing.reassign_node("a", ["b"], 100.0) == []
    assert len(sharing.add_tile("f", 1, "f-1", ["b"], 100.0)) == 2


def test_with_several_stages_all_begin_anew_when_one_is_lost():
    sharing = sharing_of(3, together=True)
    fill(sharing, "f", 3, ["a", "b", "c"])
    shares = sharing.reassign_node("b", ["a", "c"], 1.0)
    assert places(shares) == {"f-0": "a", "f-1": "c", "f-2": "a"}
    assert {(share.attempt, share.workers) for share in shares} == {(1, ("a", "c", "a"))}


def test_with_several_stages_whose_last_tile_is_done_is_needed_no_more():
    sharing = sharing_of(2, together=True)
    fill(sharing, "f", 2, ["a", "b"])
    sharing.tile_done("f", 1)
    assert sharing.reassign_node("b", ["a"], 1.0) == []


def test_with_several_stages_a_tile_that_is_done_helps_the_others_again():
    """Its result is here, but what it hands on at the borders of the stages is not."""
    sharing = sharing_of(2, together=True)
    fill(sharing, "f", 2, ["a", "b"])
    sharing.tile_done("f", 1)
    assert set(places(sharing.reassign_node("a", ["b", "c"], 1.0))) == {"f-0", "f-1"}


def test_with_several_stages_and_no_node_all_tiles_wait_for_one():
    sharing = sharing_of(2, together=True)
    assert fill(sharing, "f", 2, []) == []
    shares = sharing.reassign_expired(["a", "b"], 1.0)
    assert {share.workers for share in shares} == {("a", "b")}
    assert sharing.reassign_node("a", [], 2.0) == []
    assert {share.workers for share in sharing.reassign_expired(["c"], 3.0)} == {("c", "c")}


def test_with_several_stages_a_late_frame_begins_anew():
    sharing = sharing_of(2, together=True)
    fill(sharing, "f", 2, ["a", "b"])
    sharing.tile_done("f", 0)
    shares = sharing.reassign_expired(["a", "b"], LEASE_S)
    assert {(share.tile, share.node, share.attempt) for share in shares} == {("f-0", "a", 1), ("f-1", "b", 1)}


FRAMES = ["f", "g", "h"]
TILES = 4


class Sharings(RuleBasedStateMachine):
    """Any order of tiles, results, losses and arrivals of nodes, and time."""

    together = False

    def __init__(self):
        super().__init__()
        self.sharing = sharing_of(TILES, capacity=2, together=self.together)
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
        shares = self.sharing.add_tile(frame, index, (frame, index), self.present, self.now)
        assert known or not shares
        self.follow(shares)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def a_result_arrives(self, data):
        frame, index = data.draw(st.sampled_from(sorted(self.holders)))
        self.sharing.tile_done(frame, index)
        self.done[frame].add(index)

    @rule(node=st.sampled_from("abcd"))
    def a_node_comes(self, node):
        if node not in self.present:
            self.present = sorted([*self.present, node])

    @rule(node=st.sampled_from("abcd"))
    def a_node_is_lost(self, node):
        self.present = [other for other in self.present if other != node]
        self.follow(self.sharing.reassign_node(node, self.present, self.now))

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds):
        self.now += seconds
        self.follow(self.sharing.reassign_expired(self.present, self.now))

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def a_frame_is_finished(self, data):
        frame = data.draw(st.sampled_from(sorted(self.here)))
        self.sharing.drop_frame(frame)
        del self.here[frame], self.done[frame], self.attempts[frame]
        self.holders = {place: node for place, node in self.holders.items() if place[0] != frame}

    @precondition(lambda self: self.present)
    @invariant()
    def whoever_holds_what_is_not_done_is_there(self):
        """After a look at what could not be given out before, as the gateway takes it now and then."""
        self.follow(self.sharing.reassign_expired(self.present, self.now))
        for frame, tiles in self.here.items():
            if self.together and (len(tiles) < TILES or self.done[frame] == tiles):
                continue
            for index in tiles - self.done[frame]:
                assert self.holders[frame, index] in self.present


class SharingsTogether(Sharings):
    together = True


for machine in (Sharings, SharingsTogether):
    machine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestSharings = Sharings.TestCase
TestSharingsTogether = SharingsTogether.TestCase


# a node that cannot compute a tile


def test_a_tile_that_a_node_cannot_compute_goes_to_another_at_once():
    sharing = sharing_of(3)
    nodes = ["a", "b", "c"]
    fill(sharing, "f", 3, nodes)
    (share,) = sharing.tile_failed("f", 1, "b", nodes, 1.0)
    assert (share.tile, share.attempt) == ("f-1", 1)
    assert share.node in {"a", "c"}


def test_a_tile_never_comes_back_to_a_node_that_failed_it():
    sharing = sharing_of(1)
    nodes = ["a", "b", "c"]
    (share,) = fill(sharing, "f", 1, nodes)
    tried = [share.node]
    while shares := sharing.tile_failed("f", 0, tried[-1], nodes, 1.0):
        tried.append(shares[0].node)
    assert sorted(tried) == nodes
    assert sharing.reassign_expired(nodes, 1e6) == []
    assert places(sharing.reassign_expired([*nodes, "d"], 2e6)) == {"f-0": "d"}


def test_another_frame_may_go_to_who_failed_a_tile():
    sharing = sharing_of(1)
    fill(sharing, "f", 1, ["a"])
    assert sharing.tile_failed("f", 0, "a", ["a"], 0.0) == []
    assert places(fill(sharing, "g", 1, ["a"])) == {"g-0": "a"}


def test_a_failure_of_who_does_not_have_the_tile_changes_nothing():
    sharing = sharing_of(1)
    fill(sharing, "f", 1, ["a", "b"])
    assert sharing.tile_failed("f", 0, "b", ["a", "b"], 0.0) == []
    assert sharing.tile_failed("g", 0, "a", ["a", "b"], 0.0) == []
    sharing.tile_done("f", 0)
    assert sharing.tile_failed("f", 0, "a", ["a", "b"], 0.0) == []


def test_with_several_stages_a_frame_begins_anew_without_who_failed_it():
    sharing = sharing_of(3, together=True)
    nodes = ["a", "b", "c"]
    fill(sharing, "f", 3, nodes)
    sharing.tile_done("f", 0)
    shares = sharing.tile_failed("f", 1, "b", nodes, 1.0)
    assert [(share.tile, share.attempt) for share in shares] == [("f-0", 1), ("f-1", 1), ("f-2", 1)]
    assert {share.node for share in shares} == {"a", "c"}
    assert sharing.tile_failed("f", 2, "b", nodes, 1.0) == []


def test_with_several_stages_a_frame_that_all_have_failed_is_shared_no_more():
    sharing = sharing_of(2, together=True)
    fill(sharing, "f", 2, ["a", "b"])
    assert {share.node for share in sharing.tile_failed("f", 0, "a", ["a", "b"], 1.0)} == {"b"}
    assert sharing.tile_failed("f", 0, "b", ["a", "b"], 1.0) == []
    assert sharing.reassign_expired(["a", "b"], 1e6) == []
