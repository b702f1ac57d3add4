from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.task_queue import ANYONE, LATE_FACTOR, LEASE_FACTOR, RECENT_TILES, Openings, Taker, Task, TaskQueue, Turn
from tests.unit.edge.agendas import CROSS, DEPENDENT, FREE, REUSING, WHOLE, plain

PACE_S = 0.01
TILE_S = WHOLE.macs * PACE_S
SAVED_S = (WHOLE.macs - REUSING.macs) * PACE_S
"""What a tile of CROSS takes with its whole halo, and what strips save of it."""


def queue_of(count, frame="f", lease_s=1.0):
    queue = TaskQueue("me", plain(count), lease_s)
    queue.add_frame(frame)
    return queue


def crossed(*, alone=False, lease_s=1000.0):
    """A queue with a frame of nine tiles, some of which can reuse what others have computed."""
    queue = TaskQueue("me", CROSS, lease_s, alone=alone)
    queue.add_frame("f", reuse=True)
    return queue


def tile_of(turn):
    return None if turn is None else turn.task.tile


def drain(queue, now=0.0, *, reuses=False):
    """What the own worker would run, in order."""
    tiles = []
    while (turn := queue.take(now, reuses=reuses)) is not None:
        tiles.append(turn.task.tile)
    return tiles


def thief(node="thief", *, idle=True, reuses=True):
    return Taker(node, idle, reuses)


def counts(queue):
    """Tasks that anyone may take, and those that wait for strips."""
    return queue.openings.waiting, queue.openings.blocked


def lend_free(queue, *nodes, now=0.0):
    """Lend all tiles that depend on nobody to these nodes in turn, none of whom will have all strips for another."""
    return [
        queue.lend(thief(nodes[place % len(nodes)], idle=False, reuses=False), now).task.tile
        for place in range(len(FREE))
    ]


def finish(queue, *tiles, worker="me", kept=True, seconds=TILE_S, frame="f"):
    """Results of tiles are at the gateway, with all their strips if they are `kept`."""
    for tile in tiles:
        strips = CROSS.readers(tile) if kept else ()
        queue.done(Task(frame, tile), worker, seconds, WHOLE.macs, strips)


def learn_pace(queue, seconds=TILE_S):
    """The queue has seen a result, of another frame."""
    queue.done(Task("earlier", 0), "me", seconds, WHOLE.macs)


# tiles that share nothing


def test_the_own_worker_takes_from_the_front():
    assert drain(queue_of(3)) == [0, 1, 2]


def test_thieves_take_from_the_back():
    queue = queue_of(3)
    assert [tile_of(queue.lend(thief(), 0)) for _ in range(3)] == [2, 1, 0]


def test_owner_and_thieves_meet_in_the_middle():
    queue = queue_of(4)
    turns = queue.take(0), queue.lend(thief("a"), 0), queue.take(0), queue.lend(thief("b"), 0)
    assert [tile_of(turn) for turn in turns] == [0, 3, 1, 2]
    assert queue.take(0) is None
    assert queue.lend(thief("a"), 0) is None


def test_an_empty_queue_has_nothing_to_give():
    queue = TaskQueue("me", plain(3), 1.0)
    assert (queue.take(0), queue.lend(thief(), 0), queue.openings) == (None, None, Openings())
    assert queue.expire(math.inf) == []


def test_a_later_frame_waits_behind_an_earlier_one():
    queue = queue_of(2, frame="first")
    queue.add_frame("second")
    assert [queue.take(0).task.frame for _ in range(4)] == ["first", "first", "second", "second"]


def test_waiting_counts_what_anyone_may_take():
    queue = queue_of(3)
    queue.take(0)
    queue.lend(thief(), 0)
    assert counts(queue) == (1, 0)


def test_a_stolen_task_returns_when_its_lease_ends():
    queue = queue_of(2, lease_s=2.0)
    stolen = queue.lend(thief(), now=10.0).task
    assert queue.expire(11.9) == []
    assert queue.expire(12.0) == [stolen]
    assert queue.expire(12.0) == []


def test_a_returned_task_is_first_in_line():
    queue = queue_of(3)
    queue.lend(thief(), 0)
    queue.expire(5.0)
    assert drain(queue) == [2, 0, 1]


def test_a_stolen_task_returns_when_its_thief_is_lost():
    queue = queue_of(4)
    stolen = {queue.lend(thief("lost"), 0).task, queue.lend(thief("lost"), 0).task}
    queue.lend(thief("other"), 0)
    assert set(queue.node_lost("lost")) == stolen
    assert set(drain(queue)) == {0, 2, 3}
    assert queue.node_lost("lost") == []


