from __future__ import annotations

from edge.tasks.task import AvailableTasks, ScheduledTask, Task
from edge.tasks.task_queue import TaskQueue
from tests.unit.edge.queues import (
    TILE_S,
    counts,
    crossed,
    finish,
    learn_pace,
    lend_free,
    thief,
    tile_of,
)
from tests.unit.edge.tile_orders import CROSS, DEPENDENT, FREE, WHOLE


def test_without_reuse_tiles_that_could_depend_on_others_run_with_their_whole_halo():
    queue = TaskQueue("me", CROSS, 1.0)
    queue.add_frame("f")
    assert counts(queue) == (9, 0)
    turns = [queue.lend_task(thief(idle=False), 0) for _ in range(9)]
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
    assert queue.lend_task(thief(idle=False), 0) == ScheduledTask(Task("f", 1), reusing=True)


def test_strips_of_a_result_that_brought_none_are_missing():
    queue = crossed()
    finish(queue, 0, 2)
    finish(queue, 4, kept=False)
    assert counts(queue) == (2, 4)


def test_strips_that_are_kept_for_one_reader_are_missing_for_another():
    queue = crossed()
    finish(queue, 0, 2, 6, 8)
    queue.task_done(Task("f", 4), "me", TILE_S, 0, WHOLE.macs, [3, 7])
    assert {tile_of(queue.lend_task(thief(node, idle=False), 0)) for node in "xy"} == {3, 7}
    assert queue.lend_task(thief("z", idle=False), 0) is None


def test_strips_of_one_frame_are_missing_in_another():
    queue = crossed()
    queue.add_frame("g", reuse=True)
    finish(queue, 0, 2, 4, 6, 8, frame="g")
    assert counts(queue) == (9, 4)


def test_who_made_all_that_a_tile_takes_needs_nothing_of_the_gateway():
    queue = crossed(lease_s=1.0)
    for tile in FREE:
        assert tile_of(queue.take_task(0)) == tile
    finish(queue, *FREE, kept=False)
    assert counts(queue) == (0, 4)
    assert queue.lend_task(thief(idle=False), 0) is None
    turns = [queue.take_task(0, reuses=True) for _ in DEPENDENT]
    assert [tile_of(turn) for turn in turns] == list(DEPENDENT)
    assert all(turn.reusing for turn in turns)


def test_what_the_taker_made_and_what_the_gateway_keeps_go_together():
    queue = crossed()
    finish(queue, 0, worker="a", kept=False)
    finish(queue, 2, 4, worker="b")
    assert queue.lend_task(thief("b", idle=False), 0).task.tile == 8
    assert queue.lend_task(thief("a", idle=False), 0) == ScheduledTask(Task("f", 1), reusing=True)


def test_the_own_worker_computes_what_depends_on_none_first():
    queue = crossed()
    taken = []
    while (turn := queue.take_task(0, reuses=True)) is not None:
        taken.append(turn.task.tile)
        finish(queue, turn.task.tile)
    assert taken == list(CROSS.order)


def test_a_thief_takes_the_last_tile_that_is_ready():
    queue = crossed()
    assert tile_of(queue.lend_task(thief("a"), 0)) == 8
    finish(queue, 0, 2, 4, 6)
    assert tile_of(queue.lend_task(thief("b"), 0)) == 3


def test_a_thief_gets_what_it_will_have_all_strips_of_before_it_has_computed_them():
    queue = crossed()
    turns = [queue.lend_task(thief(idle=False), 0) for _ in range(6)]
    assert [tile_of(turn) for turn in turns] == [8, 6, 2, 0, 4, 7]
    assert turns[-1] == ScheduledTask(Task("f", 7), reusing=True)
    assert queue.lend_task(thief("other", idle=False), 0) is None


def test_what_is_computed_here_and_on_its_way_counts_as_computed_here():
    queue = crossed()
    for _ in FREE:
        queue.on_result_sent(queue.take_task(0).task, 0)
    assert queue.take_task(0, reuses=True) == ScheduledTask(Task("f", 1), reusing=True)
    assert queue.lend_task(thief(idle=False), 0) is None


def test_what_runs_here_is_computed_by_the_time_the_own_worker_is_idle_again():
    queue = crossed()
    for _ in FREE:
        queue.take_task(0)
    assert queue.lend_task(thief(idle=False), 0) is None
    assert queue.take_task(0, reuses=True) == ScheduledTask(Task("f", 1), reusing=True)


