from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.memory_fit import memory_needs, short_devices
from gateway.planning.methods import Method
from gateway.planning.plan_prediction import costs_of_stages, predict_plan
from gateway.planning.plan_search import MAX_PLANNED_DEVICES, search_plans
from gateway.planning.profiles import ClusterProfile, DeviceProfile, fitted_shares
from shared.errors import ConfigurationError
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder, yolov2_first_16

FAST = 22e9
"""MACs a second of a small computer."""

MIB = 2**20

LAN = 12.5e6
"""Bytes a second of 100 Mbit/s."""


@pytest.fixture(scope="module")
def yolov2():
    return describe_network(yolov2_first_16(608), "yolov2")


@pytest.fixture(scope="module")
def small():
    """A network that is computed before its pixels could have been sent."""
    build = ModelBuilder(64, 64)
    return build.network(build.conv(build.conv("image", 4, 3, pads=[1] * 4), 4, 3, name="end", pads=[1] * 4))


def cluster_of(*speeds, owner="d0", bytes_per_s=LAN, memory_bytes=0):
    devices = tuple(
        DeviceProfile(f"d{number}", speed, bytes_per_s, memory_bytes) for number, speed in enumerate(speeds)
    )
    return ClusterProfile(devices, DeviceProfile("gateway", FAST, bytes_per_s), owner)


def test_a_large_network_is_divided_among_equal_devices(yolov2):
    found = search_plans(yolov2, cluster_of(*[FAST] * 6))
    best = found.candidates[0]
    assert best is found.best_divided
    assert best.prediction.latency_s < 0.6 * found.whole.prediction.latency_s
    assert len(best.devices) == 6


def test_all_methods_and_numbers_of_devices_were_considered(yolov2):
    found = search_plans(yolov2, cluster_of(*[FAST] * 4)).candidates
    assert {candidate.method for candidate in found} == {Method.WHOLE, Method.WST, Method.STAGED}
    assert {len(candidate.devices) for candidate in found if candidate.method is Method.STAGED} == {2, 3, 4}
    latencies = [candidate.prediction.latency_s for candidate in found]
    assert latencies == sorted(latencies)


def test_a_small_network_stays_whole(small):
    assert search_plans(small, cluster_of(*[FAST] * 6)).candidates[0].method is Method.WHOLE


def test_one_device_has_whole_frames_only(yolov2):
    found = search_plans(yolov2, cluster_of(FAST))
    assert [candidate.method for candidate in found.candidates] == [Method.WHOLE]
    assert found.best_divided is None


def test_devices_that_hold_up_the_others_are_left_out(yolov2):
    best = search_plans(yolov2, cluster_of(FAST, FAST, FAST, FAST / 50), grid=Grid(3, 1), cut=("layer_15",))
    staged = next(candidate for candidate in best.candidates if candidate.method is Method.STAGED)
    assert staged.devices == ("d0", "d1", "d2")


@pytest.mark.parametrize("slow", ["device", "link"])
def test_a_slow_device_or_link_makes_no_plan_slower_than_the_best_device_alone(yolov2, slow):
    speeds = [FAST, FAST / (10 if slow == "device" else 1)]
    cluster = cluster_of(*speeds, bytes_per_s=LAN if slow == "device" else LAN / 50)
    alone = search_plans(yolov2, cluster_of(FAST))
    best = search_plans(yolov2, cluster).candidates[0]
    assert best.prediction.latency_s <= alone.whole.prediction.latency_s


def test_a_cut_and_a_grid_that_are_given_are_the_only_ones(yolov2):
    found = search_plans(yolov2, cluster_of(*[FAST] * 4), cut=("layer_11",), grid=Grid(2, 2))
    divided = [candidate for candidate in found.candidates if candidate.method is not Method.WHOLE]
    assert {(candidate.cut, candidate.grid) for candidate in divided} == {(("layer_11",), Grid(2, 2))}


def test_plans_that_do_not_fit_the_memory_are_refused_with_what_is_missing(yolov2):
    found = search_plans(yolov2, cluster_of(*[FAST] * 4, memory_bytes=24 * 2**20))
    assert re.fullmatch(r"it needs \d+ MiB of d\d, \d+ MiB more than it has", found.whole.refused)
    assert found.candidates[-1].refused
    assert found.best_divided is not None
    assert found.best_divided.prediction.memory_bytes <= 24 * 2**20