def test_a_task_that_runs_here_does_not_return_when_a_node_is_lost():
    queue = queue_of(1)
    queue.take(0)
    assert queue.node_lost("me") == []
    assert queue.expire(1e9) == []


def test_a_result_on_its_way_to_the_gateway_has_a_lease_too():
    queue = queue_of(1, lease_s=2.0)
    task = queue.take(3.0).task
    queue.sent(task, now=10.0)
    assert queue.expire(11.9) == []
    assert queue.expire(12.0) == [task]


def test_a_result_that_arrived_ends_the_lease():
    queue = queue_of(1)
    task = queue.lend(thief(), 0).task
    queue.done(task, "thief", 0.1)
    assert queue.expire(1e9) == queue.node_lost("thief") == []


def test_a_second_result_is_ignored():
    queue = queue_of(2)
    task = queue.lend(thief(), 0).task
    queue.done(task, "thief", 0.1)
    queue.done(task, "thief", 0.1)
    assert drain(queue) == [0]


def test_a_late_result_spares_the_task_from_running_again():
    queue = queue_of(2)
    task = queue.lend(thief("slow"), 0).task
    queue.expire(10.0)
    queue.done(task, "slow", 10.5)
    assert drain(queue) == [0]


def test_a_late_result_ends_the_lease_of_the_second_thief():
    queue = queue_of(1)
    task = queue.lend(thief("slow"), 0).task
    queue.expire(10.0)
    assert queue.lend(thief("quick"), 10.0).task == task
    queue.done(task, "slow", 0.1)
    assert queue.expire(1e9) == []


def test_a_late_result_of_a_task_that_runs_here_again_spares_it_the_lease():
    queue = queue_of(1)
    queue.lend(thief("slow"), 0)
    queue.expire(10.0)
    again = queue.take(10.0).task
    queue.done(again, "slow", 10.5)
    queue.sent(again, 11.0)
    assert queue.expire(1e9) == []


def test_a_result_of_a_finished_frame_is_ignored():
    queue = queue_of(2)
    task = queue.lend(thief(), 0).task
    queue.drop_frame("f")
    queue.done(task, "thief", 0.1)
    assert (queue.openings, queue.expire(1e9)) == (Openings(), [])


def test_a_dropped_frame_is_forgotten_wherever_its_tasks_are():
    queue = queue_of(4)
    running, lent = queue.take(0).task, queue.lend(thief(), 0).task
    queue.drop_frame("f")
    queue.sent(running, 0)
    assert queue.openings == Openings()
    assert queue.expire(1e9) == queue.node_lost("thief") == []
    assert not queue.put_back(running)
    assert not queue.put_back(lent)
    assert drain(queue) == []


def test_dropping_a_frame_leaves_the_others():
    queue = queue_of(3, frame="first")
    queue.add_frame("second")
    lent = queue.lend(thief(), 0).task
    queue.drop_frame("first")
    assert drain(queue) == [0, 1]
    assert queue.expire(1e9) == [lent]


def test_a_task_that_could_not_be_handed_over_is_first_in_line_again():
    queue = queue_of(3)
    assert queue.put_back(queue.lend(thief(), 0).task)
    assert drain(queue) == [2, 0, 1]


def test_a_task_that_could_not_be_run_here_waits_again():
    queue = queue_of(2)
    assert queue.put_back(queue.take(0).task)
    assert drain(queue) == [0, 1]


def test_putting_back_what_is_done_changes_nothing():
    queue = queue_of(1)
    task = queue.lend(thief(), 0).task
    queue.done(task, "thief", 0.1)
    assert not queue.put_back(task)
    assert queue.openings == Openings()


def test_a_lease_is_no_shorter_than_the_plan_says():
    queue = queue_of(1, lease_s=2.0)
    queue.done(Task("f", 7), "me", 0.01)
    assert queue.current_lease_s == 2.0


def test_a_lease_grows_with_the_longest_recent_tile():
    queue = queue_of(1, lease_s=1.0)
    for seconds in (0.3, 2.0, 0.5):
        queue.done(Task("f", 7), "me", seconds)
    assert queue.current_lease_s == 2.0 * LEASE_FACTOR
    lent = queue.lend(thief(), now=100.0).task
    assert queue.expire(100.0 + 2.0 * LEASE_FACTOR - 0.01) == []
    assert queue.expire(100.0 + 2.0 * LEASE_FACTOR) == [lent]


