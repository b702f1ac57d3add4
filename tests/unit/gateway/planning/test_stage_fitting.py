from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.divided_network import DividedNetwork
from gateway.planning.memory_fit import memory_needs
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_candidates import PlanOutlook
from gateway.planning.plan_prediction import costs_of_stages, predict_assigned
from gateway.planning.profiles import ClusterProfile, DeviceProfile, fitted_shares
from gateway.planning.stage_choice import StageTerms, choose_stages
from gateway.planning.stage_fitting import (
    ALL_FRAMES,
    FRAME_ALONE,
    balanced_shares,
    fit_stages,
    fit_tiles,
    levelled_speeds,
)
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import yolov2_first_16

WEAK = 16e9
"""MACs a second of a fifth of a core."""

CUT = ("layer_15",)


@pytest.fixture(scope="module")
def yolov2():
    return describe_network(yolov2_first_16(608), "yolov2")


MIB = 2**20


def cluster_of(*speeds, owner="d0", bytes_per_s=12.5e6, memory_mib=()):
    sizes = [*memory_mib, *[0] * len(speeds)]
    devices = tuple(
        DeviceProfile(f"d{number}", speed * WEAK, bytes_per_s, sizes[number] * MIB)
        for number, speed in enumerate(speeds)
    )
    return ClusterProfile(devices, DeviceProfile("gateway", 2 * WEAK, bytes_per_s), owner)


def evenly_divided(network, cluster, grid):
    stages = chained_stages(network, choose_stages(network, CUT, grid), grid)
    return predict_assigned(costs_of_stages(network, stages), cluster)


def operations(fitted):
    """The operations of each device's tile."""
    tiles = range(len(fitted.devices))
    return {fitted.devices[tile]: sum(stage.tiles[tile].macs for stage in fitted.stages) for tile in tiles}


def test_six_equal_devices_compute_more_frames_than_with_even_tiles_as_the_owner_has_more_to_do(yolov2):
    cluster = cluster_of(*[1] * 6)
    fitted = fit_stages(yolov2, cluster, CUT)
    even = [evenly_divided(yolov2, cluster, grid) for grid in (Grid(2, 3), Grid(6, 1))]
    assert fitted.stages[-1].grid == Grid(2, 3)
    assert operations(fitted)["d0"] < 0.85 * min(work for name, work in operations(fitted).items() if name != "d0")
    assert fitted.prediction.latency_s < 1.05 * min(each.latency_s for each in even)
    assert fitted.prediction.frames_per_s > 1.08 * max(each.frames_per_s for each in even)


def test_unequal_devices_have_tiles_by_their_speed(yolov2):
    cluster = cluster_of(1, 1, 0.5, 0.5, 0.25, 0.25)
    fitted = fit_stages(yolov2, cluster, CUT)
    work = operations(fitted)
    assert work["d1"] > 1.7 * work["d2"] > 3 * work["d4"]
    assert fitted.prediction.latency_s < 0.75 * evenly_divided(yolov2, cluster, Grid(2, 3)).latency_s


def test_the_fastest_devices_are_side_by_side_whatever_their_names(yolov2):
    fitted = fit_stages(yolov2, cluster_of(0.25, 1, 0.5, 1, owner="d2"), CUT)
    assert fitted.devices == ("d1", "d3", "d2", "d0")


@settings(max_examples=examples(5), deadline=None)
@given(speeds=st.lists(st.floats(0.05, 5.0), min_size=2, max_size=6))
def test_whatever_the_devices_all_cells_are_computed_and_no_device_is_left_out(yolov2, speeds):
    fitted = fit_stages(yolov2, cluster_of(*speeds), CUT)
    last = fitted.stages[-1]
    assert sorted(fitted.devices) == sorted(f"d{number}" for number in range(len(speeds)))
    assert sum(tile.outputs[0].area for tile in last.tiles) == 38 * 38
    assert sum(fitted.shares) == pytest.approx(1)
    assert last.cut == CUT


def test_balanced_shares_give_a_slow_device_less_by_what_it_does_besides_computing(yolov2):
    cluster = cluster_of(1, 0.2, owner="")
    grid = Grid(2, 1)
    even = costs_of_stages(yolov2, chained_stages(yolov2, [CUT], grid))
    fast, slow = balanced_shares((0.5, 0.5), even, cluster)
    assert fast + slow == pytest.approx(1)
    assert 0.8 < fast / 0.83 < 1.1
    assert slow < 1 / 6  # of their speeds
    assert balanced_shares((0.5, 0.5), even, cluster_of(1, 1, owner="")) == pytest.approx((0.5, 0.5), abs=0.01)