def test_the_strips_of_the_next_own_tile_can_be_had_before_the_one_before_it_is_done():
    queue = crossed()
    finish(queue, 0, 2, 6, 8, worker="other")
    assert queue.upcoming_task() is None  # tile 4 depends on nobody
    queue.take_task(0)
    assert queue.upcoming_task() == Task("f", 1)
    assert queue.take_task(0, reuses=True) == ScheduledTask(Task("f", 1), reusing=True)
    assert queue.upcoming_task() == Task("f", 3)


def test_nothing_is_upcoming_that_waits_for_strips_of_others():
    queue = crossed()
    assert TaskQueue("me", CROSS, 1.0).upcoming_task() is None
    lend_free(queue, "other")
    assert queue.upcoming_task() is None
    finish(queue, *FREE, worker="other", kept=False)
    assert queue.upcoming_task() is None


def test_the_upcoming_tile_is_the_one_that_most_strips_are_here_for():
    queue = crossed()
    finish(queue, 0, 2, worker="a")
    finish(queue, 4, 6, 8, worker="me")
    assert queue.upcoming_task() == Task("f", 7)


def test_a_tile_that_does_without_strips_is_not_upcoming():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.take_task(0, reuses=True)
    queue.run_whole(turn.task)
    queue.put_back(turn.task)
    assert queue.upcoming_task() is None
    assert queue.take_task(0, reuses=True) == ScheduledTask(turn.task)


def test_tiles_are_near_a_node_that_will_have_all_their_strips():
    queue = crossed()
    for _ in FREE:
        queue.lend_task(thief("near", idle=False), 0)
    assert queue.available_tasks(0) == AvailableTasks(0, 0, {"near": 4})
    queue.lend_task(thief("near", idle=False), 0)
    assert queue.available_tasks(0) == AvailableTasks(0, 0, {"near": 3})


def test_tiles_are_near_a_node_that_computed_some_strips_where_the_gateway_keeps_the_others():
    queue = crossed()
    finish(queue, 0, 2, 6, 8, worker="other")
    finish(queue, 4, worker="maker", kept=False)
    assert queue.available_tasks(0) == AvailableTasks(0, 4, {"maker": 4})


def test_tiles_are_near_nobody_who_lacks_a_strip():
    queue = crossed()
    finish(queue, *FREE[1:], worker="maker", kept=False)
    assert queue.available_tasks(0) == AvailableTasks(1, 0)
    queue.lend_task(thief("other", idle=False), 0)
    assert queue.available_tasks(0) == AvailableTasks(0, 4)


def test_tiles_are_near_several_nodes_when_each_has_computed_all():
    queue = crossed()
    finish(queue, *FREE, worker="first", kept=False)
    assert queue.available_tasks(0).near == {"first": 4}
    finish(queue, 0, 2, worker="second", kept=False)
    assert queue.available_tasks(0).near == {"first": 1}
    finish(queue, 4, worker="second", kept=False)
    assert queue.available_tasks(0).near == {"second": 1}


def test_tiles_that_this_node_has_the_strips_of_are_near_no_other():
    queue = crossed()
    finish(queue, *FREE, worker="me", kept=False)
    assert queue.available_tasks(0) == AvailableTasks(0, 4)


def test_tiles_are_not_near_a_node_that_is_lost():
    queue = crossed()
    for _ in FREE:
        queue.lend_task(thief("lost", idle=False), 0)
    queue.requeue_node("lost")
    assert queue.available_tasks(0) == AvailableTasks(5, 0)


def test_what_anyone_may_take_is_near_nobody():
    queue = crossed()
    finish(queue, *FREE, worker="maker")
    assert queue.available_tasks(0) == AvailableTasks(4, 0)


def test_of_several_ready_tiles_the_taker_gets_the_one_it_has_most_strips_of():
    queue = crossed()
    finish(queue, 0, 6, worker="a")
    finish(queue, 2, 4, 8, worker="b")
    assert tile_of(queue.lend_task(thief("a"), 0)) == 3
    assert tile_of(queue.lend_task(thief("b"), 0)) == 5
    assert tile_of(queue.lend_task(thief("c"), 0)) == 7
    assert tile_of(queue.lend_task(thief("c"), 0)) == 1


def test_the_own_worker_prefers_what_it_has_most_strips_of_too():
    queue = crossed()
    finish(queue, 0, 2, worker="a")
    finish(queue, 4, 6, 8, worker="me")
    assert tile_of(queue.take_task(0, reuses=True)) == 7
    assert tile_of(queue.take_task(0, reuses=True)) == 3


def test_strips_of_a_later_frame_do_not_let_it_overtake():
    queue = crossed()
    queue.add_frame("g", reuse=True)
    finish(queue, *FREE, worker="other", frame="f")
    finish(queue, *FREE, worker="me", frame="g")
    assert queue.take_task(0, reuses=True).task.frame == "f"