def test_a_lease_shrinks_when_the_longest_tile_is_long_ago():
    queue = queue_of(1, lease_s=1.0)
    queue.done(Task("f", 7), "me", 50.0)
    for _ in range(RECENT_TILES):
        queue.done(Task("f", 7), "me", 0.1)
    assert queue.current_lease_s == 1.0


def test_a_tile_of_a_frozen_node_does_not_stretch_leases_past_the_frame():
    queue = TaskQueue("me", plain(2), 1.0, longest_s=5.0)
    queue.add_frame("f")
    queue.done(Task("f", 0), "frozen", 3600.0)
    queue.lend(thief(), 0.0)
    assert queue.expire(4.9) == []
    assert queue.expire(5.0) == [Task("f", 1)]


def test_the_pace_is_unknown_before_the_first_result():
    queue = queue_of(3)
    assert queue.pace is None
    queue.done(Task("f", 0), "me", 5.0)
    assert queue.pace is None


def test_the_pace_is_the_middle_one_of_late():
    queue = queue_of(3)
    for seconds in (1.0, 2.0, 900.0):
        queue.done(Task("f", 0), "me", seconds, macs=100)
    assert queue.pace == 0.02
    for _ in range(RECENT_TILES):
        queue.done(Task("f", 0), "me", 3.0, macs=100)
    assert queue.pace == 0.03


# tiles that can reuse what others have computed


def test_without_reuse_tiles_that_could_depend_on_others_run_with_their_whole_halo():
    queue = TaskQueue("me", CROSS, 1.0)
    queue.add_frame("f")
    assert counts(queue) == (9, 0)
    turns = [queue.lend(thief(idle=False), 0) for _ in range(9)]
    assert [tile_of(turn) for turn in turns] == list(reversed(CROSS.order))
    assert not any(turn.reusing or turn.wanted for turn in turns)


def test_tiles_whose_strips_are_missing_are_blocked():
    queue = crossed()
    assert counts(queue) == (5, 4)


def test_a_tile_is_no_longer_blocked_when_the_strips_of_all_its_givers_are_kept():
    queue = crossed()
    finish(queue, 0, 2)
    assert counts(queue) == (3, 4)
    finish(queue, 4)
    assert counts(queue) == (3, 3)
    assert queue.lend(thief(idle=False), 0) == Turn(Task("f", 1), reusing=True)


def test_strips_of_a_result_that_brought_none_are_missing():
    queue = crossed()
    finish(queue, 0, 2)
    finish(queue, 4, kept=False)
    assert queue.openings.blocked == 4


def test_strips_that_are_kept_for_one_reader_are_missing_for_another():
    queue = crossed()
    finish(queue, 0, 2, 6, 8)
    queue.done(Task("f", 4), "me", TILE_S, WHOLE.macs, [3, 7])
    assert {tile_of(queue.lend(thief("x", idle=False), 0)) for _ in range(2)} == {3, 7}
    assert queue.lend(thief("x", idle=False), 0) is None


def test_strips_of_one_frame_are_missing_in_another():
    queue = crossed()
    queue.add_frame("g", reuse=True)
    finish(queue, 0, 2, 4, 6, 8, frame="g")
    assert counts(queue) == (9, 4)


def test_who_made_all_that_a_tile_takes_needs_nothing_of_the_gateway():
    queue = crossed(lease_s=1.0)
    for tile in FREE:
        assert tile_of(queue.take(0)) == tile
    finish(queue, *FREE, kept=False)
    assert counts(queue) == (0, 4)
    assert queue.lend(thief(idle=False), 0) is None
    turns = [queue.take(0, reuses=True) for _ in DEPENDENT]
    assert [tile_of(turn) for turn in turns] == list(DEPENDENT)
    assert all(turn.reusing for turn in turns)


def test_what_the_taker_made_and_what_the_gateway_keeps_go_together():
    queue = crossed()
    finish(queue, 0, worker="a", kept=False)
    finish(queue, 2, 4, worker="b")
    assert queue.lend(thief("b", idle=False), 0).task.tile == 8
    assert queue.lend(thief("a", idle=False), 0) == Turn(Task("f", 1), reusing=True)


def test_the_own_worker_computes_what_depends_on_none_first():
    queue = crossed()
    taken = []
    while (turn := queue.take(0, reuses=True)) is not None:
        taken.append(turn.task.tile)
        finish(queue, turn.task.tile)
    assert taken == list(CROSS.order)