def test_tiles_of_a_device_that_computes_several_are_fitted_together(yolov2):
    """The one that computes two of three tiles is only as fast as the other, so its two become smaller."""
    cluster = cluster_of(1, 1, owner="")
    twice = replace(cluster, devices=(cluster.devices[0], *cluster.devices))
    equal, *fitted = fit_tiles(DividedNetwork(yolov2, CUT), twice, Grid(3, 1), FRAME_ALONE)
    best = min(fitted, key=FRAME_ALONE.order)
    assert equal.shares == ()
    assert best.devices == ("d0", "d0", "d1")
    assert best.shares[0] == pytest.approx(best.shares[1])
    assert best.shares[2] > 1.4 * best.shares[0]
    assert best.prediction.latency_s < 0.9 * equal.prediction.latency_s


def test_devices_that_differ_by_no_more_than_measurements_do_are_equally_fast():
    levelled = levelled_speeds(cluster_of(0.95, 0.5, 1.0, 0.45))
    assert [device.name for device in levelled.devices] == ["d0", "d1", "d2", "d3"]
    assert [device.macs_per_s / WEAK for device in levelled.devices] == pytest.approx([0.975, 0.475, 0.975, 0.475])


UNEQUAL = cluster_of(1, 1, 0.5, 0.5, 0.25, 0.25)


@pytest.mark.parametrize(
    ("cluster", "grid", "gain"),
    [
        (cluster_of(*[1] * 6), Grid(6, 1), 0.02),
        (UNEQUAL, Grid(2, 3), 0.04),
        (UNEQUAL, Grid(6, 1), 0.1),
        (cluster_of(*[1] * 3, 0.1), Grid(4, 1), 0.05),
        (cluster_of(1, 0.5, 0.5, bytes_per_s=1.25e6), Grid(3, 1), 0.005),
        (cluster_of(*[1] * 4, memory_mib=[0, 0, 0, 28]), Grid(4, 1), 0.0),
    ],
    ids=["equal", "unequal", "unequal rows", "one slow", "slow links", "little memory"],
)
def test_fitting_in_rounds_is_predicted_to_be_no_later_than_sizes_by_speed_alone(yolov2, cluster, grid, gain):
    """Sizes by speed alone, their memory not looked at, are what a search had before."""
    network = DividedNetwork(yolov2, CUT)
    shares = fitted_shares(cluster, network.macs)
    mean = sum(device.macs_per_s for device in cluster.devices) / len(cluster.devices)
    terms = StageTerms(mean, min(device.bytes_per_s for device in cluster.devices))
    regions, ways = network.stage_ways(grid, shares, terms)
    by_speed = PlanOutlook.of(Method.STAGED, network.costs_of(regions, ways[-1].cuts), cluster)
    fitted = min(fit_tiles(network, cluster, grid, FRAME_ALONE), key=FRAME_ALONE.order)
    assert FRAME_ALONE.order(fitted) <= FRAME_ALONE.order(by_speed)
    assert by_speed.refused or fitted.prediction.latency_s <= (1 - gain) * by_speed.prediction.latency_s


def test_the_aim_decides_between_the_end_of_a_frame_alone_and_the_time_of_the_busiest_device(yolov2):
    alone, every = (fit_stages(yolov2, UNEQUAL, CUT, aim).prediction for aim in (FRAME_ALONE, ALL_FRAMES))
    assert alone.latency_s < every.latency_s
    assert alone.frames_per_s < every.frames_per_s


def test_fitting_gives_no_device_more_than_it_can_hold(yolov2):
    """Of four rows each needs about 31 MiB; without a limit, the last device had one of the largest."""
    cluster = cluster_of(*[1] * 4, memory_mib=[0, 0, 0, 28])
    fitted, free = (fit_stages(yolov2, given, CUT) for given in (cluster, cluster_of(*[1] * 4)))
    assert not fitted.refused
    limited, unlimited = (
        memory_needs(Method.STAGED, costs_of_stages(yolov2, each.stages), cluster.in_order(each.devices))
        for each in (fitted, free)
    )
    assert limited[fitted.devices.index("d3")] <= 28 * MIB
    assert unlimited[free.devices.index("d3")] > 28 * MIB
    none = fit_stages(yolov2, cluster_of(*[1] * 4, memory_mib=[0, 0, 0, 8]), CUT)
    assert "MiB of d3" in none.refused