def test_who_cannot_reuse_never_gets_a_reusing_turn():
    queue = crossed()
    finish(queue, *FREE)
    assert counts(queue) == (4, 0)
    assert queue.lend_task(thief(idle=False, reuses=False), 0) is None
    lent = queue.lend_task(thief(reuses=False), 0)
    assert (lent.task.tile, lent.reusing) == (7, False)
    taken = queue.take_task(0, reuses=False)
    assert (taken.task.tile, taken.reusing) == (1, False)


def test_strips_are_wanted_for_all_that_read_them():
    queue = crossed()
    turns = {tile_of(turn): turn for turn in [queue.take_task(0) for _ in FREE]}
    assert {tile: turn.wanted for tile, turn in turns.items()} == {
        0: (1, 3), 2: (1, 5), 4: (1, 3, 5, 7), 6: (3, 7), 8: (5, 7),
    }  # fmt: skip


def test_strips_are_wanted_of_thieves_as_well():
    assert crossed().lend_task(thief(), 0) == ScheduledTask(Task("f", 8), wanted=(5, 7))


def test_no_strips_are_wanted_for_tiles_that_are_given_up():
    queue = crossed()
    learn_pace(queue)
    lend_free(queue, "stuck")
    assert [tile_of(queue.lend_task(thief("idle"), 50.0)) for _ in range(2)] == [7, 5]
    queue.requeue_node("stuck")
    turns = [queue.lend_task(thief("x", reuses=False), 50.0) for _ in FREE]
    assert {tile_of(turn): turn.wanted for turn in turns} == {0: (1, 3), 2: (1,), 4: (1, 3), 6: (3,), 8: ()}


def test_who_is_alone_wants_no_strips():
    queue = crossed(alone=True)
    assert all(queue.take_task(0).wanted == () for _ in FREE)


def test_who_is_no_longer_alone_wants_strips():
    queue = crossed(alone=True)
    queue.take_task(0)
    queue.alone = False
    assert queue.take_task(0).wanted == (1, 3)


def test_who_is_alone_reuses_its_own_strips():
    queue = crossed(alone=True)
    for tile in FREE:
        queue.on_result_sent(queue.take_task(0).task, 0)
        finish(queue, tile, kept=False)
    assert [turn.reusing for turn in [queue.take_task(0, reuses=True) for _ in DEPENDENT]] == [True] * 4


def test_a_tile_whose_strips_cannot_be_had_runs_with_its_whole_halo_instead():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend_task(thief(), 0)
    assert turn == ScheduledTask(Task("f", 7), reusing=True)
    assert queue.run_whole(turn.task) == ScheduledTask(Task("f", 7))
    taken = queue.take_task(0, reuses=True)
    assert taken.reusing
    assert queue.run_whole(taken.task) == ScheduledTask(taken.task)


def test_a_tile_that_did_without_strips_does_so_when_it_comes_back():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend_task(thief("lost"), 0)
    queue.run_whole(turn.task)
    queue.requeue_node("lost")
    assert queue.take_task(0, reuses=True) == ScheduledTask(turn.task)


def test_no_strips_are_wanted_any_more_for_a_tile_that_did_without():
    queue = crossed()
    for _ in FREE:
        queue.lend_task(thief("lost"), 0)
    queue.run_whole(queue.lend_task(thief("lost"), 0).task)
    queue.requeue_node("lost")
    assert queue.take_task(0) == ScheduledTask(Task("f", 7))
    assert {tile_of(turn): turn.wanted for turn in [queue.take_task(0) for _ in FREE]} == {
        0: (1, 3), 2: (1, 5), 4: (1, 3, 5), 6: (3,), 8: (5,),
    }  # fmt: skip


def test_in_a_frame_without_reuse_nothing_is_blocked_by_a_tile_that_asks_for_its_whole_halo():
    queue = TaskQueue("me", CROSS, 1.0)
    queue.add_frame("f")
    turn = queue.lend_task(thief(), 0)
    assert queue.run_whole(turn.task) == turn
    assert counts(queue) == (8, 0)


def test_nothing_is_done_without_strips_that_is_finished_already():
    queue = crossed()
    finish(queue, *FREE)
    turn = queue.lend_task(thief(), 0)
    finish(queue, turn.task.tile)
    assert queue.run_whole(turn.task) is None
    other = queue.lend_task(thief(), 0)
    queue.drop_frame("f")
    assert queue.run_whole(other.task) is None
    assert queue.run_whole(Task("unheard-of", 1)) is None
