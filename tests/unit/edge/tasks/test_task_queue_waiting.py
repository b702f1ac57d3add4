"""Whether a blocked tile is worth waiting for, or done sooner with its whole halo."""

from __future__ import annotations

import pytest

from edge.tasks.leases import LATE_FACTOR
from edge.tasks.task import AvailableTasks, ScheduledTask, Task
from tests.unit.edge.queues import (
    PACE_S,
    SAVED_S,
    TILE_S,
    crossed,
    drain,
    finish,
    learn_pace,
    lend_free,
    thief,
    tile_of,
)
from tests.unit.edge.tile_orders import DEPENDENT, FREE, REUSING, WHOLE


def test_who_runs_a_tile_meanwhile_never_gets_a_blocked_one():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, kept=False)
    assert queue.available_tasks(1e9) == AvailableTasks(0, 4)
    assert queue.lend_task(thief(idle=False), 1e9) is None


def test_nothing_blocked_is_given_away_while_the_pace_is_unknown():
    queue = crossed()
    assert set(lend_free(queue, "slow", "slower")) == set(FREE)
    assert queue.pace.of_all is None
    assert queue.available_tasks(1e6).overdue == 0
    assert queue.lend_task(thief(), 1e6) is None
    assert queue.take_task(1e6) is None


@pytest.mark.parametrize(("age_s", "whole"), [(0.0, True), (0.5, True), (0.59, True), (0.61, False), (1.5, False)])
def test_who_is_idle_gets_a_blocked_tile_whole_when_that_is_done_before_its_strips_would_help(age_s, whole):
    """A tile takes 1 s, strips save 0.4 s of it: it is worth waiting when they come in less than 0.4 s."""
    assert (TILE_S, SAVED_S) == (1.0, 0.4)
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    queue.lend_task(thief("ready"), 100.0)
    queue.lend_task(thief("ready"), 100.0)
    assert tile_of(queue.lend_task(thief("slow"), 100.0)) == 8
    turn = queue.lend_task(thief(), 100.0 + age_s)
    if whole:
        assert turn.task.tile in {5, 7}
        assert not turn.reusing
    else:
        assert turn is None
        finish(queue, 8)
        assert queue.lend_task(thief(), 100.0 + age_s).reusing


def test_waiting_is_measured_by_the_giver_that_comes_last():
    queue = crossed()
    learn_pace(queue)
    for node, now in zip("abcde", (0.0, 0.0, 0.0, 0.0, 0.9), strict=True):
        queue.lend_task(thief(node, idle=False), now)
    assert tile_of(queue.lend_task(thief(), 1.45)) == 7
    assert queue.lend_task(thief(), 1.6) is None


def test_tiles_of_one_holder_are_due_one_after_the_other():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    assert tile_of(queue.lend_task(thief("ready", idle=False), 0.0)) == 1
    assert [tile_of(queue.lend_task(thief("x", reuses=False), now)) for now in (0.0, 0.1)] == [8, 6]
    assert queue.lend_task(thief(), 0.7) is None  # 8 is due at 1.0
    assert tile_of(queue.lend_task(thief(), 0.5)) == 7  # and 6 at 2.0


@pytest.mark.parametrize("done_at", [0.4, 1.0, 1.7])
def test_what_a_holder_does_next_is_begun_when_the_result_before_it_comes(done_at):
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    assert tile_of(queue.lend_task(thief("ready", idle=False), 0.0)) == 1
    assert [tile_of(queue.lend_task(thief("x", reuses=False), now)) for now in (0.0, 0.1)] == [8, 6]
    finish(queue, 8, worker="x", now=done_at)
    assert queue.lend_task(thief("ready"), done_at) == ScheduledTask(Task("f", 5), reusing=True)
    due = done_at + TILE_S
    assert queue.lend_task(thief(), due - SAVED_S + 0.01) is None
    assert tile_of(queue.lend_task(thief(), due - SAVED_S - 0.01)) == 7


def test_a_holder_is_waited_for_as_long_as_it_has_needed_of_late():
    queue = crossed()
    learn_pace(queue)
    learn_pace(queue, 3 * TILE_S, worker="slow")
    assert queue.pace.of_all == 2 * PACE_S
    finish(queue, 0, 2, 4, 6)
    assert {tile_of(queue.lend_task(thief("ready"), 0.0)) for _ in range(2)} == {1, 3}
    assert tile_of(queue.lend_task(thief("slow"), 0.0)) == 8
    assert queue.available_tasks(3 * TILE_S - SAVED_S + 0.01).overdue == 0
    assert queue.available_tasks(TILE_S - SAVED_S + 0.01).overdue == 2


def test_what_a_tile_from_strips_spares_is_measured_by_the_taker():
    """To wait is worth 0.4 s for one whose tiles take 1 s, three times as much for one whose tiles take 3 s."""
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    learn_pace(queue, 3 * TILE_S, worker="slow")
    assert {tile_of(queue.lend_task(thief("ready"), 0.0)) for _ in range(2)} == {1, 3}
    assert tile_of(queue.take_task(0.0)) == 8
    assert queue.lend_task(thief("slow"), 0.0) is None
    assert queue.lend_task(thief("ready"), 0.0) == ScheduledTask(Task("f", 7))


