from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from gateway.cluster.plan_choice import MIN_DWELL_S
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_candidates import PlanCandidate
from gateway.planning.plan_prediction import PlanPrediction
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.payloads.bridge import BridgeEventType
from tests.settling import settled, until
from tests.unit.gateway.cluster.offered_plans import NETWORK, open_frame, partition_of
from tests.unit.gateway.cluster.plan_bench import FRAME_S, Bench, changing


def staged_candidate(latency_s, devices=("pi-3", "pi-0")):
    """Stages of two tiles for these devices, as a search finds them."""
    cuts = [layer.outputs for layer in NETWORK.layers]
    stages = chained_stages(NETWORK, cuts, Grid(2, 1))
    return PlanCandidate(Method.STAGED, stages, devices, PlanPrediction(latency_s, 1.0, 1, "computing", 1))


@pytest.fixture
async def searching(monkeypatch):
    """A bench whose devices have measured their speed, and for which better tiles are found."""

    def partitioned(_model, stages, method):
        return partition_of(b"s", method=method, stages=stages)

    monkeypatch.setattr("gateway.cluster.plan_changes.PartitionedModel", partitioned)
    bench = Bench(monkeypatch)
    bench.seconds, bench.best = FRAME_S, staged_candidate(0.05)
    async with changing(bench) as made:
        await until("the search", lambda: made.searched)
        yield made


async def test_better_tiles_that_were_found_for_the_devices_replace_those_before(searching):
    first = searching.tiles
    await until("other tiles", lambda: first.withdrawn_at is not None)
    _, now = (running for running in searching.plans if running.plan.detector is None)
    assert (now.plan.method, now.nodes) == (Method.STAGED, ("pi-3", "pi-0"))
    assert searching.served == [(now.epoch, ("pi-3", "pi-0"))]
    assert searching.plans.preferred is searching.whole
    assert searching.weights_forgotten == 2
    await until("the news", lambda: (BridgeEventType.REPLANNED, now.epoch) in searching.told)
    searching.clock.now += MIN_DWELL_S
    searching.changes.check()
    await until("the offer", lambda: now in searching.plans.offered)
    assert first not in searching.plans.offered


async def test_the_devices_that_were_planned_for_are_told_with_what_they_have_measured(searching):
    searching.kernel_costs["pi-1"], searching.memory["pi-2"] = {"depthwise": 3.0}, 2**28
    first, second, third, _ = searching.changes.planned_devices
    assert [device.name for device in (first, second, third)] == ["pi-0", "pi-1", "pi-2"]
    assert (first.kernels, second.kernels) == ({}, {"depthwise": 3.0})
    assert first.macs_per_s > 0


async def test_frames_that_began_with_tiles_are_finished_by_them_though_others_were_found(searching):
    first = searching.tiles
    open_frame(first)
    await until("other tiles", lambda: first.withdrawn_at is not None)
    assert searching.plans.find_frame("f")[0] is first


async def test_tiles_that_are_hardly_better_do_not_replace_those_before(monkeypatch):
    bench = Bench(monkeypatch)
    bench.seconds, bench.best = FRAME_S, staged_candidate(1.9)
    async with changing(bench):
        await until("the news", lambda: bench.told)
        assert [running.plan.method for running in bench.plans] == [Method.WHOLE, Method.WST]


async def test_tiles_for_a_device_that_is_gone_are_replaced_by_the_best_that_are_left(searching):
    await until("tiles for two", lambda: searching.served)
    searching.best = staged_candidate(1.9, ("pi-0", "pi-1"))
    searching.present = searching.present[:3]
    await until("tiles for the others", lambda: len(searching.served) == 2)
    assert searching.served[1][1] == ("pi-0", "pi-1")
    assert searching.searched[-1] == ("pi-0", "pi-1", "pi-2")


@pytest.mark.parametrize(("search_s", "next_after_s"), [(0.1, 60.0), (2.0, 200.0)])
async def test_searches_for_what_devices_have_measured_take_a_hundredth_of_the_time_at_most(
    monkeypatch, search_s, next_after_s
):
    bench = Bench(monkeypatch)
    looks = []
    monkeypatch.setattr(bench, "work_shares", lambda nodes: (looks.append(nodes), (1 / len(nodes),) * len(nodes))[1])
    bench.seconds, bench.search_s = FRAME_S, search_s
    begun = bench.clock.now
    async with changing(bench):
        await until("the end of the first search", lambda: bench.told)
        bench.kernel_costs["pi-1"] = {"depthwise": 3.0}
        bench.clock.now = begun + next_after_s - 0.1
        looks.clear()
        await until("several looks at the devices", lambda: len(looks) > 5)
        assert len(bench.searched) == 1
        bench.clock.now = begun + next_after_s
        await until("the next search", lambda: len(bench.searched) == 2)
        bench.present = bench.present[:3]
        await until("a search for other devices at once", lambda: len(bench.searched) == 3)


async def test_edges_of_the_release_before_keep_the_tiles_that_they_know(monkeypatch):
    bench = Bench(monkeypatch)
    bench.seconds, bench.best, bench.has_older_nodes = FRAME_S, staged_candidate(0.05), True
    async with changing(bench):
        await settled()
        await bench.pass_time(5)
        assert (bench.searched, bench.served) == ([], [])


async def test_nothing_is_searched_before_two_speeds_are_known(monkeypatch):
    bench = Bench(monkeypatch)
    async with changing(bench):
        await bench.pass_time(5)
        assert bench.searched == []


async def test_the_weights_are_not_let_go_while_another_graph_is_made_of_them(monkeypatch):
    """Opening what runs behind tiles lets them go at its end; better tiles are made meanwhile, or after it."""
    using, together = [], []

    def use(what):
        def used(*_):
            using.append(what)
            together.append(tuple(using))
            time.sleep(0.05)
            using.remove(what)

        return used

    def partitioned(_model, stages, method):
        made = partition_of(b"s", method=method, stages=stages)
        build = made.build_programs
        made.build_programs = lambda: (use("programs")(), build())[1]
        return made

    monkeypatch.setattr("gateway.cluster.plan_changes.PartitionedModel", partitioned)
    bench = Bench(monkeypatch)
    bench.partitions[1].detector = use("detector")
    bench.seconds, bench.best = FRAME_S, staged_candidate(0.05)
    async with changing(bench):
        bench.changes.check()
        await until("both", lambda: ("programs",) in together and ("detector",) in together)
        await until("their end", lambda: not using)
    assert {len(names) for names in together} == {1}


async def test_tiles_that_cannot_be_made_leave_those_before_in_use(monkeypatch, caplog):
    def partitioned(_model, stages, method):
        def fail():
            raise ModelError("the process that loads the model has ended")

        return SimpleNamespace(**{**vars(partition_of(b"s", method=method, stages=stages)), "build_programs": fail})

    monkeypatch.setattr("gateway.cluster.plan_changes.PartitionedModel", partitioned)
    bench = Bench(monkeypatch)
    bench.seconds, bench.best = FRAME_S, staged_candidate(0.05)
    async with changing(bench):
        await until("the warning", lambda: "these tiles cannot be used: the process" in caplog.text)
        await bench.pass_time(MIN_DWELL_S)
        assert bench.tiles.plan.method == Method.WST
        await until("their offer", lambda: bench.tiles in bench.plans.offered)