def test_a_thief_takes_the_last_tile_that_is_ready():
    queue = crossed()
    assert tile_of(queue.lend(thief("a"), 0)) == 8
    finish(queue, 0, 2, 4, 6)
    assert tile_of(queue.lend(thief("b"), 0)) == 3


def test_a_thief_gets_what_it_will_have_all_strips_of_before_it_has_computed_them():
    queue = crossed()
    turns = [queue.lend(thief(idle=False), 0) for _ in range(6)]
    assert [tile_of(turn) for turn in turns] == [8, 6, 2, 0, 4, 7]
    assert turns[-1] == Turn(Task("f", 7), reusing=True)
    assert queue.lend(thief("other", idle=False), 0) is None


def test_what_is_computed_here_and_on_its_way_counts_as_computed_here():
    queue = crossed()
    for _ in FREE:
        queue.sent(queue.take(0).task, 0)
    assert queue.take(0, reuses=True) == Turn(Task("f", 1), reusing=True)
    assert queue.lend(thief(idle=False), 0) is None


def test_what_runs_here_still_has_no_strips_yet():
    queue = crossed()
    for _ in FREE:
        queue.take(0)
    assert queue.take(0, reuses=True) is None


def test_tiles_are_near_a_node_that_will_have_all_their_strips():
    queue = crossed()
    for _ in FREE:
        queue.lend(thief("near", idle=False), 0)
    assert queue.openings == Openings(0, 4, {"near": 4})
    queue.lend(thief("near", idle=False), 0)
    assert queue.openings == Openings(0, 3, {"near": 3})


def test_tiles_are_near_a_node_that_computed_some_strips_where_the_gateway_keeps_the_others():
    queue = crossed()
    finish(queue, 0, 2, 6, 8, worker="other")
    finish(queue, 4, worker="maker", kept=False)
    assert queue.openings == Openings(0, 4, {"maker": 4})


def test_tiles_are_near_nobody_who_lacks_a_strip():
    queue = crossed()
    finish(queue, *FREE[1:], worker="maker", kept=False)
    assert queue.openings == Openings(1, 4)
    queue.lend(thief("other", idle=False), 0)
    assert queue.openings == Openings(0, 4)


def test_tiles_are_near_several_nodes_when_each_has_computed_all():
    queue = crossed()
    finish(queue, *FREE, worker="first", kept=False)
    assert queue.openings.near == {"first": 4}
    finish(queue, 0, 2, worker="second", kept=False)
    assert queue.openings.near == {"first": 1}
    finish(queue, 4, worker="second", kept=False)
    assert queue.openings.near == {"second": 1}


def test_tiles_that_this_node_has_the_strips_of_are_near_no_other():
    queue = crossed()
    finish(queue, *FREE, worker="me", kept=False)
    assert queue.openings == Openings(0, 4)


def test_tiles_are_not_near_a_node_that_is_lost():
    queue = crossed()
    for _ in FREE:
        queue.lend(thief("lost", idle=False), 0)
    queue.node_lost("lost")
    assert queue.openings == Openings(5, 4)


def test_what_anyone_may_take_is_near_nobody():
    queue = crossed()
    finish(queue, *FREE, worker="maker")
    assert queue.openings == Openings(4, 0)


def test_of_several_ready_tiles_the_taker_gets_the_one_it_has_most_strips_of():
    queue = crossed()
    finish(queue, 0, 6, worker="a")
    finish(queue, 2, 4, 8, worker="b")
    assert tile_of(queue.lend(thief("a"), 0)) == 3
    assert tile_of(queue.lend(thief("b"), 0)) == 5
    assert tile_of(queue.lend(thief("c"), 0)) == 7
    assert tile_of(queue.lend(thief("c"), 0)) == 1


def test_the_own_worker_prefers_what_it_has_most_strips_of_too():
    queue = crossed()
    finish(queue, 0, 2, worker="a")
    finish(queue, 4, 6, 8, worker="me")
    assert tile_of(queue.take(0, reuses=True)) == 7
    assert tile_of(queue.take(0, reuses=True)) == 3


def test_strips_of_a_later_frame_do_not_let_it_overtake():
    queue = crossed()
    queue.add_frame("g", reuse=True)
    finish(queue, *FREE, worker="other", frame="f")
    finish(queue, *FREE, worker="me", frame="g")
    assert queue.take(0, reuses=True).task.frame == "f"


