from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from gateway.cluster.plan_choice import LOAD_MEMORY_S, MIN_DWELL_S, MIN_MEASURED_FRAMES
from gateway.planning.methods import Method
from shared.payloads.bridge import BridgeEventType
from tests.settling import until
from tests.unit.gateway.cluster.offered_plans import LASTS_S, open_frame, partition_of
from tests.unit.gateway.cluster.plan_bench import FRAME_S, Bench, changing


@pytest.fixture
async def bench(monkeypatch):
    async with changing(Bench(monkeypatch)) as made:
        yield made


async def test_first_only_whole_frames_are_offered_and_nothing_is_opened_for_tiles(bench):
    await bench.plans.publish()
    await bench.pass_time(10)
    assert bench.published() == (bench.whole.epoch, [bench.whole.epoch])
    assert (bench.told, bench.partitions[1].opened, bench.weights_forgotten) == ([], [], 1)


async def test_tiles_that_pay_are_offered_beside_whole_frames_when_the_gateway_can_merge_them(bench):
    bench.seconds = FRAME_S
    bench.changes.check()
    assert bench.plans.offered == [bench.whole]  # what runs behind the tiles is being opened
    await until("the offer", lambda: bench.told)
    assert bench.partitions[1].opened == [3]
    assert bench.published() == (bench.whole.epoch, [bench.whole.epoch, bench.tiles.epoch])
    assert {*bench.told} == {bench.whole.epoch}


async def test_a_change_of_preference_is_published_and_told_and_both_stay_offered(bench):
    await bench.divide()
    assert bench.published() == (bench.tiles.epoch, [bench.whole.epoch, bench.tiles.epoch])
    assert [*dict.fromkeys(bench.told)] == [bench.whole.epoch, bench.tiles.epoch]
    assert bench.partitions[1].opened == [3]


async def test_a_change_costs_no_frame(bench):
    whole = bench.whole
    open_frame(whole, "before")
    await bench.divide()
    open_frame(bench.tiles, "after", "pi-2")
    await bench.pass_time(LASTS_S + 1, frames=20.0)
    assert bench.plans.preferred is whole
    for name, running in (("before", whole), ("after", bench.tiles)):
        assert bench.plans.find_frame(name)[0] is running
        assert not bench.plans.is_finished(name)
    assert bench.forgotten == []


async def test_plans_that_are_not_preferred_are_kept(bench):
    """None of both is withdrawn: the next change needs it again."""
    await bench.divide()
    await bench.pass_time(2 * LASTS_S)
    assert bench.forgotten == []
    assert len(bench.data.programs) == 2


async def test_a_load_about_the_limit_does_not_change_plans_back_and_forth(bench):
    """With 3.4 frames under way, tiles take as long as whole frames; here it is about that many."""
    await bench.divide()
    for second in range(120):
        await bench.pass_time(1.0, frames=4.3 if second % 2 else 2.4)
    assert bench.plans.preferred is bench.whole
    assert len(bench.changed_at) == 2  # to tiles, and to whole frames again


async def test_each_preference_lasts_for_a_while_however_the_load_jumps(bench):
    await bench.divide()
    for second in range(100):
        await bench.pass_time(1.0, frames=6.0 * (second % 2))
    assert len(bench.changed_at) > 3
    assert min(after - before for before, after in itertools.pairwise(bench.changed_at)) >= MIN_DWELL_S


async def test_tiles_that_are_slower_than_predicted_are_left(bench):
    await bench.divide()
    for _ in range(MIN_MEASURED_FRAMES):
        bench.changes.add_frame(bench.whole, 0.1)  # those of the other plan do not count
        bench.changes.add_frame(bench.tiles, 1.5 * FRAME_S)
    await bench.pass_time(MIN_DWELL_S + LOAD_MEMORY_S)
    assert bench.plans.preferred is bench.whole
    await until("the news", lambda: bench.told[-1] == bench.whole.epoch)


async def test_with_a_method_of_tiles_there_is_no_choice_and_everything_is_open_at_once(monkeypatch):
    async with changing(Bench(monkeypatch, Method.WST)) as bench:
        bench.seconds = FRAME_S
        await bench.pass_time(10)
        assert bench.partitions[0].opened == [3]
        assert (bench.plans.offered, bench.told) == ([bench.tiles], [])


@pytest.fixture
async def planned(monkeypatch):
    """A bench whose plan is made for its devices; it has been made for four."""
    made_for = []

    def partition_for(*parts):
        made_for.append(parts[-1])
        return partition_of(bytes([len(made_for)]), method=Method.BODP)

    monkeypatch.setattr("gateway.cluster.plan_changes.PartitionedModel", SimpleNamespace(of=partition_for))
    async with changing(Bench(monkeypatch, Method.BODP)) as made:
        await until("a plan for four", lambda: len(made.told) == 1)
        yield made


async def test_a_plan_for_the_devices_is_shared_out_to_them_and_told(planned):
    first, now = planned.plans
    assert planned.served == [(first.epoch, ()), (now.epoch, planned.present)]
    assert planned.told == [(BridgeEventType.REPLANNED, now.epoch)]
    assert planned.published() == (now.epoch, [now.epoch])
    assert planned.weights_forgotten == 0  # they are needed for the next plan


async def test_a_frame_is_finished_by_the_plan_that_it_began_with(planned):
    before = planned.plans.preferred
    open_frame(before, "f")
    planned.present = planned.present[:3]
    await until("a plan for three", lambda: len(planned.told) == 2)
    assert planned.plans.preferred is not before
    assert planned.plans.find_frame("f")[0] is before
    assert planned.plans.get(before.epoch) is before
    assert before.is_ready


async def test_a_plan_is_retired_after_its_last_frame_and_the_time_in_which_one_may_still_begin(planned):
    first, second = planned.plans
    open_frame(second, "f")
    planned.present = planned.present[:3]
    await until("a plan for three", lambda: len(planned.told) == 2)
    await planned.pass_time(LASTS_S)
    assert planned.forgotten == []
    await planned.pass_time(1)
    assert planned.forgotten == [("stealing", first.epoch), ("sharing", first.epoch)]  # the other has a frame
    await planned.pass_time(3 * LASTS_S)
    assert planned.plans.get(second.epoch) is second
    planned.plans.close_frame("f")
    planned.changes.check()
    assert planned.forgotten[2:] == [("stealing", second.epoch), ("sharing", second.epoch)]
    assert planned.plans.get(second.epoch) is None
    assert len(planned.data.programs) == 1
