from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from types import SimpleNamespace

import pytest

from gateway.cluster.link_rates import LinkRates
from gateway.cluster.plan_changes import PlanChanges
from gateway.cluster.plan_choice import LOAD_MEMORY_S, MIN_DWELL_S, MIN_MEASURED_FRAMES
from gateway.cluster.running_plans import RunningPlans
from gateway.options import GatewayOptions
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import PlanPrediction
from gateway.planning.plan_search import PlanCandidate
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeEventType
from tests.settling import settled, until
from tests.unit.gateway.cluster.offered_plans import LASTS_S, NETWORK, Bus, Clock, Data, open_frame, partition_of

FRAME_S = 2.0
"""A whole frame on one device; in tiles it takes about a quarter of it on four."""

PERIOD_S = 0.25


class Bench:
    """The plans of a gateway with four even devices, on a clock of ours.

    `served` are the plans whose tiles are shared out, `forgotten` those that stealing and sharing know no more, `told`
    what the home was told, `seconds` what each device needs for a whole frame; `changed_at` are the times at which
    another plan was preferred.
    """

    def __init__(self, monkeypatch, method=Method.AUTO):
        self.clock, self.bus, self.data = Clock(), Bus(), Data()
        for module in ("plan_changes", "automatic_plans", "running_plans", "device_watch"):
            monkeypatch.setattr(f"gateway.cluster.{module}.time", self.clock)
        monkeypatch.setattr("gateway.cluster.device_watch.NODES_SETTLE_S", 0.001)
        monkeypatch.setattr("gateway.cluster.plan_changes.search_plans", self.search)
        self.broker, self.has_older_nodes, self.frames_under_way = Address("10.0.0.1", 7883), False, 1.0
        self.present, self.seconds = tuple(f"pi-{number}" for number in range(4)), None
        self.network, self.with_cameras, self.best, self.searched = NETWORK, ("pi-0",), None, []
        self.served, self.forgotten, self.told, self.changed_at, self.weights_forgotten = [], [], [], [], 0
        options = GatewayOptions(method=method, threads=3)
        self.plans = RunningPlans(options, self.data, self.bus, self)
        self.partitions = [partition_of(b"w", whole=True), partition_of(b"t")]
        if method is not Method.AUTO:
            self.partitions = [partition_of(b"b", method=method)]
        services = (
            SimpleNamespace(add_plan=self.serve, forget_plan=lambda epoch: self.forgotten.append(("sharing", epoch))),
            SimpleNamespace(forget_plan=lambda epoch: self.forgotten.append(("stealing", epoch))),
        )
        self.links = LinkRates()
        self.changes = PlanChanges(
            options, self, self.partitions, self.plans, services, self, self, self.links, self, lambda _: True
        )  # fmt: skip

    # the model, the devices and their speeds

    def forget_weights(self):
        self.weights_forgotten += 1

    def lanes(self, _node):
        return 1

    def search(self, _network, cluster, **_given):
        self.searched.append(tuple(device.name for device in cluster.devices))
        return SimpleNamespace(best_divided=self.best)

    def ready_nodes(self, epoch):
        running = self.plans.get(epoch)
        return self.present if running is not None and running.is_ready else ()

    def speed_of(self, _node):
        macs = next(iter(self.plans)).plan.stages[0].tiles[0].macs
        return None if self.seconds is None else macs / self.seconds

    def work_shares(self, nodes):
        return (1 / len(nodes),) * len(nodes)

    # what hears of plans

    def serve(self, plan, nodes):
        self.served.append((plan.epoch, tuple(nodes)))

    async def on_plan_changed(self):
        self.told.append(self.plans.preferred.epoch)

    def on_cluster_event(self, kind, name):
        self.told.append((kind, int(name)))

    @property
    def whole(self):
        return next(running for running in self.plans if running.plan.detector is not None)

    @property
    def tiles(self):
        return next(running for running in self.plans if running.plan.detector is None)

    @property
    def preferred_by_edges(self):
        return next((said.epoch for topic, said in reversed(self.bus.said) if topic is topics.PREFERRED_PLAN), None)

    def published(self):
        """The preferred plan and the offered ones, as edges read them last; each publication only once."""
        said = dict(self.bus.said)
        self.bus.said.clear()
        offer = said[topics.PLAN]
        return said[topics.PREFERRED_PLAN].epoch, [offer.epoch, *(plan.epoch for plan in offer.also)]

    async def pass_time(self, seconds, frames=1.0):
        """Check periodically for so long, with so many frames under way."""
        self.frames_under_way = frames
        for _ in range(round(seconds / PERIOD_S)):
            self.clock.now += PERIOD_S
            before = self.plans.preferred
            self.changes.check()
            if self.plans.preferred is not before:
                self.changed_at.append(self.clock.now)
            await settled()

    async def divide(self):
        """Let the devices have measured their speed, and wait until new frames are divided."""
        self.seconds = FRAME_S
        self.changes.check()
        await until("the offer of tiles", lambda: self.told)
        await self.pass_time(MIN_DWELL_S)
        await until("the preference of tiles", lambda: self.told[-1] == self.tiles.epoch == self.preferred_by_edges)


@contextlib.asynccontextmanager
async def changing(bench):
    """Let a bench's plans follow its devices and its load."""
    running = asyncio.create_task(bench.changes.run())
    yield bench
    assert not running.done(), "a gateway whose parts end, ends"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


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
