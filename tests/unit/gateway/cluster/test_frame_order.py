"""The order in which complete frames of a camera are finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.frame_order import (
    MAX_ORDER_WAIT_S,
    MAX_ORDERED_SESSIONS,
    MIN_ORDER_WAIT_S,
    PATIENCE_SHARE,
    FrameOrder,
)
from shared.payloads.frames import FrameInfo, frame_name

SESSION = "door-1a2b"


def info(number, after=(), session=SESSION):
    return FrameInfo(
        frame=frame_name(session, number), camera="door", number=number, captured_at=0.0, height=2, width=2, after=after
    )


@pytest.fixture
def ended():
    return set()


@pytest.fixture
def order(ended):
    return FrameOrder(ended.__contains__)


def test_a_frame_without_earlier_ones_is_ready_at_once(order):
    order.add("a", info(4), 3.0, now=10.0)
    assert order.take_ready(10.0) == ["a"]
    assert (order.take_ready(10.0), order.next_due()) == ([], None)


def test_a_frame_waits_for_an_earlier_one_and_follows_it(order):
    order.add("later", info(5, after=(4,)), 1.5, now=10.0)
    assert order.take_ready(10.0) == []
    order.add("earlier", info(4), 3.0, now=11.0)
    assert order.take_ready(11.0) == ["earlier", "later"]


def test_a_frame_waits_by_what_it_took_itself(order):
    due = 10.0 + PATIENCE_SHARE * 1.5
    order.add("later", info(5, after=(4,)), 1.5, now=10.0)
    assert order.next_due() == due
    assert order.take_ready(due - 0.1) == []
    assert order.take_ready(due) == ["later"]
    order.add("next", info(6, after=(4, 5)), 1.5, now=due)
    assert order.take_ready(due) == ["next"], "the earliest is late already"
    order.add("late", info(4), 3.0, now=due)
    assert order.take_ready(due) == ["late"]


@pytest.mark.parametrize("took_s", [0.0, 0.005])
def test_a_frame_of_a_moment_waits_for_the_way_of_earlier_ones(order, took_s):
    order.add("later", info(5, after=(4,)), took_s, now=10.0)
    assert order.take_ready(10.0) == []
    order.add("earlier", info(4), took_s, now=10.0 + MIN_ORDER_WAIT_S / 2)
    assert order.take_ready(10.0 + MIN_ORDER_WAIT_S / 2) == ["earlier", "later"]


def test_the_wait_is_limited_whatever_the_frame_took(order):
    order.add("later", info(5, after=(4,)), 60.0, now=10.0)
    assert order.take_ready(10.0) == []
    assert order.next_due() == 10.0 + MAX_ORDER_WAIT_S


def test_a_frame_does_not_wait_for_one_that_was_dropped(order, ended):
    order.add("later", info(5, after=(4,)), 1.5, now=10.0)
    assert order.take_ready(10.1) == []
    ended.add(frame_name(SESSION, 4))
    assert order.take_ready(10.2) == ["later"]


def test_one_that_has_waited_long_enough_takes_those_before_it_along(order):
    order.add("b", info(5, after=(4,)), 9.0, now=10.0)
    order.add("c", info(6, after=(4, 5)), 1.0, now=10.0)
    assert order.take_ready(10.0 + PATIENCE_SHARE) == ["b", "c"]


def test_cameras_and_sessions_do_not_wait_for_each_other(order):
    order.add("door", info(5, after=(4,)), 9.0, now=10.0)
    order.add("yard", info(7, after=(6,), session="yard-1a2b"), 9.0, now=10.0)
    order.add("door again", info(0, session="door-1a2c"), 9.0, now=10.0)
    assert order.take_ready(10.0) == ["door again"]
    order.add("yard, earlier", info(6, session="yard-1a2b"), 9.0, now=10.0)
    assert order.take_ready(10.0) == ["yard, earlier", "yard"]


def test_all_frames_can_be_taken_in_their_order(order):
    order.add("c", info(6, after=(4, 5)), 9.0, now=10.0)
    order.add("b", info(5, after=(4,)), 9.0, now=10.0)
    assert order.take_all() == ["b", "c"]
    assert (order.take_all(), order.next_due()) == ([], None)


def test_sessions_of_long_ago_are_forgotten(order):
    for number in range(2 * MAX_ORDERED_SESSIONS):
        order.add(number, info(9, session=f"door-{number:x}"), 1.0, now=10.0)
        order.take_ready(10.0)
    assert len(order._newest) == MAX_ORDERED_SESSIONS


@given(st.data())
def test_frames_that_all_end_in_time_are_finished_in_order(data):
    """Whatever the order in which they are computed, and however many are under way."""
    count = data.draw(st.integers(1, 12))
    order, taken, under_way, begun, completed = FrameOrder(lambda _: False), [], [], 0, []
    while len(completed) < count:
        if begun < count and (not under_way or data.draw(st.booleans())):
            under_way.append(info(begun, after=tuple(each.number for each in under_way)))
            begun += 1
        else:
            done = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            completed.append(done)
            order.add(done.number, done, 1.0, now=0.0)
            taken += order.take_ready(0.0)
    assert taken == list(range(count))


@given(st.data())
def test_every_frame_is_finished_once_and_in_time_whatever_becomes_of_the_others(data):
    ended, completed, taken, now = set(), [], [], 0.0
    order = FrameOrder(ended.__contains__)
    for number in data.draw(st.permutations(range(8))):
        now += data.draw(st.floats(0.0, 2.0))
        if data.draw(st.booleans()):
            took_s = data.draw(st.sampled_from([0.0, 0.2, 9.0]))
            completed.append(number)
            order.add((number, now), info(number, after=tuple(range(number))), took_s, now)
        else:
            ended.add(frame_name(SESSION, number))
        ready = order.take_ready(now)
        assert all(now - added <= MAX_ORDER_WAIT_S + 2.0 for _, added in ready)
        taken += ready
    taken += order.take_ready(now + MAX_ORDER_WAIT_S)
    assert sorted(number for number, _ in taken) == sorted(completed)
    assert order.next_due() is None
