from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from edge import plan_follower
from edge.plan_follower import PlanFollower
from shared.errors import ModelError, ProgramRefusedError, WrongResultError
from shared.ftp.grid import Grid
from tests.settling import settled
from tests.unit.edge.works import reusing_work

PLAN = reusing_work(Grid(2, 2))[1].plan


def plan(epoch):
    return PLAN.model_copy(update={"epoch": epoch})


class Device:
    """Notes what it was to adopt; a plan is ready when `ready` is set."""

    def __init__(self):
        self.begun, self.adopted, self.cancelled = asyncio.Queue(), asyncio.Queue(), []
        self.ready = asyncio.Event()
        self.fails = []

    async def adopt(self, plan):
        self.begun.put_nowait(plan.epoch)
        if self.fails:
            raise self.fails.pop(0)
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.cancelled.append(plan.epoch)
            raise
        self.adopted.put_nowait(plan.epoch)


@pytest.fixture
async def device(monkeypatch):
    monkeypatch.setattr(plan_follower, "FIRST_REPLACED_PAUSE_S", 0.05)
    device = Device()
    device.follower = PlanFollower(device.adopt)
    running = asyncio.create_task(device.follower.run())
    yield device
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_newer_plan_takes_over_while_one_is_made_ready(device):
    device.follower.on_plan(plan(1))
    assert await device.begun.get() == 1
    device.follower.on_plan(plan(2))
    assert await device.begun.get() == 2
    assert device.cancelled == [1]
    device.ready.set()
    assert await device.adopted.get() == 2
    assert device.adopted.empty()


async def test_of_many_plans_in_quick_succession_the_newest_is_made_ready(device):
    device.follower.on_plan(plan(1))
    assert await device.begun.get() == 1
    for epoch in range(2, 30):
        device.follower.on_plan(plan(epoch))
        await settled()
    device.ready.set()
    assert await device.adopted.get() == 29
    assert [device.begun.get_nowait() for _ in range(device.begun.qsize())] == [29]


async def test_a_plan_that_is_published_again_is_still_being_prepared(device):
    device.follower.on_plan(plan(1))
    await device.begun.get()
    for _ in range(3):
        device.follower.on_plan(plan(1))
        await settled()
    device.ready.set()
    assert await device.adopted.get() == 1
    assert device.cancelled == []


async def test_a_plan_that_is_published_again_later_is_adopted_again(device):
    device.ready.set()
    for _ in range(2):
        device.follower.on_plan(plan(1))
        assert await device.adopted.get() == 1


@pytest.mark.parametrize("error", [ModelError("no such program"), KeyError("tiles"), IndexError(), RecursionError("x")])
async def test_any_failure_of_a_plan_is_reported_and_tried_again(device, error, caplog):
    device.fails.append(error)
    device.ready.set()
    device.follower.on_plan(plan(1))
    assert await device.adopted.get() == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("the plan cannot be followed: ")
    assert str(error).strip("'") in warnings[0]


@pytest.mark.parametrize("error", [ProgramRefusedError("it loops"), WrongResultError("its memory may be faulty")])
async def test_a_program_that_is_refused_is_not_prepared_again_and_again(device, error, caplog):
    """Each attempt may take as long as the limits allow."""
    device.fails.append(error)
    device.follower.on_plan(plan(1))
    await device.begun.get()
    await settled()
    pause_s = float(re.search(r"trying again in ([0-9.]+) s", caplog.text)[1])
    assert pause_s >= plan_follower.FIRST_FAULTY_RETRY_S / 2


async def test_what_is_wrong_with_a_plan_is_known_until_another_is_followed(device):
    device.fails += [ModelError("no room for the program")] * 50
    device.follower.on_plan(plan(1))
    await device.begun.get()
    await device.begun.get()
    assert device.follower.problem == "no room for the program"
    device.fails.clear()
    device.ready.set()
    device.follower.on_plan(plan(2))
    assert await device.adopted.get() == 2
    assert device.follower.problem == ""


async def test_a_newer_plan_does_not_wait_for_the_next_try_of_a_bad_one(device, monkeypatch):
    monkeypatch.setattr(plan_follower.Backoff, "next_s", lambda _: 3600.0)
    device.fails.append(ModelError("never"))
    device.follower.on_plan(plan(1))
    await device.begun.get()
    device.ready.set()
    device.follower.on_plan(plan(2))
    async with asyncio.timeout(5):
        assert await device.adopted.get() == 2


async def test_its_end_does_not_wait_for_a_plan(device):
    device.follower.on_plan(plan(1))
    await device.begun.get()
    assert device.cancelled == []
