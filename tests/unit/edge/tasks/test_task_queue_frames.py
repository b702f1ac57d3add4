"""What the queue says of whole frames and of the time until this node is free."""

from __future__ import annotations

import math

import pytest

from edge.tasks.task import Taker, Task
from edge.tasks.task_queue import TaskQueue
from tests.unit.edge.queues import TILE_S, learn_pace, queue_of
from tests.unit.edge.tile_orders import plain


def test_the_first_frame_is_the_one_whose_task_is_next():
    queue = queue_of(2, "f")
    queue.add_frame("g")
    assert queue.first_frame == "f"
    queue.drop_frame("f")
    assert queue.first_frame == "g"
    queue.drop_frame("g")
    assert queue.first_frame is None


def test_a_task_waits_until_it_is_taken_and_again_when_it_is_put_back():
    queue = queue_of(1)
    assert queue.is_waiting(Task("f", 0))
    queue.take_task(0.0)
    assert not queue.is_waiting(Task("f", 0))
    queue.put_back(Task("f", 0))
    assert queue.is_waiting(Task("f", 0))
    assert not queue.is_waiting(Task("f", 1))


def test_frames_are_untouched_until_a_task_of_theirs_is_taken():
    queue = queue_of(2, "f")
    queue.add_frame("g")
    assert queue.untouched_frames == 2
    queue.lend_task(Taker("thief"), 0.0)
    assert queue.untouched_frames == 1
    assert [queue.take_task(0.0).task for _ in range(2)] == [Task("f", 0), Task("g", 0)]
    assert queue.untouched_frames == 0


def test_a_node_is_busy_for_as_long_as_its_task_should_take():
    queue = queue_of(2)
    learn_pace(queue)
    assert queue.busy_s(10.0) == 0.0
    queue.take_task(10.0)
    assert queue.busy_s(10.0) == pytest.approx(TILE_S)
    assert queue.busy_s(10.0 + TILE_S / 4) == pytest.approx(3 * TILE_S / 4)
    assert queue.busy_s(10.0 + 2 * TILE_S) == 0.0


def test_it_is_not_known_how_long_a_node_is_busy_before_its_first_result():
    queue = queue_of(2)
    queue.take_task(0.0)
    assert queue.busy_s(1.0) == math.inf


def test_tasks_of_thieves_do_not_make_this_node_busy():
    queue = queue_of(2)
    learn_pace(queue)
    queue.lend_task(Taker("thief"), 0.0)
    assert queue.busy_s(0.0) == 0.0


def queue_with_lanes(count, lanes):
    queue = TaskQueue("me", plain(count), 1.0, lanes_of=lambda _: lanes)
    queue.add_frame("f")
    return queue


def test_a_node_with_two_lanes_is_busy_when_both_compute():
    queue = queue_with_lanes(3, 2)
    learn_pace(queue)
    assert [(queue.take_task(10.0).task.tile, queue.busy_s(10.0)) for _ in range(2)] == [(0, 0.0), (1, TILE_S)]


def test_a_node_with_an_idle_lane_is_not_busy_before_its_first_result():
    queue = queue_with_lanes(3, 2)
    queue.take_task(10.0)
    assert (queue.busy_s(10.0), queue.ends_s(10.0, 1, TILE_S)) == (0.0, math.inf)
    queue.take_task(10.0)
    assert queue.busy_s(10.0) == math.inf


@pytest.mark.parametrize(("lanes", "ends"), [(1, [1, 2, 3, 4]), (2, [1, 1, 2, 2])])
def test_more_tasks_end_one_after_the_other_in_each_lane(lanes, ends):
    queue = queue_with_lanes(4, lanes)
    learn_pace(queue)
    assert [queue.ends_s(10.0, count, 1.0) for count in range(1, 5)] == ends
    queue.take_task(10.0)
    assert queue.ends_s(10.0, 2, 1.0) == pytest.approx(TILE_S + (2 if lanes == 1 else 1))
