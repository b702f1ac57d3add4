from __future__ import annotations

from dataclasses import replace

import pytest

from edge.frames.owned_plan import MIN_BENEFIT, OwnedPlan
from edge.tasks.task import Taker
from shared.engine.lanes import TileLanes
from tests.unit.edge.works import whole_work

WORK = whole_work(epoch=7)
OWN_S = 0.5
TRIED = replace(WORK, macs_per_s=WORK.tile(0).macs / OWN_S)


def plan_of(work, *frames):
    plan = OwnedPlan("pi-1", work, alone=False)
    for frame in frames:
        plan.queue.add_frame(frame)
    return plan


def test_before_its_first_frame_a_node_is_as_fast_as_it_has_tried():
    assert plan_of(WORK, "a").limit_s(0.0) is None
    assert plan_of(TRIED, "a").limit_s(0.0) == pytest.approx(MIN_BENEFIT * OWN_S)
    assert plan_of(TRIED, "a", "b").limit_s(0.0) == pytest.approx(MIN_BENEFIT * 2 * OWN_S)


def test_frames_that_this_node_computes_side_by_side_end_sooner():
    work = replace(whole_work(lanes=TileLanes(2, 1)), macs_per_s=TRIED.macs_per_s)
    assert plan_of(work, "a", "b").limit_s(0.0) == pytest.approx(MIN_BENEFIT * OWN_S)
    assert plan_of(work, "a", "b", "c").limit_s(0.0) == pytest.approx(MIN_BENEFIT * 2 * OWN_S)


def test_tasks_of_a_thief_with_two_lanes_are_due_side_by_side():
    plan = OwnedPlan("pi-1", TRIED, alone=False, lanes_of_other=lambda node: 2 if node == "pi-2" else 1)
    for frame in ("a", "b"):
        plan.queue.add_frame(frame)
    plan.queue.pace.add_result("pi-2", 0.4, WORK.tile(0).macs)
    for _ in range(2):
        plan.queue.lend_task(Taker("pi-2", idle=True), 1.0)
    assert plan.queue._leases.free_at("pi-2") == pytest.approx(1.4)


def test_any_node_may_help_while_the_first_frame_runs_as_nobody_knows_for_how_long():
    plan = plan_of(TRIED, "a", "b")
    task = plan.queue.take_task(0.0).task
    assert plan.limit_s(0.1) is None
    plan.queue.task_done(task, "pi-1", 0.8, 0.8, WORK.tile(0).macs)
    assert plan.limit_s(0.8) == pytest.approx(MIN_BENEFIT * 0.8)


def test_a_frame_is_held_for_a_helper_that_is_faster_though_neither_has_computed_one():
    assert plan_of(WORK).hold_s({"pi-2": 0.1}) == 0.0
    assert plan_of(TRIED).hold_s({"pi-2": 0.1}) > 0.0
    assert plan_of(TRIED).hold_s({"pi-2": 0.6}) == 0.0


def test_frames_are_lent_one_by_one_until_the_first_shows_what_the_link_carries():
    plan = plan_of(TRIED, "a", "b")
    assert plan.may_lend
    lent = plan.queue.lend_task(Taker("pi-2", idle=True), 0.0).task
    assert not plan.may_lend
    plan.queue.task_done(lent, "pi-2", 0.1, 1.0, WORK.tile(0).macs)
    plan.experience.add_tile("pi-2", 2e5)
    assert plan.queue.lend_task(Taker("pi-2", idle=True), 1.0)
    assert plan.may_lend


def test_a_frame_that_this_node_computes_is_not_lent():
    plan = plan_of(TRIED, "a", "b")
    plan.queue.take_task(0.0)
    assert plan.may_lend
