"""Frames under way of two plans, as after a change: each is finished by the plan that it began with."""

from __future__ import annotations

import pytest

from tests.unit.edge.test_whole_frames import WORK, Bench
from tests.unit.edge.works import renumbered


@pytest.fixture
async def bench(monkeypatch):
    return Bench(monkeypatch)


async def test_frames_of_two_plans_are_computed_in_the_order_in_which_they_came(bench):
    newer = renumbered(WORK, WORK.epoch + 1)
    bench.plans.add(newer)
    for frame, epoch in (("a", WORK.epoch), ("b", newer.epoch), ("c", WORK.epoch), ("d", newer.epoch)):
        bench.plans.prefer(epoch)
        bench.now += 1
        await bench.accept(frame)
    assert [assignment.info.frame for assignment in iter(bench.tasks.take_assignment, None)] == ["a", "b", "c", "d"]


async def test_frames_of_two_plans_are_counted_together(bench):
    bench.learn_speed()
    await bench.accept("f")
    newer = renumbered(WORK, WORK.epoch + 1)
    bench.plans.add(newer)
    bench.plans.prefer(newer.epoch)
    assert bench.tasks.frames_wanted(0, 1) == 0
    await bench.accept("g")
    assert [assignment.work.epoch for assignment in iter(bench.tasks.take_assignment, None)] == [7, 8]
