from __future__ import annotations

import math

from edge.tasks.pace import PACE_TILES
from edge.tasks.task import AvailableTasks, Task
from edge.tasks.task_queue import LEASE_FACTOR, TaskQueue
from tests.unit.edge.queues import (
    counts,
    drain,
    queue_of,
    thief,
    tile_of,
)
from tests.unit.edge.tile_orders import plain


def test_the_own_worker_takes_from_the_front():
    assert drain(queue_of(3)) == [0, 1, 2]


def test_thieves_take_from_the_back():
    queue = queue_of(3)
    assert [tile_of(queue.lend_task(thief(), 0)) for _ in range(3)] == [2, 1, 0]


def test_owner_and_thieves_meet_in_the_middle():
    queue = queue_of(4)
    turns = queue.take_task(0), queue.lend_task(thief("a"), 0), queue.take_task(0), queue.lend_task(thief("b"), 0)
    assert [tile_of(turn) for turn in turns] == [0, 3, 1, 2]
    assert queue.take_task(0) is None
    assert queue.lend_task(thief("a"), 0) is None


def test_an_empty_queue_has_nothing_to_give():
    queue = TaskQueue("me", plain(3), 1.0)
    assert (queue.take_task(0), queue.lend_task(thief(), 0), queue.available_tasks(0)) == (None, None, AvailableTasks())
    assert queue.requeue_expired(math.inf) == []


def test_a_later_frame_waits_behind_an_earlier_one():
    queue = queue_of(2, frame="first")
    queue.add_frame("second")
    assert [queue.take_task(0).task.frame for _ in range(4)] == ["first", "first", "second", "second"]


def test_thieves_help_an_earlier_frame_first_and_begin_at_the_back_of_each():
    queue = queue_of(2, frame="first")
    queue.add_frame("second")
    lent = [queue.lend_task(thief(), 0).task for _ in range(4)]
    assert lent == [Task("first", 1), Task("first", 0), Task("second", 1), Task("second", 0)]


def test_a_task_that_comes_back_does_not_put_its_frame_before_earlier_ones():
    queue = queue_of(2, frame="first")
    queue.add_frame("second")
    *_, came_back = (queue.lend_task(thief(), 0).task for _ in range(3))
    queue.requeue_node("thief")
    assert came_back == Task("second", 1)
    assert [queue.lend_task(thief(), 0).task.frame for _ in range(4)] == ["first", "first", "second", "second"]


def test_waiting_counts_what_anyone_may_take():
    queue = queue_of(3)
    queue.take_task(0)
    queue.lend_task(thief(), 0)
    assert counts(queue) == (1, 0)


def test_a_stolen_task_returns_when_its_lease_ends():
    queue = queue_of(2, lease_s=2.0)
    stolen = queue.lend_task(thief(), now=10.0).task
    assert queue.requeue_expired(11.9) == []
    assert queue.requeue_expired(12.0) == [stolen]
    assert queue.requeue_expired(12.0) == []


def test_a_returned_task_is_first_in_line():
    queue = queue_of(3)
    queue.lend_task(thief(), 0)
    queue.requeue_expired(5.0)
    assert drain(queue) == [2, 0, 1]


def test_a_stolen_task_returns_when_its_thief_is_lost():
    queue = queue_of(4)
    stolen = {queue.lend_task(thief("lost"), 0).task, queue.lend_task(thief("lost"), 0).task}
    queue.lend_task(thief("other"), 0)
    assert set(queue.requeue_node("lost")) == stolen
    assert set(drain(queue)) == {0, 2, 3}
    assert queue.requeue_node("lost") == []


def test_a_task_that_runs_here_does_not_return_when_a_node_is_lost():
    queue = queue_of(2)
    queue.take_task(0)
    lent = queue.lend_task(thief("lost"), 0).task
    assert queue.requeue_node("lost") == [lent]
    assert queue.requeue_expired(1e9) == []


def test_a_result_on_its_way_to_the_gateway_has_a_lease_too():
    queue = queue_of(1, lease_s=2.0)
    task = queue.take_task(3.0).task
    queue.on_result_sent(task, now=10.0)
    assert queue.requeue_expired(11.9) == []
    assert queue.requeue_expired(12.0) == [task]


def test_a_result_on_its_way_does_not_lengthen_the_lease_of_one_who_has_the_task_meanwhile():
    queue = queue_of(1, lease_s=2.0)
    task = queue.take_task(0).task
    queue.put_back(task)
    assert queue.lend_task(thief(), 1.0).task == task
    queue.on_result_sent(task, 2.9)
    assert queue.requeue_expired(3.0) == [task]


def test_a_result_that_arrived_ends_the_lease():
    queue = queue_of(1)
    task = queue.lend_task(thief(), 0).task
    queue.task_done(task, "thief", 0.1, 0)
    assert queue.requeue_expired(1e9) == queue.requeue_node("thief") == []


def test_a_second_result_is_ignored():
    queue = queue_of(2)
    task = queue.lend_task(thief(), 0).task
    queue.task_done(task, "thief", 0.1, 0)
    queue.task_done(task, "thief", 0.1, 0)
    assert drain(queue) == [0]


def test_a_late_result_spares_the_task_from_running_again():
    queue = queue_of(2)
    task = queue.lend_task(thief("slow"), 0).task
    queue.requeue_expired(10.0)
    queue.task_done(task, "slow", 10.5, 0)
    assert drain(queue) == [0]


