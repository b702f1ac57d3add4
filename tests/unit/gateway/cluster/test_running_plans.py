from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.cluster.running_plans import RunningPlans
from gateway.options import GatewayOptions
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.frames import Outcome
from shared.plan.plan import PlanOffer
from tests.unit.gateway.cluster.offered_plans import DEADLINE_S, LASTS_S, Bus, Clock, Data, open_frame, partition_of


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("gateway.cluster.running_plans.time", made)
    return made


@pytest.fixture
def data():
    return Data()


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def plans(data, bus, clock):  # noqa: ARG001
    return RunningPlans(GatewayOptions(), data, bus, SimpleNamespace(broker=Address("10.0.0.1", 7883)))


def test_plans_are_offered_at_once_and_the_first_is_preferred(plans):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    assert plans.preferred is whole
    tiles.open_detector(1)
    assert plans.offered == [whole, tiles]
    assert whole.epoch < tiles.epoch
    assert (whole.plan.detector is None, tiles.plan.detector) == (False, None)
    assert plans.get(tiles.epoch) is tiles
    assert plans.get(1) is None


def test_the_gateway_opens_what_runs_behind_the_tiles_once_and_nothing_for_whole_frames(plans):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    assert (whole.detector, tiles.detector) == (None, None)
    for _ in range(2):
        for running in (whole, tiles):
            running.open_detector(3)
    assert (whole.detector, tiles.detector) == (None, "of 3 threads")
    assert (whole.partitioned.opened, tiles.partitioned.opened) == ([], [3])


def test_epochs_only_grow_though_the_clock_stands_still(plans):
    epochs = [running.epoch for _ in range(3) for running in plans.offer([partition_of(b"a"), partition_of(b"b")])]
    assert epochs == sorted(set(epochs))


def test_preferring_another_plan_is_a_change_once(plans):
    _, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    assert plans.prefer(tiles.epoch)
    assert plans.preferred is tiles
    assert not plans.prefer(tiles.epoch)


async def test_edges_read_the_first_plan_the_others_and_the_preference(plans, bus):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    tiles.open_detector(1)
    plans.prefer(tiles.epoch)
    await plans.publish()
    (preference, preferred), (topic, plan) = bus.said
    assert (preference, preferred.epoch) == (topics.PREFERRED_PLAN, tiles.epoch)
    assert (topic, plan) == (topics.PLAN, PlanOffer(**dict(whole.plan), also=(tiles.plan,)))


async def test_a_plan_that_is_held_back_is_not_published(plans, bus):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    tiles.open_detector(1)
    tiles.held_back = True
    await plans.publish()
    assert bus.said[-1] == (topics.PLAN, PlanOffer(**dict(whole.plan)))


async def test_tiles_are_not_published_before_the_gateway_can_merge_them(plans, bus):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    await plans.publish()
    assert bus.said[-1] == (topics.PLAN, PlanOffer(**dict(whole.plan)))
    tiles.open_detector(1)
    await plans.publish()
    assert bus.said[-1] == (topics.PLAN, PlanOffer(**dict(whole.plan), also=(tiles.plan,)))


async def test_edges_of_the_release_before_read_tiles(plans, bus):
    whole, tiles = plans.offer([partition_of(b"w", whole=True), partition_of(b"t")])
    tiles.open_detector(1)
    tiles.first = True
    await plans.publish()
    assert bus.said[-1] == (topics.PLAN, PlanOffer(**dict(tiles.plan), also=(whole.plan,)))


def test_a_withdrawn_plan_is_retired_only_after_its_last_frame(plans, clock, data):
    (before,) = plans.offer([partition_of(b"a")])
    open_frame(before)
    (after,) = plans.offer([partition_of(b"b")])
    after.open_detector(1)
    assert (plans.preferred, plans.offered) == (after, [after])
    clock.now += 10 * LASTS_S
    assert plans.retire(clock.now) == []
    assert plans.get(before.epoch) is before
    assert len(data.programs) == 2
    plans.close_frame("f")
    assert plans.retire(clock.now) == [before.epoch]
    assert plans.get(before.epoch) is None
    assert data.programs == {after.plan.stages[0].program.sha256}
    assert plans.retire(clock.now) == []


def test_a_withdrawn_plan_without_frames_stays_as_long_as_one_may_still_begin_by_it(plans, clock):
    (before,) = plans.offer([partition_of(b"a")])
    plans.offer([partition_of(b"b")])
    assert plans.retire(clock.now + LASTS_S) == []
    assert plans.retire(clock.now + LASTS_S + 0.1) == [before.epoch]


def test_a_plan_is_withdrawn_once(plans, clock):
    (first,) = plans.offer([partition_of(b"a")])
    (second,) = plans.offer([partition_of(b"b")])
    clock.now += LASTS_S
    plans.offer([partition_of(b"c")])
    assert plans.retire(clock.now + 0.1) == [first.epoch]
    assert plans.retire(clock.now + LASTS_S + 0.1) == [second.epoch]


def test_programs_that_two_plans_share_are_kept_for_the_other(plans, clock, data):
    plans.offer([partition_of(b"a")])
    plans.offer([partition_of(b"a")])
    plans.retire(clock.now + LASTS_S + 0.1)
    assert len(data.programs) == 1


def test_frames_are_found_in_every_plan(plans, clock):
    (before,) = plans.offer([partition_of(b"a")])
    info = open_frame(before, "f", "pi-1")
    (after,) = plans.offer([partition_of(b"b")])
    open_frame(after, "g", "pi-2")
    assert plans.find_frame("f") == (before, before.collector.get_assembly("f"))
    assert plans.find_frame("nothing") is None
    assert [(running, assembly.info.frame) for running, assembly in plans.assemblies()] == [(before, "f"), (after, "g")]
    assert [(assembly.info.frame, outcome) for assembly, outcome in plans.orphaned("pi-1")] == [
        ("f", Outcome.OWNER_LOST)
    ]
    assert [assembly.info.frame for assembly, _ in plans.overdue(clock.now + DEADLINE_S)] == ["f", "g"]
    plans.close_frame("f")
    assert plans.is_finished("f")
    assert not plans.is_finished("g")
    assert after.collector.open_frame(info, "pi-1", clock.now) is None  # a late result by either plan does not open it
