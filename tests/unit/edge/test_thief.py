from __future__ import annotations

import asyncio

import pytest

from edge import thief as thief_module
from shared.engine.lanes import TileLanes
from shared.wire.headers import TakeHeader, TaskRef
from tests.unit.edge.thieves import GRANT, NEWER, VICTIM, WORK, Victim, stealing
from tests.unit.edge.works import FakeEngine, plans_of, remove_plan, renumbered


@pytest.fixture
async def bench(monkeypatch):
    async with stealing(monkeypatch) as made:
        yield made


async def test_an_open_request_is_not_repeated(bench):
    bench.thief.request_task()
    bench.thief.request_task()
    bench.thief.request_task(idle=False)
    assert bench.bus.requests == [(None, True)]


async def test_a_thief_that_becomes_idle_repeats_its_request(bench):
    bench.thief.request_task(idle=False)
    bench.thief.request_task(idle=False)
    bench.thief.request_task()
    bench.thief.request_task()
    assert bench.bus.requests == [(None, False), (None, True)]


async def test_a_request_that_the_gateway_may_have_lost_is_repeated(bench):
    bench.thief.request_task()
    bench.thief.forget_request()
    bench.thief.request_task()
    assert len(bench.bus.requests) == 2


async def test_a_granted_tile_is_pulled_and_the_worker_woken(bench):
    bench.victim.tiles = [(4,)]
    bench.thief.request_task(idle=False)
    await bench.grant()
    reads = {"reuses": True, "fills_bars": True, "reads_png": True}
    assert bench.victim.asked == [TakeHeader(thief="me", epoch=WORK.epoch, idle=False, **reads)]
    assert bench.woken == 1
    stolen = bench.thief.take_stolen()
    assert (stolen.header.tile, stolen.victim) == (4, VICTIM)
    assert stolen.fetch_bytes_per_s > 0
    assert bench.thief.take_stolen() is None


async def test_the_time_for_the_cameras_picture_is_none_of_the_transfer(bench):
    bench.victim.tiles = [(4, False, {"pulled_ms": 1e6})]
    bench.thief.request_task(idle=False)
    await bench.grant()
    assert bench.thief.take_stolen().fetch_bytes_per_s > 1e8


async def test_a_thief_knows_whether_its_request_is_open(bench):
    assert not bench.thief.has_requested
    bench.thief.request_task()
    assert bench.thief.has_requested
    bench.thief.forget_request()
    assert not bench.thief.has_requested


async def test_a_thief_with_a_tile_ahead_requests_no_other(bench):
    bench.victim.tiles = [(4,)]
    bench.thief.request_task(idle=False)
    await bench.grant()
    bench.thief.request_task(idle=False)
    assert len(bench.bus.requests) == 1
    bench.thief.take_stolen()
    bench.thief.request_task(idle=False)
    assert len(bench.bus.requests) == 2


async def test_a_thief_keeps_a_tile_ahead_for_each_lane(bench, monkeypatch):
    monkeypatch.setattr(FakeEngine, "lanes", TileLanes(2, 1))
    bench.victim.tiles = [(4,), (5,)]
    bench.thief.request_task()
    await bench.grant()
    assert bench.bus.requests == [(None, True), (None, False)]  # at once, also if nobody asks for the second lane
    await bench.grant()
    bench.thief.request_task(idle=False)
    assert len(bench.bus.requests) == 2
    assert [bench.thief.take_stolen().header.tile for _ in range(2)] == [4, 5]


async def test_other_engines_of_the_same_plan_change_the_lanes_and_keep_the_tiles(bench, monkeypatch):
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    monkeypatch.setattr(FakeEngine, "lanes", TileLanes(2, 1))
    bench.plans.add(renumbered(WORK, WORK.epoch))
    bench.thief.request_task(idle=False)
    assert len(bench.bus.requests) == 2
    assert bench.thief.take_stolen().header.tile == 4


async def test_where_nothing_was_left_the_next_request_names_the_victim_and_is_as_idle_as_before(bench):
    bench.thief.request_task(idle=False)
    await bench.grant()
    assert bench.bus.requests == [(None, False), ("victim", False)]


async def test_whatever_a_victim_makes_go_wrong_costs_one_request(bench, monkeypatch, caplog):
    def break_(*_):
        raise IndexError("tile 10 of 9")

    monkeypatch.setattr(thief_module.Backoff, "next_s", lambda _: 0.0)
    monkeypatch.setattr(WORK.__class__, "decode_pixels", break_)
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    assert bench.bus.requests == [(None, True), ("victim", True)]
    assert "stealing from victim failed" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(thief_module, "Connection", bench.victim)
    bench.victim.tiles = [(4,)]
    await bench.grant()
    assert bench.thief.take_stolen().header.tile == 4