def test_a_late_result_ends_the_lease_of_the_second_thief():
    queue = queue_of(1)
    task = queue.lend_task(thief("slow"), 0).task
    queue.requeue_expired(10.0)
    assert queue.lend_task(thief("quick"), 10.0).task == task
    queue.task_done(task, "slow", 0.1, 0)
    assert queue.requeue_expired(1e9) == []


def test_a_late_result_of_a_task_that_runs_here_again_spares_it_the_lease():
    queue = queue_of(1)
    queue.lend_task(thief("slow"), 0)
    queue.requeue_expired(10.0)
    again = queue.take_task(10.0).task
    queue.task_done(again, "slow", 10.5, 0)
    queue.on_result_sent(again, 11.0)
    assert queue.requeue_expired(1e9) == []


def test_a_result_of_a_finished_frame_is_ignored():
    queue = queue_of(2)
    task = queue.lend_task(thief(), 0).task
    queue.drop_frame("f")
    queue.task_done(task, "thief", 0.1, 0)
    assert (queue.available_tasks(0), queue.requeue_expired(1e9)) == (AvailableTasks(), [])


def test_a_dropped_frame_is_forgotten_wherever_its_tasks_are():
    queue = queue_of(4)
    running, lent = queue.take_task(0).task, queue.lend_task(thief(), 0).task
    queue.drop_frame("f")
    queue.on_result_sent(running, 0)
    assert queue.available_tasks(0) == AvailableTasks()
    assert queue.requeue_expired(1e9) == queue.requeue_node("thief") == []
    assert not queue.put_back(running)
    assert not queue.put_back(lent)
    assert drain(queue) == []


def test_dropping_a_frame_leaves_the_others():
    queue = queue_of(3, frame="first")
    queue.add_frame("second")
    *_, lent = (queue.lend_task(thief(), 0).task for _ in range(4))
    queue.drop_frame("first")
    assert drain(queue) == [0, 1]
    assert queue.requeue_expired(1e9) == [lent]


def test_a_task_that_could_not_be_handed_over_is_first_in_line_again():
    queue = queue_of(3)
    assert queue.put_back(queue.lend_task(thief(), 0).task)
    assert drain(queue) == [2, 0, 1]


def test_a_task_that_could_not_be_run_here_waits_again():
    queue = queue_of(2)
    assert queue.put_back(queue.take_task(0).task)
    assert drain(queue) == [0, 1]


def test_putting_back_what_is_done_changes_nothing():
    queue = queue_of(1)
    task = queue.lend_task(thief(), 0).task
    queue.task_done(task, "thief", 0.1, 0)
    assert not queue.put_back(task)
    assert queue.available_tasks(0) == AvailableTasks()


def test_a_lease_is_no_shorter_than_the_plan_says():
    queue = queue_of(1, lease_s=2.0)
    queue.task_done(Task("f", 7), "me", 0.01, 0)
    assert queue.current_lease_s == 2.0


def test_a_lease_grows_with_the_longest_recent_tile():
    queue = queue_of(1, lease_s=1.0)
    for seconds in (0.3, 2.0, 0.5):
        queue.task_done(Task("f", 7), "me", seconds, 0)
    assert queue.current_lease_s == 2.0 * LEASE_FACTOR
    lent = queue.lend_task(thief(), now=100.0).task
    assert queue.requeue_expired(100.0 + 2.0 * LEASE_FACTOR - 0.01) == []
    assert queue.requeue_expired(100.0 + 2.0 * LEASE_FACTOR) == [lent]


def test_a_lease_shrinks_when_the_longest_tile_is_long_ago():
    queue = queue_of(1, lease_s=1.0)
    queue.task_done(Task("f", 7), "me", 50.0, 0)
    for _ in range(PACE_TILES):
        queue.task_done(Task("f", 7), "me", 0.1, 0)
    assert queue.current_lease_s == 1.0


def test_a_tile_of_a_frozen_node_does_not_stretch_leases_past_the_frame():
    queue = TaskQueue("me", plain(2), 1.0, longest_s=5.0)
    queue.add_frame("f")
    queue.task_done(Task("f", 0), "frozen", 3600.0, 0)
    queue.lend_task(thief(), 0.0)
    assert queue.requeue_expired(4.9) == []
    assert queue.requeue_expired(5.0) == [Task("f", 1)]


def test_results_tell_the_pace_of_their_workers():
    queue = queue_of(3)
    queue.task_done(Task("f", 0), "me", 5.0, 0)
    assert queue.pace.of_all is None
    queue.task_done(Task("f", 0), "me", 1.0, 0, macs=100)
    queue.task_done(Task("f", 1), "thief", 3.0, 0, macs=100)
    assert (queue.pace.of_node("me"), queue.pace.of_node("thief"), queue.pace.of_all) == (0.01, 0.03, 0.02)


def test_the_pace_of_a_lost_node_is_forgotten():
    queue = queue_of(1)
    queue.task_done(Task("f", 0), "me", 1.0, 0, macs=100)
    queue.task_done(Task("f", 0), "lost", 3.0, 0, macs=100)
    queue.requeue_node("lost")
    assert queue.pace.of_node("lost") == queue.pace.of_all
