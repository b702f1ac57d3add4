"""Slow nodes get no task that the others will have done before them."""

from __future__ import annotations

import pytest

from edge.tasks.predicted_ends import SLOW_S
from tests.unit.edge.queues import TILE_S, crossed, learn_pace, queue_of, thief
from tests.unit.edge.tile_orders import WHOLE

SLOW = 10


def queue_with_slow(count, owner="me"):
    """So many waiting tiles, one of which a node that is ten times slower than the owner has computed before."""
    queue = queue_of(count + 1)
    learn_pace(queue)
    stolen = queue.lend_task(thief("slow"), -SLOW * TILE_S).task
    for _ in range(5):
        queue.task_done(stolen, "slow", SLOW * TILE_S, 0.0, WHOLE.macs)
        queue.pace.add_result(owner, TILE_S, WHOLE.macs)
    return queue


@pytest.mark.parametrize(("count", "slow"), [(2, {"slow"}), (9, {"slow"}), (10, set()), (20, set())])
def test_a_node_that_would_end_after_the_others_is_named_slow(count, slow):
    assert queue_with_slow(count).available_tasks(0.0).slow == slow


def test_others_that_help_end_sooner():
    queue = queue_with_slow(12)
    assert not queue.available_tasks(0.0).slow
    queue.lend_task(thief("fast"), 0.0)
    assert queue.available_tasks(0.0).slow == {"slow"}


def test_an_equal_node_is_never_slow():
    queue = queue_with_slow(3)
    for task in [queue.lend_task(thief("fast"), 0.0).task, queue.take_task(0.0).task]:
        queue.task_done(task, "fast", TILE_S, 1.0, WHOLE.macs)
    assert queue.available_tasks(1.0).slow == {"slow"}


@pytest.mark.parametrize(("now", "slow"), [(SLOW_S, {"slow"}), (SLOW_S + 0.01, set())])
def test_a_slow_node_is_tried_again_after_a_while(now, slow):
    assert queue_with_slow(2).available_tasks(now).slow == slow


def test_a_lost_node_is_forgotten():
    queue = queue_with_slow(2)
    queue.requeue_node("slow")
    assert not queue.available_tasks(0.0).slow


def test_the_owner_is_never_too_slow_for_its_own_tasks():
    queue = queue_with_slow(2, owner="fast")
    for _ in range(5):
        queue.pace.add_result("me", SLOW * TILE_S, WHOLE.macs)
    queue.task_done(queue.take_task(0.0).task, "me", SLOW * TILE_S, 10.0, WHOLE.macs)
    assert "me" not in queue.available_tasks(10.0).slow


def test_in_frames_with_reuse_strips_decide():
    queue = crossed()
    learn_pace(queue)
    stolen = queue.lend_task(thief("slow"), 0.0).task
    queue.task_done(stolen, "slow", 100 * TILE_S, 1.0, WHOLE.macs)
    assert not queue.available_tasks(1.0).slow


def test_slow_nodes_are_counted_as_unfit_for_all_waiting_tasks():
    available = queue_with_slow(2).available_tasks(0.0)
    assert (available.waiting, available.unfit_or_slow()) == (2, {"slow": 2})
