"""Tasks with strips that come back to the queue, are computed twice, or are dropped."""

from __future__ import annotations

import pytest

from edge.tasks.task import ScheduledTask, Task
from tests.unit.edge.queues import (
    counts,
    crossed,
    finish,
    learn_pace,
    thief,
    tile_of,
)
from tests.unit.edge.tile_orders import FREE


@pytest.mark.parametrize("way_back", ["put_back", "expire", "node_lost"])
def test_a_reusing_tile_that_comes_back_is_first_in_line_and_reuses_again(way_back):
    queue = crossed(lease_s=1.0)
    finish(queue, 0, 2, 4, seconds=0.1)
    turn = queue.lend_task(thief(), 0)
    assert turn == ScheduledTask(Task("f", 1), reusing=True)
    match way_back:
        case "put_back":
            assert queue.put_back(turn.task)
        case "expire":
            assert queue.requeue_expired(1.0) == [turn.task]
        case "node_lost":
            assert queue.requeue_node("thief") == [turn.task]
    assert counts(queue) == (3, 3)
    assert queue.take_task(0, reuses=True) == turn


def test_a_blocked_tile_that_was_given_away_whole_comes_back_as_one_that_anyone_may_take():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, kept=False)
    turn = queue.lend_task(thief("lost"), 0)
    assert tile_of(turn) == 7
    assert counts(queue) == (0, 3)
    queue.requeue_node("lost")
    assert counts(queue) == (1, 3)
    assert queue.lend_task(thief("other", idle=False), 0) == turn


def test_a_giver_that_comes_back_is_given_before_any_blocked_tile():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    assert tile_of(queue.take_task(0)) == 8
    assert queue.put_back(Task("f", 8))
    assert tile_of(queue.take_task(0, reuses=False)) == 8


def test_strips_of_the_second_who_computed_a_tile_count_as_well():
    queue = crossed()
    finish(queue, *FREE, worker="first", kept=False)
    finish(queue, *FREE, worker="second", kept=False)
    assert queue.lend_task(thief("second", idle=False), 0) == ScheduledTask(Task("f", 7), reusing=True)


def test_a_dropped_frame_leaves_nothing_behind():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    queue.take_task(0)
    queue.lend_task(thief(), 0)
    queue.drop_frame("f")
    assert counts(queue) == (0, 0)
    finish(queue, 6, 8)
    assert not any([queue._waiting, queue._leases._leases, queue._reuse._frames])
    queue.add_frame("f", reuse=True)
    assert counts(queue) == (5, 4)
