"""Who takes ahead, while it still computes another tile: the last tasks go to whoever is free first."""

from __future__ import annotations

import pytest

from edge.tasks.task import ScheduledTask, Task
from edge.tasks.task_queue import LEASE_FACTOR, SOONER_FACTOR, TaskQueue
from tests.unit.edge.queues import TILE_S, crossed, finish, learn_pace, queue_of, thief, tile_of
from tests.unit.edge.tile_orders import FREE, WHOLE, plain

MARGIN_S = SOONER_FACTOR * TILE_S


def queue_with_pace(count):
    """So many tiles that take 1 s each."""
    assert TILE_S == 1.0
    queue = queue_of(count)
    learn_pace(queue)
    return queue


def ahead(queue, node, now):
    """What a node gets that asks before it is idle."""
    return tile_of(queue.lend_task(thief(node, idle=False), now))


def test_anyone_takes_ahead_while_nobody_knows_how_long_a_tile_takes():
    queue = queue_of(3)
    assert [ahead(queue, "a", 0) for _ in range(3)] == [2, 1, 0]


def test_who_takes_ahead_does_not_get_the_last_task_while_the_owner_is_free_sooner():
    queue = queue_with_pace(2)
    queue.lend_task(thief("a"), 0)
    assert ahead(queue, "a", 0) is None
    assert tile_of(queue.take_task(0)) == 0


def test_what_was_refused_to_one_that_takes_ahead_still_waits():
    queue = queue_with_pace(2)
    queue.lend_task(thief("a"), 0)
    ahead(queue, "a", 0)
    assert queue.available_tasks(0).waiting == 1
    assert tile_of(queue.lend_task(thief("a"), TILE_S)) == 0  # now it is idle


def test_who_takes_ahead_gets_a_task_while_there_is_one_for_the_owner_too():
    queue = queue_with_pace(3)
    queue.lend_task(thief("a"), 0)
    assert ahead(queue, "a", 0) == 1
    assert ahead(queue, "a", 0) is None


def test_who_takes_ahead_but_has_nothing_of_ours_is_as_good_as_idle():
    queue = queue_with_pace(1)
    assert ahead(queue, "a", 0) == 0


def test_nothing_is_taken_ahead_where_nothing_waits():
    queue = queue_with_pace(1)
    queue.take_task(0)
    assert ahead(queue, "a", 0) is None


@pytest.mark.parametrize(
    ("later_s", "taken"),
    [(-0.5, True), (0.0, True), (MARGIN_S - 0.01, True), (MARGIN_S + 0.01, False), (0.9, False)],
)
def test_of_two_that_are_busy_the_one_that_is_free_first_gets_the_last_task(later_s, taken):
    """The thief has begun its tile so much later than the owner; a little is within what can be told."""
    queue = queue_with_pace(3)
    queue.take_task(1.0)
    queue.lend_task(thief("a"), 1.0 + later_s)
    assert (ahead(queue, "a", 1.95) is not None) == taken


@pytest.mark.parametrize(("seconds", "taken"), [(0.5, True), (1.0, True), (1.5, False), (4.0, False)])
def test_a_slow_node_leaves_the_last_task_to_a_quicker_one_that_began_with_it(seconds, taken):
    queue = queue_with_pace(3)
    learn_pace(queue, seconds, worker="a")
    queue.take_task(0)
    queue.lend_task(thief("a"), 0)
    assert (ahead(queue, "a", 0.1) is not None) == taken


def test_the_last_task_goes_to_the_thief_that_is_free_first():
    queue = queue_with_pace(4)
    queue.lend_task(thief("first"), 0.0)
    queue.lend_task(thief("second"), 0.5)
    queue.take_task(0.9)
    assert ahead(queue, "second", 1.0) is None
    assert ahead(queue, "first", 1.0) == 1


def test_as_many_tasks_are_left_as_there_are_others_who_will_be_free_sooner():
    queue = queue_with_pace(6)
    queue.take_task(0.0)
    queue.lend_task(thief("first"), 0.0)
    queue.lend_task(thief("second"), 0.5)
    assert ahead(queue, "second", 0.6) == 3  # three wait, and two are sooner
    assert ahead(queue, "second", 0.6) is None


