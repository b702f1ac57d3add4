"""Thieves that asked before they were idle, and were told to come back later."""

from __future__ import annotations

import pytest

from edge import thief as thief_module
from shared.wire.headers import AbsentHeader
from tests.unit.edge.thieves import NEWER, WORK, stealing
from tests.unit.edge.works import remove_plan

LATER = AbsentHeader(reason="no task is waiting for this node", later=True)


@pytest.fixture
async def bench(monkeypatch):
    async with stealing(monkeypatch) as made:
        yield made


async def refused(bench, *tiles):
    """A bench whose thief asked ahead, and was told to come when it is idle; then there are these tiles."""
    bench.victim.tiles = [LATER, *tiles]
    bench.thief.request_task(idle=False)
    await bench.grant()
    assert bench.thief.take_stolen() is None
    return bench


async def test_a_thief_that_shall_return_later_reports_no_missed_victim(bench):
    await refused(bench)
    assert bench.bus.requests == [(None, False)]
    assert bench.woken == 1


async def test_a_thief_that_shall_return_later_does_not_request_ahead_again(bench):
    await refused(bench, (4,))
    bench.thief.request_task(idle=False)
    bench.thief.forget_request()
    bench.thief.request_task(idle=False)
    await bench.settle()
    assert len(bench.bus.requests) == 1
    assert len(bench.victim.asked) == 1


async def test_a_thief_that_shall_return_later_returns_when_idle_without_a_request(bench):
    await refused(bench, (4,))
    bench.thief.request_task()
    await bench.settle()
    assert [take.idle for take in bench.victim.asked] == [False, True]
    assert bench.thief.take_stolen().header.tile == 4
    assert bench.bus.requests == [(None, False)]


async def test_who_comes_later_waits_for_the_answer(bench):
    await refused(bench, (4,))
    bench.victim.answering.clear()
    bench.thief.request_task()
    await bench.settle()
    bench.thief.request_task()
    bench.thief.request_task()
    bench.victim.answering.set()
    await bench.settle()
    assert len(bench.victim.asked) == 2
    assert bench.bus.requests == [(None, False)]


async def test_a_thief_that_returns_later_and_finds_nothing_reports_it(bench):
    await refused(bench)
    bench.thief.request_task()
    await bench.settle()
    assert bench.bus.requests == [(None, False), ("victim", True)]


async def test_a_victim_is_come_back_to_once(bench):
    await refused(bench, (4,))
    bench.thief.request_task()
    await bench.settle()
    bench.thief.take_stolen()
    bench.thief.request_task()
    assert bench.bus.requests == [(None, False), (None, True)]
    assert len(bench.victim.asked) == 2


async def test_a_victim_that_cannot_be_reached_later_is_missed_and_not_come_back_to(bench, monkeypatch):
    await refused(bench, (4,))
    bench.victim.closed = bench.victim.lost = True
    monkeypatch.setattr(thief_module.Backoff, "next_s", lambda _: 0.0)
    bench.thief.request_task()
    await bench.settle()
    assert bench.bus.requests == [(None, False), ("victim", True)]


async def test_with_a_new_plan_nobody_comes_back_to_a_victim_of_one_that_is_removed(bench):
    await refused(bench, (4,))
    bench.plans.add(NEWER)
    remove_plan(bench.plans, WORK.epoch)
    woken = bench.woken
    bench.thief.request_task()
    await bench.settle()
    assert (bench.bus.requests, bench.woken) == ([(None, False)], woken + 1)  # an idle worker requests again
    bench.thief.request_task()
    assert bench.bus.requests == [(None, False), (None, True)]
    assert len(bench.victim.asked) == 1