def with_memory(*sizes):
    """Equal devices with so many MiB for plans, 0: not known."""
    devices = tuple(DeviceProfile(f"d{number}", FAST, LAN, size * MIB) for number, size in enumerate(sizes))
    return ClusterProfile(devices, DeviceProfile("gateway", FAST, LAN), "d0")


def test_a_device_of_little_memory_gets_a_smaller_share(yolov2):
    """Of four even rows each needs 31 MiB; the row of a device that has less is smaller, the others are higher."""
    even, uneven = (
        next(
            candidate
            for candidate in search_plans(yolov2, with_memory(0, 0, 0, last), cut=("layer_15",)).candidates
            if candidate.method is Method.STAGED and candidate.grid == Grid(4, 1)
        )
        for last in (0, 28)
    )
    assert not uneven.refused
    assert uneven.devices == even.devices
    assert uneven.shares[3] < 0.9 * even.shares[3]
    assert all(now > before for now, before in zip(uneven.shares[:3], even.shares[:3], strict=True))
    needs = memory_needs(Method.STAGED, costs_of_stages(yolov2, uneven.stages), with_memory(0, 0, 0, 28))
    assert needs[3] <= 28 * MIB < max(needs)


def test_a_device_that_cannot_hold_the_weights_is_left_out(yolov2):
    found = search_plans(yolov2, with_memory(0, 0, 0, 8), cut=("layer_15",))
    usable = [candidate for candidate in found.candidates if not candidate.refused]
    assert {candidate.method for candidate in usable} == {Method.WHOLE, Method.WST, Method.STAGED}
    assert all("d3" not in candidate.devices for candidate in usable)
    assert found.best_divided is not None
    assert len(found.best_divided.devices) == 3


def test_a_device_that_holds_only_the_first_layers_gets_tiles_of_these(yolov2):
    """With the free choice of a cut, plans for all devices end where the smallest one can still hold the weights."""
    found = search_plans(yolov2, with_memory(0, 0, 0, 12)).candidates
    of_all = [candidate for candidate in found if not candidate.refused and "d3" in candidate.devices]
    assert of_all
    assert all(costs_of_stages(yolov2, candidate.stages).weight_bytes < 12 * MIB for candidate in of_all)


def test_whole_frames_are_for_the_devices_that_can_hold_the_network(yolov2):
    assert search_plans(yolov2, with_memory(0, 50, 200, 0)).whole.devices == ("d0", "d2", "d3")
    refused = search_plans(yolov2, with_memory(50, 0, 0, 0)).whole.refused  # the device with the camera
    assert refused.startswith("it needs ")
    assert "MiB of d0" in refused


def test_the_owner_has_a_smaller_share_as_its_camera_costs_it_time():
    shares = fitted_shares(cluster_of(FAST, FAST, FAST / 2), 20e9)
    assert shares[0] < shares[1]
    assert sum(shares) == pytest.approx(1)
    assert fitted_shares(cluster_of(FAST, FAST, owner=""), 20e9) == pytest.approx((0.5, 0.5))


def test_of_many_devices_the_fastest_are_planned_for_and_the_owner(yolov2):
    speeds = [FAST / 10, *(FAST + number for number in range(20))]
    devices = search_plans(yolov2, cluster_of(*speeds)).whole.devices
    assert len(devices) == MAX_PLANNED_DEVICES
    assert {"d0", "d20"} <= {*devices}


@settings(max_examples=examples(5), deadline=None)
@given(speeds=st.lists(st.floats(1e8, 1e12), min_size=2, max_size=4), bytes_per_s=st.floats(1e3, 1e10))
def test_a_search_is_deterministic_and_its_best_is_no_slower_than_whole_frames(yolov2, speeds, bytes_per_s):
    cluster = cluster_of(*speeds, bytes_per_s=bytes_per_s)
    first, second = (search_plans(yolov2, cluster) for _ in range(2))
    assert first == second
    assert first.candidates[0].prediction.latency_s <= first.whole.prediction.latency_s


@pytest.mark.parametrize(
    "cluster",
    [
        cluster_of(*[FAST] * 4),
        cluster_of(FAST, FAST / 2, FAST / 2, FAST * 2, FAST / 3, owner=""),
        cluster_of(*[FAST] * 4, memory_bytes=20 * MIB),
    ],
    ids=["equal", "unequal", "small"],
)
def test_predictions_are_those_of_the_stages_that_would_be_run(nanodet, cluster):
    """They are made of regions of many cuts at once; what runs is made tile by tile."""
    cluster = replace(cluster, maps="float16")
    for candidate in search_plans(nanodet.network, cluster).candidates:
        costs = costs_of_stages(nanodet.network, candidate.stages)
        devices = cluster.in_order(candidate.devices)
        assert candidate.prediction == predict_plan(candidate.method, costs, devices)
        assert bool(candidate.refused) == bool(short_devices(candidate.method, costs, devices))
        assert len({stage.grid for stage in candidate.stages}) == 1


