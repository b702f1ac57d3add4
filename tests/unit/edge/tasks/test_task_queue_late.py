"""Tasks that are late are computed a second time by a node that has nothing else to do; the first result counts."""

from __future__ import annotations

import pytest

from edge.tasks.predicted_ends import COPY_FACTOR, COPY_LATE_FACTOR, COPY_S
from edge.tasks.task import NO_TASKS, Task
from tests.unit.edge.queues import TILE_S, learn_pace, queue_of, thief, tile_of
from tests.unit.edge.tile_orders import WHOLE

SLOW = 10


@pytest.fixture
def queue():
    """Two tiles, one of which a slow node has begun; the owner has done the other."""
    assert TILE_S == 1.0
    queue = queue_of(2)
    learn_pace(queue)
    queue.pace.add_result("slow", SLOW * TILE_S, WHOLE.macs)
    queue.lend_task(thief("slow"), 0.0)
    queue.task_done(queue.take_task(0.0).task, "me", TILE_S, 1.0, WHOLE.macs)
    return queue


LENT = Task("f", 1)


def test_the_owner_computes_what_a_slow_node_would_end_later(queue):
    assert queue.take_late_task(1.0).task == LENT


def test_so_does_another_idle_thief_and_only_one(queue):
    assert queue.available_tasks(1.0).overdue == 1
    assert tile_of(queue.lend_task(thief("fast"), 1.0)) == 1
    assert queue.available_tasks(1.0) == NO_TASKS
    assert queue.lend_task(thief("other"), 1.0) is None
    assert queue.take_late_task(1.0) is None


def test_the_first_result_counts_and_the_second_changes_nothing(queue):
    queue.take_late_task(1.0)
    queue.task_done(LENT, "me", TILE_S, 2.0, WHOLE.macs)
    assert (queue.available_tasks(2.0), queue.requeue_expired(1e9)) == (NO_TASKS, [])
    queue.task_done(LENT, "slow", SLOW * TILE_S, 10.0, WHOLE.macs)
    assert (queue.available_tasks(10.0), queue.requeue_expired(1e9)) == (NO_TASKS, [])


@pytest.mark.parametrize("taker", [thief("slow"), thief("fast", idle=False)])
def test_not_its_holder_and_nobody_who_has_other_work(queue, taker):
    assert queue.lend_task(taker, 1.0) is None


def test_nor_a_node_that_has_failed_to_compute_it(queue):
    queue.task_failed(LENT, "fast")
    assert queue.lend_task(thief("fast"), 1.0) is None
    assert tile_of(queue.lend_task(thief("other"), 1.0)) == 1


@pytest.mark.parametrize(("now", "copied"), [(-0.01, True), (0.01, False)])
def test_a_task_that_is_due_soon_stays_with_its_holder(queue, now, copied):
    last_s = SLOW * TILE_S - COPY_FACTOR * TILE_S - COPY_S
    assert (queue.take_late_task(last_s + now) is not None) == copied


@pytest.mark.parametrize(("now", "copied"), [(-0.01, False), (0.01, True)])
def test_a_task_that_takes_far_longer_than_predicted_may_never_end(queue, now, copied):
    assert (queue.take_late_task(COPY_LATE_FACTOR * SLOW * TILE_S + now) is not None) == copied


def test_nothing_is_computed_twice_while_tasks_wait(queue):
    queue.add_frame("g")
    assert queue.lend_task(thief("fast"), 1.0).task.frame == "g"


def test_whole_frames_are_not_computed_twice():
    queue = queue_of(1)
    learn_pace(queue)
    queue.pace.add_result("slow", SLOW * TILE_S, WHOLE.macs)
    queue.lend_task(thief("slow"), 0.0)
    assert queue.take_late_task(1.0) is None
    assert queue.available_tasks(1.0) == NO_TASKS


def test_while_nobody_knows_how_long_a_tile_takes_none_is_late():
    queue = queue_of(2)
    queue.lend_task(thief("slow"), 0.0)
    queue.take_task(0.0)
    assert queue.take_late_task(100.0) is None


def test_a_failure_of_the_second_leaves_the_task_to_the_first(queue):
    queue.lend_task(thief("fast"), 1.0)
    assert queue.task_failed(LENT, "fast")
    assert queue.empty
    assert tile_of(queue.lend_task(thief("other"), 1.0)) == 1


def test_one_that_the_second_did_not_receive_is_given_to_another(queue):
    queue.lend_task(thief("fast"), 1.0)
    assert not queue.hand_over_failed(LENT, "fast")
    assert queue.empty
    assert queue.take_late_task(1.0).task == LENT


def test_so_is_that_of_a_second_node_that_is_lost(queue):
    queue.lend_task(thief("fast"), 1.0)
    assert queue.requeue_node("fast") == []
    assert queue.take_late_task(1.0).task == LENT


def test_when_the_first_is_lost_the_task_waits_until_the_second_is_done(queue):
    queue.lend_task(thief("fast"), 1.0)
    assert queue.requeue_node("slow") == [LENT]
    queue.task_done(LENT, "fast", TILE_S, 2.0, WHOLE.macs)
    assert queue.empty


def test_a_late_task_of_the_owner_goes_to_a_faster_thief():
    queue = queue_of(2)
    learn_pace(queue)
    for _ in range(5):
        queue.pace.add_result("me", SLOW * TILE_S, WHOLE.macs)
    queue.lend_task(thief("fast"), 0.0)
    queue.take_task(0.0)
    queue.task_done(LENT, "fast", TILE_S, 1.0, WHOLE.macs)
    assert tile_of(queue.lend_task(thief("fast"), 1.0)) == 0


def test_a_frame_that_has_ended_is_not_late(queue):
    queue.lend_task(thief("fast"), 1.0)
    queue.drop_frame("f")
    assert queue.available_tasks(1.0) == NO_TASKS
    assert not queue.hand_over_failed(LENT, "fast")