async def test_strips_of_a_reusing_tile_are_fetched_ahead(bench):
    bench.victim.tiles = [(1, True), (4,)]
    for _ in range(2):
        bench.thief.request_task()
        await bench.grant()
        bench.thief.take_stolen()
    assert bench.strips.prefetched == [("f", 1)]


async def test_a_tile_whose_strips_are_not_available_is_fetched_whole(bench):
    bench.victim.tiles = [(1, True)]
    bench.thief.request_task()
    await bench.grant()
    stolen = bench.thief.take_stolen()
    again = await bench.thief.fetch_whole(stolen)
    assert bench.victim.asked[-1].again == TaskRef(frame="f", tile=1)
    assert (again.header.tile, again.header.reusing) == (1, False)
    assert again.pixels.shape[:2] == WORK.tile(1).form.sizes[0]


async def test_a_tile_that_cannot_be_had_again_is_given_up(bench):
    bench.victim.tiles = [(1, True)]
    bench.thief.request_task()
    await bench.grant()
    stolen = bench.thief.take_stolen()
    bench.victim.closed = bench.victim.lost = True
    assert await bench.thief.fetch_whole(stolen) is None


async def test_the_worker_fetches_a_whole_tile_after_one_that_is_being_fetched(bench):
    """Both questions go over one connection, whose answers would be mixed up."""
    bench.victim.tiles = [(1, True), (4,)]
    bench.thief.request_task()
    await bench.grant()
    stolen = bench.thief.take_stolen()
    bench.victim.answering.clear()
    bench.thief.request_task(idle=False)
    await bench.grant()
    again = asyncio.create_task(bench.thief.fetch_whole(stolen))
    await bench.settle()
    bench.victim.answering.set()
    assert (await again).header.tile == 1
    assert bench.thief.take_stolen().header.tile == 4


@pytest.mark.parametrize("change", [{"epoch": 6}, {"tile": 9}, {"height": 1}])
async def test_a_tile_that_is_not_of_the_plan_costs_the_connection(bench, change):
    header, pixels = Victim().answer(4, **change)
    bench.victim.answer = lambda *_: (header, pixels)
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    assert bench.victim.closed
    assert bench.thief.take_stolen() is None


async def test_a_grant_of_another_plan_is_left_alone(bench):
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant(GRANT.model_copy(update={"epoch": 6}))
    assert bench.victim.asked == []


async def test_a_tile_whose_lease_has_ended_is_not_worth_running(bench):
    header, pixels = Victim().answer(4, lease_s=0.0)
    bench.victim.answer = lambda *_: (header, pixels)
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    assert bench.thief.take_stolen() is None


async def test_what_was_stolen_under_a_plan_is_computed_by_it_after_another_has_replaced_it(bench):
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    bench.plans.add(NEWER)
    remove_plan(bench.plans, WORK.epoch)
    stolen = bench.thief.take_stolen()
    assert (stolen.work, stolen.header.tile) == (WORK, 4)


async def test_tasks_of_all_offered_plans_are_requested_and_fetched(bench):
    bench.plans.add(NEWER)
    bench.victim.tiles = [(4,)]
    bench.victim.epoch = NEWER.epoch
    bench.thief.request_task()
    await bench.grant(GRANT.model_copy(update={"epoch": NEWER.epoch}))
    assert bench.bus.epochs == [(WORK.epoch, NEWER.epoch)]
    assert [take.epoch for take in bench.victim.asked] == [NEWER.epoch]
    assert bench.thief.take_stolen().work is NEWER


async def test_a_grant_of_a_withdrawn_plan_is_followed_and_none_is_requested(bench):
    """Its last frames are finished by it."""
    bench.plans.add(NEWER)
    bench.plans.withdraw_others({NEWER.epoch}, 0.0)
    bench.victim.tiles = [(4,)]
    bench.thief.request_task()
    await bench.grant()
    assert bench.bus.epochs == [(NEWER.epoch,)]
    assert bench.thief.take_stolen().work is WORK


async def test_a_node_without_a_plan_requests_nothing(bench):
    bench.thief._plans = plans_of()
    bench.thief.request_task()
    assert bench.bus.requests == []