def test_who_runs_a_tile_meanwhile_never_gets_a_blocked_one():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, kept=False)
    assert queue.openings.blocked == 4
    assert queue.lend(thief(idle=False), 1e9) is None


def test_nothing_blocked_is_given_away_while_the_pace_is_unknown():
    queue = crossed()
    assert set(lend_free(queue, "slow", "slower")) == set(FREE)
    assert queue.pace is None
    assert queue.lend(thief(), 1e6) is None
    assert queue.take(1e6) is None


@pytest.mark.parametrize(("age_s", "whole"), [(0.0, True), (0.5, True), (0.59, True), (0.61, False), (1.5, False)])
def test_who_is_idle_gets_a_blocked_tile_whole_when_that_is_done_before_its_strips_would_help(age_s, whole):
    """A tile takes 1 s, strips save 0.4 s of it: it is worth waiting when they come in less than 0.4 s."""
    assert (TILE_S, SAVED_S) == (1.0, 0.4)
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    queue.lend(thief("ready"), 100.0)
    queue.lend(thief("ready"), 100.0)
    assert tile_of(queue.lend(thief("slow"), 100.0)) == 8
    turn = queue.lend(thief(), 100.0 + age_s)
    if whole:
        assert turn.task.tile in {5, 7}
        assert not turn.reusing
    else:
        assert turn is None
        finish(queue, 8)
        assert queue.lend(thief(), 100.0 + age_s).reusing


def test_waiting_is_measured_by_the_giver_that_comes_last():
    queue = crossed()
    learn_pace(queue)
    for node, now in zip("abcde", (0.0, 0.0, 0.0, 0.0, 0.9), strict=True):
        queue.lend(thief(node, idle=False), now)
    assert tile_of(queue.lend(thief(), 1.45)) == 7
    assert queue.lend(thief(), 1.6) is None


def test_tiles_of_one_holder_are_due_one_after_the_other():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    assert tile_of(queue.lend(thief("ready", idle=False), 0.0)) == 1
    assert [tile_of(queue.lend(thief("x", idle=False, reuses=False), now)) for now in (0.0, 0.1)] == [8, 6]
    assert tile_of(queue.lend(thief(), 0.7)) == 7  # 6 is due at 2.0
    assert queue.lend(thief(), 0.7) is None  # 8 is due at 1.0


def test_what_runs_here_is_waited_for_like_what_is_lent():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 6, 8)
    assert tile_of(queue.take(10.0)) == 4
    assert queue.lend(thief(), 10.7) is None
    assert queue.lend(thief(), 10.0) == Turn(Task("f", 7))


def test_a_result_on_its_way_is_waited_for_from_when_it_was_begun():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 6, 8)
    queue.sent(queue.take(10.0).task, 11.0)
    assert queue.lend(thief(), 11.1) is None
    assert queue.lend(thief(), 10.0 + LATE_FACTOR * TILE_S) is None
    assert queue.lend(thief(), 10.0 + LATE_FACTOR * TILE_S + 0.01) == Turn(Task("f", 7))


def test_nobody_waits_for_a_tile_that_is_late():
    queue = crossed()
    learn_pace(queue)
    lend_free(queue, *"abcde")
    assert queue.lend(thief(), LATE_FACTOR * TILE_S) is None
    assert tile_of(queue.lend(thief(), LATE_FACTOR * TILE_S + 0.01)) == 7


def test_nobody_waits_for_a_lost_tile_which_is_taken_first():
    queue = crossed()
    learn_pace(queue)
    assert lend_free(queue, *"abcde")[0] == 8
    assert queue.lend(thief(), 0.9) is None
    queue.node_lost("a")
    assert tile_of(queue.lend(thief(), 0.9)) == 8
    assert queue.lend(thief("other"), 0.9) == Turn(Task("f", 7))
    assert queue.lend(thief("other"), 0.9) == Turn(Task("f", 5))
    assert queue.lend(thief("other"), 0.9) is None  # what the others need comes soon


def test_nobody_waits_for_strips_that_their_tile_did_not_bring():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, worker="other", kept=False)
    assert drain(queue, reuses=True) == list(DEPENDENT)


def test_who_cannot_reuse_never_gets_a_reusing_turn():
    queue = crossed()
    finish(queue, *FREE)
    assert counts(queue) == (4, 0)
    assert queue.lend(thief(idle=False, reuses=False), 0) is None
    lent = queue.lend(thief(reuses=False), 0)
    assert (lent.task.tile, lent.reusing) == (7, False)
    taken = queue.take(0, reuses=False)
    assert (taken.task.tile, taken.reusing) == (1, False)


