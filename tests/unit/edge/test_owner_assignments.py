"""What the owner assigns to its own worker."""

from __future__ import annotations

import numpy as np
import pytest

from edge.computing.plan_work import PlanWork
from edge.owner import Owner
from shared.ftp.grid import Grid
from shared.payloads.cluster import FrameDone
from shared.payloads.frames import Outcome
from tests.unit.edge.works import frame_info, reusing_work

_, WORK = reusing_work(Grid(3, 3))
FREE = [0, 2, 4, 6, 8]


class Bus:
    def publish_soon(self, *_):
        pass


@pytest.fixture
async def owner():
    made = Owner("me", Bus(), None, lambda: None)
    made.adopt_plan(WORK)
    await made.accept_frame(frame_info(), np.full((36, 48, 3), 7, np.uint8), lambda _: None)
    return made


def taken(owner, work=WORK):
    assignments = []
    while (assignment := owner.take_assignment(work)) is not None:
        assignments.append(assignment)
    return assignments


async def test_own_tiles_are_assigned_with_their_pixels(owner):
    first, *others = taken(owner)
    assert sorted(assignment.tile.index for assignment in (first, *others)) == list(range(9))
    assert (first.info.frame, first.owner, first.strips) == ("f", "me", ())
    region = first.tile.inputs[0]
    assert first.pixels.shape == (region.height, region.width, 3)
    assert all(bool(assignment.tile.taken) == (assignment.tile.index not in FREE) for assignment in (first, *others))


async def test_the_same_plan_with_other_engines_gets_assignments(owner):
    renewed = PlanWork(WORK.plan, WORK.engines, WORK.gateway)
    assert renewed is not WORK
    assignment = owner.take_assignment(renewed)
    assert assignment is not None
    assert owner.is_wanted(assignment, renewed)


async def test_a_worker_with_another_plan_gets_none(owner):
    other = PlanWork(WORK.plan.model_copy(update={"epoch": WORK.epoch + 1}), WORK.engines, WORK.gateway)
    assert owner.take_assignment(other) is None


async def test_an_assignment_of_a_frame_that_is_finished_is_not_wanted(owner):
    assignment = owner.take_assignment(WORK)
    owner.on_frame_done(FrameDone(frame="f", outcome=Outcome.PUBLISHED))
    assert not owner.is_wanted(assignment, WORK)


async def test_a_tile_whose_strips_cannot_be_had_is_assigned_with_its_whole_halo(owner):
    assignments = taken(owner)
    reusing = next(assignment for assignment in assignments if assignment.tile.taken)
    whole = owner.without_strips(reusing)
    assert (whole.tile.index, whole.tile.taken) == (reusing.tile.index, ())
    assert whole.pixels.size > reusing.pixels.size