def test_two_tiles_of_one_holder_are_due_one_after_the_other():
    queue = queue_with_pace(4)
    queue.take_task(0.0)
    queue.lend_task(thief("a"), 0.0)
    assert ahead(queue, "a", 0.0) == 2
    assert ahead(queue, "a", 0.5) is None
    assert ahead(queue, "b", 0.5) == 1


@pytest.mark.parametrize(("lanes", "taken"), [(1, None), (2, 1)])
def test_a_thief_that_computes_two_tasks_side_by_side_is_free_for_the_second(lanes, taken):
    queue = TaskQueue("me", plain(3), 1.0, lanes_of=lambda node: lanes if node == "a" else 1)
    queue.add_frame("f")
    learn_pace(queue)
    queue.take_task(0.0)
    queue.lend_task(thief("a"), 0.5)
    assert ahead(queue, "a", 0.6) == taken
    assert ahead(queue, "a", 0.6) is None


@pytest.mark.parametrize(("now", "taken"), [(LEASE_FACTOR - 0.01, False), (LEASE_FACTOR + 0.01, True)])
def test_a_helper_that_has_not_been_here_for_as_long_as_a_lease_does_not_count(now, taken):
    queue = queue_with_pace(4)
    helped = queue.lend_task(thief("helper"), 0.0).task
    queue.task_done(helped, "helper", TILE_S, 1.0, WHOLE.macs)
    queue.take_task(now - 0.1)
    queue.lend_task(thief("a"), now - 0.1)
    assert (ahead(queue, "a", now) is not None) == taken


def test_a_helper_that_found_nothing_is_there_all_the_same():
    queue = queue_with_pace(2)
    queue.task_done(queue.take_task(0.0).task, "me", TILE_S, 0.0, WHOLE.macs)
    queue.take_task(0.0)
    assert queue.lend_task(thief("helper"), 0.0) is None
    queue.add_frame("g")
    queue.lend_task(thief("a"), 0.0)
    assert ahead(queue, "a", 0.0) is None  # one task for the helper


def test_a_helper_that_is_lost_does_not_count():
    queue = queue_with_pace(4)
    queue.lend_task(thief("lost"), 0.0)
    queue.lend_task(thief("a"), 0.5)
    queue.take_task(0.9)
    assert ahead(queue, "a", 0.9) is None
    assert queue.requeue_node("lost") == [Task("f", 3)]
    queue.lend_task(thief("other"), 0.9)
    assert ahead(queue, "a", 0.9) == 3


@pytest.mark.parametrize(("done_at", "begun_at", "taken"), [(0.5, 0.3, True), (2.0, 1.5, False), (2.0, 1.8, True)])
def test_what_a_holder_does_next_is_due_when_the_result_before_it_has_come(done_at, begun_at, taken):
    """A result that is early or late makes the one who sent it free earlier or later, too."""
    queue = queue_with_pace(4)
    first = queue.lend_task(thief("a"), 0.0).task
    assert ahead(queue, "a", 0.0) == 2
    queue.take_task(begun_at)
    queue.task_done(first, "a", TILE_S, done_at, WHOLE.macs)
    assert (ahead(queue, "a", done_at) is not None) == taken


@pytest.mark.parametrize(("now", "taken"), [(TILE_S - MARGIN_S - 0.01, False), (TILE_S - MARGIN_S + 0.01, True)])
def test_who_is_about_to_be_idle_is_as_good_as_those_who_are(now, taken):
    queue = queue_with_pace(2)
    queue.lend_task(thief("a"), 0.0)
    assert (ahead(queue, "a", now) is not None) == taken


def test_what_waits_for_nobody_but_this_node_it_may_take_ahead():
    queue = crossed()
    learn_pace(queue)
    for _ in FREE:
        queue.lend_task(thief("near"), 0.0)
    assert queue.lend_task(thief("near", idle=False), 0.1) == ScheduledTask(Task("f", 7), reusing=True)
    assert queue.lend_task(thief("far", idle=False), 0.1) is None


def test_tiles_whose_strips_are_there_are_for_whoever_is_free_first():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, worker="other")
    turns = queue.lend_task(thief("a"), 0.0), queue.take_task(0.0, reuses=True), queue.lend_task(thief("b"), 0.5)
    assert all(turn.reusing for turn in turns)
    assert ahead(queue, "b", 0.55) is None
    assert ahead(queue, "a", 0.55) == 3