def test_strips_are_wanted_for_all_that_read_them():
    queue = crossed()
    turns = {tile_of(turn): turn for turn in [queue.take(0) for _ in FREE]}
    assert {tile: turn.wanted for tile, turn in turns.items()} == {
        0: (1, 3), 2: (1, 5), 4: (1, 3, 5, 7), 6: (3, 7), 8: (5, 7),
    }  # fmt: skip


def test_strips_are_wanted_of_thieves_as_well():
    assert crossed().lend(thief(), 0) == Turn(Task("f", 8), wanted=(5, 7))


def test_no_strips_are_wanted_for_tiles_that_are_given_up():
    queue = crossed()
    learn_pace(queue)
    lend_free(queue, "stuck")
    assert [tile_of(queue.lend(thief("idle"), 5.0)) for _ in range(2)] == [7, 5]
    queue.node_lost("stuck")
    turns = [queue.lend(thief("x", idle=False, reuses=False), 5.0) for _ in FREE]
    assert {tile_of(turn): turn.wanted for turn in turns} == {0: (1, 3), 2: (1,), 4: (1, 3), 6: (3,), 8: ()}


def test_who_is_alone_wants_no_strips():
    queue = crossed(alone=True)
    assert all(queue.take(0).wanted == () for _ in FREE)


def test_who_is_no_longer_alone_wants_strips():
    queue = crossed(alone=True)
    queue.take(0)
    queue.alone = False
    assert queue.take(0).wanted == (1, 3)


def test_who_is_alone_reuses_its_own_strips():
    queue = crossed(alone=True)
    for tile in FREE:
        queue.sent(queue.take(0).task, 0)
        finish(queue, tile, kept=False)
    assert [turn.reusing for turn in [queue.take(0, reuses=True) for _ in DEPENDENT]] == [True] * 4


def test_a_tile_whose_strips_cannot_be_had_runs_with_its_whole_halo_instead():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend(thief(), 0)
    assert turn == Turn(Task("f", 7), reusing=True)
    assert queue.without_strips(turn.task) == Turn(Task("f", 7))
    taken = queue.take(0, reuses=True)
    assert taken.reusing
    assert queue.without_strips(taken.task) == Turn(taken.task)


def test_a_tile_that_did_without_strips_does_so_when_it_comes_back():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend(thief("lost"), 0)
    queue.without_strips(turn.task)
    queue.node_lost("lost")
    assert queue.take(0, reuses=True) == Turn(turn.task)


def test_no_strips_are_wanted_any_more_for_a_tile_that_did_without():
    queue = crossed()
    for _ in FREE:
        queue.lend(thief("lost"), 0)
    queue.without_strips(queue.lend(thief("lost"), 0).task)
    queue.node_lost("lost")
    assert queue.take(0) == Turn(Task("f", 7))
    assert {tile_of(turn): turn.wanted for turn in [queue.take(0) for _ in FREE]} == {
        0: (1, 3), 2: (1, 5), 4: (1, 3, 5), 6: (3,), 8: (5,),
    }  # fmt: skip


def test_in_a_frame_without_reuse_nothing_is_blocked_by_a_tile_that_asks_for_its_whole_halo():
    queue = TaskQueue("me", CROSS, 1.0)
    queue.add_frame("f")
    turn = queue.lend(thief(), 0)
    assert queue.without_strips(turn.task) == turn
    assert counts(queue) == (8, 0)


def test_nothing_is_done_without_strips_that_is_finished_already():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend(thief(), 0)
    finish(queue, turn.task.tile)
    assert queue.without_strips(turn.task) is None
    other = queue.lend(thief(), 0)
    queue.drop_frame("f")
    assert queue.without_strips(other.task) is None
    assert queue.without_strips(Task("unheard-of", 1)) is None


@pytest.mark.parametrize("way_back", ["put_back", "expire", "node_lost"])
def test_a_reusing_tile_that_comes_back_is_first_in_line_and_reuses_again(way_back):
    queue = crossed(lease_s=1.0)
    finish(queue, 0, 2, 4, seconds=0.1)
    turn = queue.lend(thief(), 0)
    assert turn == Turn(Task("f", 1), reusing=True)
    match way_back:
        case "put_back":
            assert queue.put_back(turn.task)
        case "expire":
            assert queue.expire(1.0) == [turn.task]
        case "node_lost":
            assert queue.node_lost("thief") == [turn.task]
    assert counts(queue) == (3, 3)
    assert queue.take(0, reuses=True) == turn


