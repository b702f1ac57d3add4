from __future__ import annotations

import math

import pytest

from edge.tasks.leases import LATE_FACTOR, Leases
from edge.tasks.pace import NodePace
from edge.tasks.task import Task

MACS = 100
TASK_S = 2.0


def leases_of(lanes=1, tasks=0, *, holder="a"):
    """So many tasks that a node with these lanes got at once, each of which takes it TASK_S."""
    pace = NodePace()
    pace.add_result("a", TASK_S, MACS)
    leases = Leases(pace, lambda node: lanes if node == "a" else 1)
    for tile in range(tasks):
        leases.grant_lease(Task("f", tile), holder, 10.0, math.inf, MACS)
    return leases


@pytest.mark.parametrize(
    ("lanes", "tasks", "free_at"),
    [(1, 0, 0), (1, 1, 12), (1, 3, 16), (2, 1, 0), (2, 2, 12), (2, 3, 12), (2, 4, 14), (4, 3, 0), (4, 4, 12)],
)
def test_a_node_is_free_when_the_first_of_its_lanes_is(lanes, tasks, free_at):
    assert leases_of(lanes, tasks).free_at("a") == free_at


def test_tasks_are_due_side_by_side_in_the_lanes_of_their_node():
    leases = leases_of(2, 5)
    assert [leases.due_in_s(Task("f", tile), 10.0) for tile in range(5)] == [2, 2, 4, 4, 6]
    assert leases_of(2, 3, holder="other").due_in_s(Task("f", 2), 10.0) == 6


def test_after_a_result_the_next_task_begins_in_that_lane_and_not_before():
    leases = leases_of(2, 4)
    leases.end_lease(Task("f", 1))  # they need not end in their order
    leases.on_result("a", 15.0)
    assert [leases.due_in_s(Task("f", tile), 11.0) for tile in (0, 2, 3)] == [1, 6, 3]


def test_a_result_of_a_node_with_an_idle_lane_delays_nothing():
    leases = leases_of(3, 2)
    leases.end_lease(Task("f", 0))
    leases.on_result("a", 15.0)
    assert leases.due_in_s(Task("f", 1), 10.0) == 2


def test_a_task_that_is_very_late_or_not_leased_is_never_due():
    leases = leases_of(1, 1)
    assert leases.due_in_s(Task("f", 0), 10.0 + LATE_FACTOR * TASK_S) == 0
    assert leases.due_in_s(Task("f", 0), 10.1 + LATE_FACTOR * TASK_S) == math.inf
    assert leases.due_in_s(Task("f", 7), 10.0) == math.inf
