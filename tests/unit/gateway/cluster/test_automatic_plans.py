from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.cluster.automatic_plans import AutomaticPlans
from gateway.cluster.link_rates import LinkRates
from gateway.cluster.measured_devices import MeasuredDevices
from gateway.cluster.plan_choice import MIN_DWELL_S, MIN_MEASURED_FRAMES
from gateway.planning.methods import Method
from gateway.planning.plan_prediction import costs_of_stages, predict_plan
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition, whole_stage
from shared.mqtt.client_ids import OWN_NODE
from tests.networks import ModelBuilder
from tests.unit.edge.works import renumbered, work_of

WHOLE_EPOCH, TILES_EPOCH = 7, 8


def network_of(side=96):
    """Layers of many operations, so that these count, and not what a tile costs besides; tiles have halos."""
    build = ModelBuilder(side, side)
    tensor = "image"
    for number, (filters, kernel) in enumerate(((32, 3), (96, 9), (4, 3))):
        tensor = build.conv(tensor, filters, kernel, name=f"conv_{number}", pads=[kernel // 2] * 4)
    return build.network(build.conv(tensor, 64, 5, name="tail", pads=[2] * 4))


NETWORK = network_of()
WHOLE = work_of(NETWORK, [partition(NETWORK, ["tail"], Grid(1, 1))])
STAGE = partition(NETWORK, ["conv_2"], Grid(2, 2))
TILES = renumbered(work_of(NETWORK, [STAGE]), TILES_EPOCH)
MACS = WHOLE.tile(0).macs


def running(work, stage, method):
    partitioned = SimpleNamespace(method=method, costs=costs_of_stages(NETWORK, [stage]))
    return SimpleNamespace(
        plan=work.plan, epoch=work.epoch, partitioned=partitioned, held_back=False, first=False, nodes=()
    )  # fmt: skip


class Bench:
    """The choice among nodes of these seconds for a whole frame, with so many frames under way."""

    def __init__(self, monkeypatch, *, tiled=True, **seconds):
        monkeypatch.setattr("gateway.cluster.automatic_plans.time", self)
        self.now, self.preferred, self.seconds = 100.0, WHOLE_EPOCH, seconds
        self.frames_under_way, self.with_tiles, self.with_whole = 1.0, None, None
        self.whole = running(WHOLE, whole_stage(NETWORK), Method.WHOLE)
        self.tiles = running(TILES, STAGE, Method.WST) if tiled else None
        self.links, self.has_older_nodes, self.memory, self.kernel_costs = LinkRates(), False, {}, {}
        self.without_tiles, self.with_cameras = set(), ()
        devices = MeasuredDevices(self.whole.partitioned.costs, self, self, self.links)
        self.automatic = AutomaticPlans(
            self.whole, self.tiles, self, self, devices, lambda node: node not in self.without_tiles
        )

    @property
    def present(self):
        return tuple(sorted(self.seconds))

    def monotonic(self):
        return self.now

    def speed_of(self, node):
        return MACS / self.seconds[node] if self.seconds.get(node) else None

    def kernels(self, node):
        return self.kernel_costs.get(node, {})

    def memory_bytes(self, node):
        return self.memory.get(node, 0)

    def lanes(self, _node):
        return 1

    def ready_nodes(self, epoch):
        ready = self.with_whole if epoch == WHOLE_EPOCH else self.with_tiles
        return tuple(sorted(self.seconds)) if ready is None else ready

    def prefer(self, epoch):
        changed, self.preferred = epoch != self.preferred, epoch
        return changed

    def follow(self, seconds, frames=1.0):
        """The number of changes within so many seconds."""
        self.frames_under_way, changes = frames, 0
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            changes += self.automatic.update()
        return changes


def even(count, seconds=2.0):
    return {f"pi-{number}": seconds for number in range(count)}


def test_a_network_that_cannot_be_tiled_has_no_choice(monkeypatch):
    bench = Bench(monkeypatch, tiled=False, **even(4))
    assert bench.follow(20) == 0
    assert bench.preferred == WHOLE_EPOCH


def test_tiles_are_not_prepared_before_they_are_predicted_to_pay(monkeypatch):
    bench = Bench(monkeypatch, **dict.fromkeys(even(4)))
    assert bench.follow(10) == 0
    assert bench.tiles.held_back
    bench.seconds = even(4)
    assert bench.automatic.update()
    assert not bench.tiles.held_back


def test_tiles_are_prepared_and_used_where_no_device_can_hold_the_network(monkeypatch):
    """Devices that left whole frames to others have measured no speed yet."""
    bench = Bench(monkeypatch, **dict.fromkeys(even(2)))
    bench.memory = dict.fromkeys(bench.seconds, bench.whole.partitioned.costs.memory_bytes - 1)
    bench.with_whole = ()
    assert bench.follow(1) >= 1
    assert not bench.tiles.held_back
    assert bench.preferred == TILES_EPOCH


def test_tiles_are_prepared_for_one_device_that_cannot_hold_the_network(monkeypatch):
    bench = Bench(monkeypatch, **even(1), small=None)
    bench.memory = {"small": bench.whole.partitioned.costs.memory_bytes - 1}
    bench.with_whole = ("pi-0",)
    bench.with_tiles = ()
    bench.follow(1)
    assert not bench.tiles.held_back
    assert bench.preferred == WHOLE_EPOCH


def test_a_device_that_can_hold_the_network_just_so_needs_no_tiles(monkeypatch):
    bench = Bench(monkeypatch, **even(1))
    bench.memory = {"pi-0": bench.whole.partitioned.costs.memory_bytes}
    assert bench.follow(5) == 0
    assert bench.tiles.held_back


def test_nodes_that_have_computed_nothing_yet_count_as_fast_as_the_others(monkeypatch):
    """The owner of few frames computes all of them alone: without tiles nobody would ever know the others."""
    bench = Bench(monkeypatch, **even(3) | dict.fromkeys(["idle-1", "idle-2"]))
    measured = Bench(monkeypatch, **even(5))
    assert bench.automatic._predict(bench.tiles, tuple(bench.seconds)) == measured.automatic._predict(
        measured.tiles, tuple(measured.seconds)
    )
    bench.seconds = {"owner": 2.0} | dict.fromkeys(["idle-1", "idle-2", "idle-3"])
    bench.follow(10)
    assert bench.preferred == TILES_EPOCH


def test_a_load_that_came_before_edges_had_prepared_tiles_keeps_frames_whole(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    bench.with_tiles = ()
    bench.follow(10, frames=8.0)
    bench.with_tiles = tuple(even(4))
    assert bench.follow(10, frames=8.0) == 0
    assert bench.preferred == WHOLE_EPOCH


@pytest.mark.parametrize("nodes", [even(1), {"fast": 0.1, "slow": 10.0}, even(6, seconds=0.001)])
def test_one_device_an_uneven_pair_or_fast_devices_compute_whole_frames(monkeypatch, nodes):
    bench = Bench(monkeypatch, **nodes)
    assert bench.follow(20) == 0
    assert (bench.tiles.held_back, bench.preferred) == (True, WHOLE_EPOCH)


def test_slow_devices_divide_a_frame_while_there_is_one_and_none_while_there_are_many(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    assert bench.follow(10) >= 1
    assert bench.preferred == TILES_EPOCH
    assert bench.follow(20, frames=8.0) == 1
    assert bench.preferred == WHOLE_EPOCH
    assert bench.follow(20, frames=1.0) == 1
    assert bench.preferred == TILES_EPOCH


def test_tiles_are_not_preferred_before_a_node_has_prepared_them(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    bench.with_tiles = ()
    assert bench.follow(10) == 1  # they are offered
    assert bench.preferred == WHOLE_EPOCH
    bench.with_tiles = ("pi-0",)
    bench.follow(1)
    assert bench.preferred == TILES_EPOCH


def test_tiles_that_turn_out_slower_are_left_until_the_devices_are_others(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    bench.follow(10)
    for _ in range(MIN_MEASURED_FRAMES):
        bench.automatic.add_frame(bench.whole, 0.001)  # whole frames say nothing of tiles
        bench.automatic.add_frame(bench.tiles, 3.0)
    bench.follow(MIN_DWELL_S + 1)
    assert bench.preferred == WHOLE_EPOCH
    bench.follow(20)
    assert bench.preferred == WHOLE_EPOCH
    bench.seconds = even(5)
    bench.follow(MIN_DWELL_S + 1)
    assert bench.preferred == TILES_EPOCH


def test_the_tail_is_predicted_with_the_speed_of_the_gateways_own_cores(monkeypatch):
    slow, fast = (Bench(monkeypatch, **even(3), **{OWN_NODE: seconds}).automatic for seconds in (20.0, 0.5))
    tails = [automatic._predict(automatic._tiles, (*even(3), OWN_NODE)).tiled for automatic in (slow, fast)]
    assert tails[0] > tails[1]


def test_edges_of_the_release_before_are_offered_tiles_first_though_these_do_not_pay(monkeypatch):
    bench = Bench(monkeypatch, **even(1))
    bench.has_older_nodes = True
    assert bench.automatic.update()
    assert (bench.tiles.first, bench.tiles.held_back, bench.preferred) == (True, False, WHOLE_EPOCH)
    assert not bench.automatic.update()
    bench.has_older_nodes = False
    assert bench.automatic.update()
    assert not bench.tiles.first


def test_a_frame_is_not_divided_over_a_slow_link(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    bench.links.add_transfer("pi-0", "pi-1", 1e3, bench.now)
    assert bench.follow(10) == 0
    assert bench.tiles.held_back


def test_devices_that_are_drained_or_barred_are_no_part_of_a_prediction(monkeypatch):
    bench, pair = Bench(monkeypatch, **even(4)), Bench(monkeypatch, **even(2))
    bench.without_tiles = {"pi-2", "pi-3"}
    bench.links.add_transfer("pi-0", "pi-2", 1e3, bench.now)
    predictions = [
        made.automatic._predict(made.tiles, made.automatic._computing_nodes(made.whole)) for made in (bench, pair)
    ]
    assert predictions[0] == predictions[1]


@pytest.mark.parametrize("left", [0, 1])
def test_frames_are_whole_again_when_fewer_than_two_devices_are_left_that_compute(monkeypatch, left):
    bench = Bench(monkeypatch, **even(4))
    bench.follow(10)
    assert bench.preferred == TILES_EPOCH
    bench.without_tiles = set(even(4 - left))
    bench.follow(MIN_DWELL_S + 1)
    assert bench.preferred == WHOLE_EPOCH


def test_tiles_are_not_preferred_while_only_a_drained_device_has_prepared_them(monkeypatch):
    bench = Bench(monkeypatch, **even(4))
    bench.with_tiles, bench.without_tiles = ("pi-0",), {"pi-0"}
    bench.follow(10)
    assert (bench.tiles.held_back, bench.preferred) == (False, WHOLE_EPOCH)


def test_the_speed_of_the_gateways_cores_counts_for_the_tail_also_while_its_own_node_gets_no_tiles(monkeypatch):
    tails = []
    for seconds in (20.0, 0.5):
        bench = Bench(monkeypatch, **even(3), **{OWN_NODE: seconds})
        bench.without_tiles = {OWN_NODE}
        tails.append(bench.automatic._predict(bench.tiles, tuple(even(3))).tiled)
    assert tails[0] > tails[1]


def test_nothing_is_predicted_again_while_devices_and_plans_are_the_same(monkeypatch):
    predicted = []

    def predict(method, costs, cluster):
        predicted.append(method)
        return predict_plan(method, costs, cluster)

    monkeypatch.setattr("gateway.cluster.automatic_plans.predict_plan", predict)
    bench = Bench(monkeypatch, **even(4))
    bench.follow(10)
    assert predicted == [Method.WHOLE, Method.WST]

    def changed():
        bench.automatic.update()
        found = predicted[2:]
        del predicted[2:]
        return found

    bench.seconds["pi-3"] = 1.0
    assert changed() == [Method.WHOLE, Method.WST]
    bench.with_whole = ("pi-0", "pi-1")
    assert changed() == [Method.WHOLE, Method.WST]
    other = running(renumbered(TILES, TILES_EPOCH + 1), partition(NETWORK, ["conv_2"], Grid(4, 4)), Method.WST)
    bench.automatic.replace_tiles(other)
    assert changed() == [Method.WHOLE, Method.WST]
    assert changed() == []