def test_a_blocked_tile_that_was_given_away_whole_comes_back_as_one_that_anyone_may_take():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, kept=False)
    turn = queue.lend(thief("lost"), 0)
    assert tile_of(turn) == 7
    assert counts(queue) == (0, 3)
    queue.node_lost("lost")
    assert counts(queue) == (1, 3)
    assert queue.lend(thief("other", idle=False), 0) == turn


def test_a_giver_that_comes_back_is_given_before_any_blocked_tile():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    assert tile_of(queue.take(0)) == 8
    assert queue.put_back(Task("f", 8))
    assert tile_of(queue.take(0, reuses=False)) == 8


def test_strips_of_the_second_who_computed_a_tile_count_as_well():
    queue = crossed()
    finish(queue, *FREE, worker="first", kept=False)
    finish(queue, *FREE, worker="second", kept=False)
    assert queue.lend(thief("second", idle=False), 0) == Turn(Task("f", 7), reusing=True)


def test_a_dropped_frame_leaves_nothing_behind():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    queue.take(0)
    queue.lend(thief(), 0)
    queue.drop_frame("f")
    assert counts(queue) == (0, 0)
    finish(queue, 6, 8)
    assert not any([queue._waiting, queue._running, queue._leases, queue._reuse])
    queue.add_frame("f", reuse=True)
    assert counts(queue) == (5, 4)


TILES = len(CROSS.order)
NODES = ("me", "a", "b")