def test_a_tile_from_strips_is_due_sooner_than_one_with_its_whole_halo():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4, 6)
    assert queue.lend_task(thief("x"), 0.0).reusing
    assert queue._leases.free_at("x") == REUSING.macs * PACE_S
    queue.run_whole(Task("f", 3))
    assert queue._leases.free_at("x") == WHOLE.macs * PACE_S


def test_what_runs_here_is_waited_for_like_what_is_lent():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 6, 8)
    assert tile_of(queue.take_task(10.0)) == 4
    assert queue.lend_task(thief(), 10.7) is None
    assert queue.lend_task(thief(), 10.0) == ScheduledTask(Task("f", 7))


def test_a_result_on_its_way_is_waited_for_from_when_it_was_begun():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 6, 8)
    queue.on_result_sent(queue.take_task(10.0).task, 11.0)
    assert queue.lend_task(thief(), 11.1) is None
    assert queue.lend_task(thief(), 10.0 + LATE_FACTOR * TILE_S) is None
    assert queue.lend_task(thief(), 10.0 + LATE_FACTOR * TILE_S + 0.01) == ScheduledTask(Task("f", 7))


def test_nobody_waits_for_a_tile_that_is_late():
    queue = crossed()
    learn_pace(queue)
    lend_free(queue, *"abcde")
    assert queue.lend_task(thief(), LATE_FACTOR * TILE_S) is None
    assert tile_of(queue.lend_task(thief(), LATE_FACTOR * TILE_S + 0.01)) == 7


def test_nobody_waits_for_a_lost_tile_which_is_taken_first():
    queue = crossed()
    learn_pace(queue)
    assert lend_free(queue, *"abcde")[0] == 8
    assert queue.lend_task(thief(), 0.9) is None
    queue.requeue_node("a")
    assert tile_of(queue.lend_task(thief(), 0.9)) == 8
    assert queue.lend_task(thief("other"), 0.9) is None  # what 1 and 3 need comes soon
    finish(queue, 0, 2, 4, 6, now=1.0)
    assert [queue.lend_task(thief("ready"), 1.0).task.tile for _ in range(2)] == [3, 1]
    assert queue.lend_task(thief("other"), 1.0) == ScheduledTask(Task("f", 7))  # 8 is due at 1.9
    assert queue.lend_task(thief("other"), 1.0) == ScheduledTask(Task("f", 5))


def test_nobody_who_is_idle_computes_a_whole_halo_while_another_tile_is_worth_waiting_for():
    queue = crossed()
    learn_pace(queue)
    finish(queue, 0, 2, 4)
    queue.lend_task(thief("ready"), 0.0)
    assert [tile_of(queue.lend_task(thief(node, reuses=False), now)) for node, now in (("x", 0.0), ("y", 0.4))] == [
        8,
        6,
    ]
    assert queue.available_tasks(0.7).overdue == 0
    assert queue.lend_task(thief(), 0.7) is None  # 7 comes first and is not worth it, but 5 is
    assert queue.available_tasks(0.5).overdue == 3
    assert queue.lend_task(thief(), 0.5) == ScheduledTask(Task("f", 7))


def test_blocked_tiles_are_overdue_when_nothing_waits_for_anyone():
    queue = crossed()
    learn_pace(queue)
    assert queue.available_tasks(0) == AvailableTasks(5, 0)
    finish(queue, 2, 4, 6, 8, kept=False)
    assert queue.available_tasks(0) == AvailableTasks(1, 0)
    finish(queue, 0, kept=False)
    assert queue.available_tasks(0) == AvailableTasks(0, 4)


def test_blocked_tiles_are_overdue_while_their_givers_have_just_begun_and_when_they_are_late():
    queue = crossed()
    learn_pace(queue)
    lend_free(queue, *"abcde")
    times = 0.0, TILE_S - SAVED_S - 0.01, TILE_S - SAVED_S + 0.01, LATE_FACTOR * TILE_S, LATE_FACTOR * TILE_S + 0.01
    assert [queue.available_tasks(now).overdue for now in times] == [4, 4, 0, 0, 4]


def test_a_tile_that_is_near_a_node_is_overdue_for_the_others():
    queue = crossed()
    finish(queue, *FREE, worker="maker", kept=False)
    assert queue.available_tasks(0) == AvailableTasks(0, 4, {"maker": 4})


def test_a_tile_that_was_given_away_whole_is_no_longer_overdue():
    queue = crossed()
    finish(queue, *FREE, kept=False)
    assert queue.available_tasks(0) == AvailableTasks(0, 4)
    queue.lend_task(thief(), 0)
    assert queue.available_tasks(0) == AvailableTasks(0, 3)


def test_nobody_waits_for_strips_that_their_tile_did_not_bring():
    queue = crossed()
    learn_pace(queue)
    finish(queue, *FREE, worker="other", kept=False)
    assert drain(queue, reuses=True) == list(DEPENDENT)
