"""Tasks that a node has failed to compute: they are for all others."""

from __future__ import annotations

from tests.unit.edge.queues import crossed, drain, finish, lend_free, queue_of, thief
from tests.unit.edge.tile_orders import DEPENDENT


def test_a_task_that_we_cannot_compute_waits_for_others_only():
    queue = queue_of(2)
    task = queue.take_task(0).task
    assert queue.task_failed(task, "me")
    assert (queue.available_tasks(0).waiting, queue.available_tasks(0).unfit) == (2, {"me": 1})
    assert drain(queue) == [1]
    assert queue.lend_task(thief(), 0).task == task


def test_a_task_that_a_thief_cannot_compute_is_run_at_once_by_somebody_else():
    queue = queue_of(2)
    task = queue.lend_task(thief("a"), 0).task
    assert queue.task_failed(task, "a")
    assert queue.lend_task(thief("a"), 0).task != task
    assert queue.lend_task(thief("a"), 0) is None
    assert queue.take_task(0).task == task


def test_a_late_failure_of_who_has_lost_the_task_does_not_take_it_from_who_has_it():
    queue = queue_of(1, lease_s=1.0)
    task = queue.lend_task(thief("a"), 0).task
    queue.requeue_expired(2.0)
    assert queue.take_task(2.0).task == task
    assert queue.task_failed(task, "a")
    assert queue.lend_task(thief("b"), 2.0) is None
    queue.put_back(task)
    assert queue.lend_task(thief("a"), 2.0) is None
    assert queue.lend_task(thief("b"), 2.0).task == task


def test_a_task_that_is_finished_has_not_failed():
    queue = queue_of(1)
    task = queue.take_task(0).task
    finish(queue, 0)
    assert not queue.task_failed(task, "me")
    queue.add_frame("g")
    assert queue.available_tasks(0).unfit == {}
    assert queue.take_task(0).task.frame == "g"


def test_a_frame_that_is_dropped_takes_its_failures_along():
    queue = queue_of(2)
    queue.task_failed(queue.take_task(0).task, "me")
    queue.drop_frame("f")
    assert not queue._unfit


def test_a_task_that_failed_from_strips_is_computed_whole():
    queue = crossed()
    finish(queue, *lend_free(queue, "a"), worker="a")
    turn = queue.take_task(0, reuses=True)
    assert turn.reusing
    queue.task_failed(turn.task, "me")
    lent = [queue.lend_task(thief("b"), 0) for _ in DEPENDENT]
    assert {one.task.tile: one.reusing for one in lent} == {tile: tile != turn.task.tile for tile in DEPENDENT}