class TaskLife(RuleBasedStateMachine):
    """Any order of events, in frames with reuse and without.

    A task of an open frame that is not done is in one place, and only there; no turn needs strips that are not to be
    had; and whoever is idle can always finish every frame.
    """

    def __init__(self):
        super().__init__()
        self.queue = TaskQueue("me", CROSS, 1.0)
        self.now = 0.0
        self.frames = 0
        self.open = {}
        self.reuse = set()
        self.closed = []
        self.makers = {}
        self.kept = set()
        self.whole = set()

    def tasks(self, *places):
        return [
            Task(frame, tile)
            for frame, tiles in sorted(self.open.items())
            for tile, where in sorted(tiles.items())
            if where in places
        ]

    def move(self, task, place):
        self.open[task.frame][task.tile] = place

    def has_strips(self, task, node):
        """Whether a node can get all strips that a task takes, or will have computed them by then."""
        return all(
            (task.frame, giver, task.tile) in self.kept
            or node in {self.makers.get((task.frame, giver)), self.open[task.frame][giver]}
            for giver in CROSS.givers[task.tile]
        )

    def blocked(self, task, taker):
        """Whether the taker can have it only with its whole halo, if at all."""
        dependent = task.frame in self.reuse and task.tile in CROSS.givers and task not in self.whole
        return dependent and not (taker.reuses and self.has_strips(task, taker.node))

    def check(self, turn, taker, place):
        """A turn that the queue gave, or did not give, to a taker."""
        waiting = self.tasks("waiting")
        free = [task for task in waiting if not self.blocked(task, taker)]
        if turn is None:
            assert not free
            return
        task = turn.task
        assert task in waiting
        if turn.reusing:
            assert taker.reuses
            assert self.has_strips(task, taker.node)
            assert turn.wanted == ()
        elif self.blocked(task, taker):
            assert taker.idle
            assert not free
            assert self.queue.pace is not None
            self.whole.add(task)
        self.check_wanted(turn)
        self.move(task, place)

    def check_wanted(self, turn):
        readers = CROSS.readers(turn.task.tile) if turn.task.frame in self.reuse else ()
        assert turn.wanted == tuple(reader for reader in readers if Task(turn.task.frame, reader) not in self.whole)

    @precondition(lambda self: len(self.open) < 3)
    @rule(reuse=st.booleans())
    def frame_comes(self, reuse):
        self.frames += 1
        frame = f"frame-{self.frames}"
        self.queue.add_frame(frame, reuse=reuse)
        self.open[frame] = dict.fromkeys(range(TILES), "waiting")
        if reuse:
            self.reuse.add(frame)

    @rule(reuses=st.booleans())
    def worker_takes(self, reuses):
        self.check(self.queue.take(self.now, reuses=reuses), Taker("me", reuses=reuses), "running")

    @rule(node=st.sampled_from("ab"), idle=st.booleans(), reuses=st.booleans())
    def thief_takes(self, node, idle, reuses):
        taker = Taker(node, idle, reuses)
        self.check(self.queue.lend(taker, self.now), taker, node)

    @precondition(lambda self: self.tasks("running", "done"))
    @rule(data=st.data())
    def worker_sends(self, data):
        """What it ran, even when another's result came first."""
        task = data.draw(st.sampled_from(self.tasks("running", "done")))
        self.queue.sent(task, self.now)
        if self.open[task.frame][task.tile] == "running":
            self.move(task, "me")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.floats(0, 1), worker=st.sampled_from(NODES), kept=st.booleans())
    def result_arrives(self, data, seconds, worker, kept):
        task = data.draw(st.sampled_from(self.tasks("waiting", "running", *NODES, "done")))
        self.arrive(task, worker, seconds, CROSS.readers(task.tile) if kept else ())

    def arrive(self, task, worker, seconds, strips):
        self.queue.done(task, worker, seconds, WHOLE.macs, strips)
        self.makers[task.frame, task.tile] = worker
        self.kept.update((task.frame, task.tile, reader) for reader in strips)
        self.move(task, "done")

    @precondition(lambda self: self.closed)
    @rule(data=st.data(), tile=st.integers(0, TILES - 1))
    def result_of_a_closed_frame_arrives(self, data, tile):
        self.queue.done(Task(data.draw(st.sampled_from(self.closed)), tile), "a", 0.1, WHOLE.macs, [1, 3])

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def strips_are_not_to_be_had(self, data):
        task = data.draw(st.sampled_from(self.tasks("waiting", "running", *NODES, "done")))
        turn = self.queue.without_strips(task)
        assert (turn is None) == (self.open[task.frame][task.tile] in {"waiting", "done"})
        if turn is not None:
            assert (turn.task, turn.reusing) == (task, False)
            self.whole.add(task)
            self.check_wanted(turn)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def task_is_put_back(self, data):
        place = data.draw(st.sampled_from(["running", "a", "b", "done"]))
        if tasks := self.tasks(place):
            task = data.draw(st.sampled_from(tasks))
            assert self.queue.put_back(task) == (place != "done")
            if place != "done":
                self.move(task, "waiting")

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds):
        self.now += seconds
        self.expire()

    def expire(self):
        for task in self.queue.expire(self.now):
            assert self.open[task.frame][task.tile] in NODES
            self.move(task, "waiting")
        assert all(lease.until > self.now for lease in self.queue._leases.values())

    @rule(node=st.sampled_from("ab"))
    def node_is_lost(self, node):
        lost = self.queue.node_lost(node)
        assert sorted(lost, key=lambda task: (task.frame, task.tile)) == self.tasks(node)
        for task in lost:
            self.move(task, "waiting")

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def frame_is_finished(self, data):
        frame = data.draw(st.sampled_from(sorted(self.open)))
        self.queue.drop_frame(frame)
        del self.open[frame]
        self.closed.append(frame)

    @invariant()
    def every_task_is_in_its_place_and_nowhere_else(self):
        waiting, running, leases = self.queue._waiting, self.queue._running, self.queue._leases
        assert sorted(map(repr, waiting)) == sorted(map(repr, self.tasks("waiting")))
        assert set(running) == set(self.tasks("running"))
        assert {task: lease.holder for task, lease in leases.items()} == {
            task: holder for holder in NODES for task in self.tasks(holder)
        }

    @invariant()
    def what_waits_is_free_or_blocked(self):
        waiting = self.tasks("waiting")
        blocked = [task for task in waiting if self.blocked(task, ANYONE)]
        near = {node: sum(1 for task in blocked if self.has_strips(task, node)) for node in "ab"}
        assert self.queue.openings == Openings(
            len(waiting) - len(blocked), len(blocked), {node: count for node, count in near.items() if count}
        )

    def teardown(self):
        """Whatever has happened: an idle node with any engine finishes all frames, once the others are given up."""
        for reuses in (False, True) * TILES * 3:
            self.now += 1e6
            self.expire()
            for task in self.tasks("running"):
                self.arrive(task, "me", 0.1, ())
            taker = Taker("a", reuses=reuses)
            turn = self.queue.lend(taker, self.now)
            self.check(turn, taker, "a")
            if turn is not None:
                self.arrive(turn.task, "a", 0.1, turn.wanted)
        assert not self.tasks("waiting", "running", *NODES)


TaskLife.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestTaskLife = TaskLife.TestCase
