from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.methods import chained_stages
from gateway.planning.plan_prediction import costs_of_stages, predict_assigned
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from gateway.planning.stage_choice import choose_stages
from gateway.planning.stage_fitting import balanced_shares, fit_stages, levelled_speeds
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


def cluster_of(*speeds, owner="d0"):
    devices = tuple(DeviceProfile(f"d{number}", speed * WEAK, 12.5e6) for number, speed in enumerate(speeds))
    return ClusterProfile(devices, DeviceProfile("gateway", 2 * WEAK, 12.5e6), owner)


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


def test_devices_that_differ_by_no_more_than_measurements_do_are_equally_fast():
    levelled = levelled_speeds(cluster_of(0.95, 0.5, 1.0, 0.45))
    assert [device.name for device in levelled.devices] == ["d0", "d1", "d2", "d3"]
    assert [device.macs_per_s / WEAK for device in levelled.devices] == pytest.approx([0.975, 0.475, 0.975, 0.475])