def test_candidates_are_named_in_words(yolov2):
    names = [str(candidate) for candidate in search_plans(yolov2, cluster_of(FAST, FAST)).candidates]
    assert "whole frames" in names
    assert any(name.startswith("ftp-wst 2x1 up to layer_") for name in names)


def test_a_faster_device_computes_several_tiles_of_a_frame(yolov2):
    cluster = cluster_of(*[FAST] * 6, 2 * FAST)
    staged = [found for found in search_plans(yolov2, cluster).candidates if found.method is Method.STAGED]
    several = next(candidate for candidate in staged if candidate.grid == Grid(2, 4))
    assert several.devices == ("d0", "d1", "d2", "d3", "d4", "d5", "d6", "d6")
    assert "staged 2x4 on 7 devices" in str(several)
    six = next(candidate for candidate in staged if candidate.grid == Grid(2, 3))
    assert several.prediction.frames_per_s > 1.05 * six.prediction.frames_per_s


def test_in_rows_and_columns_tiles_are_as_large_as_fits_their_devices(yolov2):
    weak = FAST / 5
    found = search_plans(yolov2, cluster_of(weak, weak, weak, 2 * weak), grid=Grid(2, 2), cut=("layer_15",)).candidates
    staged = next(candidate for candidate in found if candidate.method is Method.STAGED and candidate.shares)
    macs = [sum(stage.tiles[tile].macs for stage in staged.stages) for tile in range(4)]
    assert staged.devices == ("d0", "d1", "d2", "d3")
    assert macs[3] > 1.5 * macs[1]
    assert macs[0] < macs[1]  # it also prepares the frame


def test_tiles_of_a_grid_that_is_given_are_shared_out_by_speed(yolov2):
    found = search_plans(yolov2, cluster_of(2 * FAST, FAST), grid=Grid(3, 2), cut=("layer_15",)).candidates
    staged = next(candidate for candidate in found if candidate.method is Method.STAGED)
    assert staged.devices == ("d0", "d0", "d0", "d0", "d1", "d1")


def narrowing(size):
    """A network whose maps become half as large three times."""
    build = ModelBuilder(size, size)
    tensor = build.conv("image", 64, 3, name="conv_0", pads=[1] * 4)
    for number in (1, 2, 3):
        tensor = build.conv(tensor, 64, 3, name=f"conv_{number}", strides=[2, 2], pads=[1] * 4)
    return build.network(tensor)


@pytest.mark.parametrize(("size", "largest"), [(32, "8x1"), (8, "8x1"), (4, "4x1")])
def test_of_more_devices_than_the_last_maps_have_rows_the_maps_before_are_divided(size, largest):
    """The last maps of these networks have 4 rows, 1, and 1."""
    network = narrowing(size)
    found = search_plans(network, cluster_of(*[FAST] * 8)).candidates
    staged = [candidate for candidate in found if candidate.method is Method.STAGED]
    assert {len(candidate.devices) for candidate in staged} >= {2, 4}
    assert max((candidate.grid.rows for candidate in staged), default=0) == int(largest.partition("x")[0])
    for candidate in found[1:]:
        for name in candidate.cut if candidate.method is not Method.WHOLE else ():
            assert network.shapes[name][2] >= candidate.grid.rows
    too_large = search_plans(network, cluster_of(*[FAST] * 8), grid=Grid(40, 1)).candidates
    assert [candidate.method for candidate in too_large] == [Method.WHOLE]


def test_a_given_cut_is_divided_by_grids_that_are_not_larger_than_its_maps():
    network, eight = narrowing(32), cluster_of(*[FAST] * 8)
    found = search_plans(network, eight, cut=("conv_3",)).candidates
    divided = [candidate for candidate in found if candidate.method is not Method.WHOLE]
    assert {candidate.method for candidate in divided} == {Method.WST, Method.STAGED}
    assert {candidate.cut for candidate in divided} == {("conv_3",)}
    assert max(candidate.grid.rows for candidate in divided) == 4
    with pytest.raises(ConfigurationError, match="larger than the map it divides"):
        search_plans(network, eight, cut=("conv_3",), grid=Grid(5, 1))
