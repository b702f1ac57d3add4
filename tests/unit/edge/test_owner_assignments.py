"""What the owner assigns to its own worker."""

from __future__ import annotations

import numpy as np
import pytest

from edge.computing.plan_work import PlanWork
from edge.owner import Owner
from shared.ftp.grid import Grid
from shared.payloads.cluster import FrameDone
from shared.payloads.frames import Outcome
from tests.unit.edge.works import frame_info, plans_of, remove_plan, renumbered, reusing_work

_, WORK = reusing_work(Grid(3, 3))
FREE = [0, 2, 4, 6, 8]


class Bus:
    def publish_soon(self, *_):
        pass


@pytest.fixture
def plans():
    return plans_of(WORK)


async def accept(owner, frame="f"):
    await owner.accept_frame(frame_info(frame), np.full((36, 48, 3), 7, np.uint8), lambda _: None)


@pytest.fixture
async def owner(plans):
    made = Owner("me", plans, Bus(), None, lambda _: None)
    await accept(made)
    return made


def taken(owner):
    assignments = []
    while (assignment := owner.tasks.take_assignment()) is not None:
        assignments.append(assignment)
    return assignments


async def test_own_tiles_are_assigned_with_their_pixels(owner):
    first, *others = taken(owner)
    assert sorted(assignment.tile.index for assignment in (first, *others)) == list(range(9))
    assert (first.info.frame, first.owner, first.strips) == ("f", "me", ())
    region = first.tile.inputs[0]
    assert first.pixels.shape == (region.height, region.width, 3)
    assert all(bool(assignment.tile.taken) == (assignment.tile.index not in FREE) for assignment in (first, *others))


async def test_the_same_plan_with_other_engines_gets_assignments(owner, plans):
    renewed = PlanWork(WORK.plan, WORK.engines, WORK.gateway)
    plans.add(renewed)
    assignment = owner.tasks.take_assignment()
    assert assignment.work is renewed
    assert owner.tasks.is_wanted(assignment)


async def test_a_frame_is_computed_by_the_plan_that_it_began_with_and_before_newer_ones(owner, plans):
    newer = renumbered(WORK, WORK.epoch + 1)
    plans.add(newer)
    plans.prefer(newer.epoch)
    plans.withdraw_others({newer.epoch}, 0.0)
    await accept(owner, "g")
    assignments = taken(owner)
    assert [(assignment.info.frame, assignment.work.epoch) for assignment in assignments] == [
        *[("f", WORK.epoch)] * 9, *[("g", newer.epoch)] * 9,
    ]  # fmt: skip
    assert all(owner.tasks.is_wanted(assignment) for assignment in assignments)


async def test_a_plan_that_is_removed_has_no_more_assignments(owner, plans):
    reusing = next(assignment for assignment in taken(owner) if assignment.tile.taken)
    await accept(owner, "g")
    newer = renumbered(WORK, WORK.epoch + 1)
    plans.add(newer)
    remove_plan(plans, WORK.epoch)
    owner.give_up_removed_plans()
    assert taken(owner) == []
    assert owner.tasks.without_strips(reusing) is None
    owner.tasks.on_result_sent(reusing)  # its plan is unknown by now, and nothing happens


async def test_strips_are_fetched_ahead_for_the_next_tile_only_where_tiles_are_computed_from_strips(owner):
    for _ in FREE:
        owner.tasks.take_assignment()
    work, task = owner.tasks.upcoming_task()
    assert (work, task.frame) == (WORK, "f")
    assert task.tile not in FREE


@pytest.mark.parametrize("works", [[], [reusing_work(Grid(3, 3), reuses=False)[1]]], ids=["no plan", "no reuse"])
async def test_nothing_is_fetched_ahead_by_who_cannot_compute_from_strips(works):
    owner = Owner("me", plans_of(*works), Bus(), None, lambda _: None)
    await accept(owner)
    for _ in FREE:
        owner.tasks.take_assignment()
    assert owner.tasks.upcoming_task() is None


async def test_an_assignment_of_a_frame_that_is_finished_is_not_wanted(owner):
    assignment = owner.tasks.take_assignment()
    owner.on_frame_done(FrameDone(frame="f", outcome=Outcome.PUBLISHED))
    assert not owner.tasks.is_wanted(assignment)


async def test_a_tile_whose_strips_cannot_be_had_is_assigned_with_its_whole_halo(owner):
    assignments = taken(owner)
    reusing = next(assignment for assignment in assignments if assignment.tile.taken)
    whole = owner.tasks.without_strips(reusing)
    assert (whole.tile.index, whole.tile.taken) == (reusing.tile.index, ())
    assert whole.pixels.size > reusing.pixels.size
