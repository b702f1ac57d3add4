from __future__ import annotations

import math

import pytest

from gateway.planning.kernel_costs import FEW_CHANNELS_COST, POOLED_COST, unit_costs
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import (
    EXCHANGE_S,
    IDLE_SHARE,
    DivisionCosts,
    costs_of_stages,
    predict_plan,
)
from gateway.planning.profiles import EXCHANGE_COST, PREPARING_COST, TILE_COST, ClusterProfile, DeviceProfile
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition, whole_stage
from tests.networks import ModelBuilder

SPEED = 1e9
"""MACs a second of the devices."""


def cluster_of(*speeds, owner="d0", bytes_per_s=math.inf, gateway=SPEED):
    devices = tuple(DeviceProfile(f"d{number}", speed, bytes_per_s) for number, speed in enumerate(speeds))
    return ClusterProfile(devices, DeviceProfile("gateway", gateway, bytes_per_s), owner)


def costs_of(tiles, *more, strips=(), pixels=0, results=0, tail=0.0):
    return DivisionCosts(
        tiles=(tuple(tiles), *more),
        strips=({}, *strips),
        pixel_bytes=(pixels,) * len(tiles),
        result_bytes=(results,) * len(tiles),
        tail=tail,
        tile_bytes=(1,),
        weight_bytes=0,
    )


@pytest.fixture(scope="module")
def network():
    """Three layers that look around, a pool between them, and one that does not."""
    build = ModelBuilder(32, 32)
    tensor = build.conv("image", 8, 3, name="conv_0", pads=[1] * 4)
    tensor = build.layer("MaxPool", tensor, name="pool", kernel_shape=[2, 2], strides=[2, 2])
    tensor = build.conv(tensor, 16, 3, name="conv_1", pads=[1] * 4)
    return build.network(build.conv(tensor, 4, 1, name="tail"))


def test_costs_of_tiles_are_those_of_the_whole_and_of_their_halos(network):
    whole = costs_of_stages(network, [whole_stage(network)])
    one = costs_of_stages(network, [partition(network, ["conv_1"], Grid(1, 1))])
    four = costs_of_stages(network, [partition(network, ["conv_1"], Grid(4, 1))])
    assert one.total + one.tail == pytest.approx(whole.total)
    assert len(four.tiles[0]) == 4
    assert four.total > one.total
    assert four.tail == one.tail > 0
    assert sum(one.pixel_bytes) == 3 * 32 * 32
    assert sum(four.result_bytes) == sum(one.result_bytes) == 4 * 16 * 16 * 16


def test_between_stages_tiles_exchange_the_border_that_the_next_kernel_needs(network):
    costs = costs_of_stages(network, chained_stages(network, [["pool"], ["conv_1"]], Grid(2, 1)))
    row = 4 * 8 * 16
    assert costs.strips == ({}, {(0, 1): row, (1, 0): row})


def test_memory_is_that_of_the_largest_layer_and_all_weights(network):
    whole = costs_of_stages(network, [whole_stage(network)])
    tiles = costs_of_stages(network, [partition(network, ["conv_1"], Grid(4, 4))])
    assert tiles.memory_bytes < whole.memory_bytes
    assert whole.memory_bytes > 4 * (3 * 8 * 9 + 8 * 16 * 9 + 16 * 4)


def test_a_whole_frame_takes_its_owner_its_operations_and_others_its_transfer_too():
    costs = costs_of([5e9], pixels=12_500_000)
    alone = predict_plan(Method.WHOLE, costs, cluster_of(SPEED))
    assert alone.latency_s == pytest.approx((PREPARING_COST + 5e9 + TILE_COST) / SPEED)
    helped = predict_plan(Method.WHOLE, costs, cluster_of(SPEED, 5 * SPEED, bytes_per_s=12_500_000))
    assert helped.latency_s == pytest.approx(PREPARING_COST / SPEED + 1 + (5e9 + TILE_COST) / (5 * SPEED))


@pytest.mark.parametrize("method", [Method.WHOLE, Method.WST])
def test_over_a_slow_link_stolen_pixels_take_half_of_the_time_and_what_coding_costs(method):
    cluster = cluster_of(SPEED / 1e6, SPEED, bytes_per_s=1e6)
    costs = costs_of([5e9], pixels=10_000_000)
    without = predict_plan(method, costs_of([5e9], pixels=1), cluster)
    assert 5 < predict_plan(method, costs, cluster).latency_s - without.latency_s < 6


def test_many_whole_frames_are_computed_by_all_devices():
    costs = costs_of([5e9])
    one, three = (predict_plan(Method.WHOLE, costs, cluster_of(*[SPEED] * count, owner="")) for count in (1, 3))
    assert three.frames_per_s == pytest.approx(3 * one.frames_per_s)
    assert three.latency_s == one.latency_s


def test_stolen_tiles_are_shared_out_so_that_all_devices_end_soon():
    costs = costs_of([1e9] * 4, tail=2e9)
    slow = predict_plan(Method.WST, costs, cluster_of(SPEED, owner="d0"))
    pair = predict_plan(Method.WST, costs, cluster_of(SPEED, SPEED))
    for prediction, in_a_row in ((slow, 4), (pair, 2)):
        computing_s = (PREPARING_COST + in_a_row * (1e9 + TILE_COST)) / SPEED
        assert prediction.latency_s == pytest.approx(computing_s + (2e9 + TILE_COST) / SPEED, rel=0.2)


@pytest.mark.parametrize("method", [Method.WHOLE, Method.WST])
def test_nodes_that_steal_are_idle_for_a_part_of_their_time(method):
    costs = costs_of([1e12], pixels=1)  # so much that nothing else counts
    alone, pair = (predict_plan(method, costs, cluster_of(*[SPEED] * count, bytes_per_s=1e9)) for count in (1, 2))
    kept = 2 - IDLE_SHARE if method is Method.WHOLE else 2 * (1 - IDLE_SHARE)
    assert pair.frames_per_s / alone.frames_per_s == pytest.approx(kept, rel=0.01)


def test_a_device_that_would_hold_up_a_frame_gets_no_stolen_tile():
    costs = costs_of([1e9] * 2)
    alone = predict_plan(Method.WST, costs, cluster_of(SPEED))
    assert predict_plan(Method.WST, costs, cluster_of(SPEED, SPEED / 100)).latency_s == alone.latency_s


def test_tiles_wait_for_their_pixels_one_after_the_other_and_results_for_the_gateways_link():
    cluster = cluster_of(*[SPEED] * 3, bytes_per_s=1e3)
    computing_s = (PREPARING_COST + 1e9 + TILE_COST) / SPEED
    sent = predict_plan(Method.STAGED, costs_of([1e9] * 3, pixels=1000), cluster)
    assert sent.latency_s == pytest.approx(2 + computing_s + TILE_COST / SPEED, rel=0.1)
    received = predict_plan(Method.STAGED, costs_of([1e9] * 3, results=1000), cluster)
    assert received.latency_s == pytest.approx(3 + computing_s, rel=0.2)
    assert (sent.neck, received.neck) == ("the link of d0", "the link to gateway")
    assert (sent.frame_bytes, received.frame_bytes) == (2000, 3000)


def test_a_stage_begins_when_the_strips_of_the_neighbours_have_arrived():
    costs = costs_of([2e9, 1e9], (1e9, 1e9), strips=({(0, 1): 500},))
    both = predict_plan(Method.STAGED, costs, cluster_of(SPEED, SPEED, bytes_per_s=1e3))
    of_first_s = (PREPARING_COST + 2e9) / SPEED
    assert both.latency_s == pytest.approx(
        of_first_s + EXCHANGE_S + 0.5 + (1e9 + EXCHANGE_COST) / SPEED + TILE_COST / SPEED
    )
    assert both.frame_bytes == 500


def test_tiles_of_one_device_run_one_after_the_other_and_exchange_nothing_over_its_link():
    costs = costs_of([1e9, 1e9], (1e9, 1e9), strips=({(0, 1): 500},))
    alone = predict_plan(Method.STAGED, costs, cluster_of(SPEED, bytes_per_s=1.0))
    assert alone.frame_bytes == 0
    assert alone.latency_s == pytest.approx((PREPARING_COST + 4e9 + 2 * EXCHANGE_COST + TILE_COST) / SPEED)


def test_results_of_the_gateways_own_node_need_no_link():
    costs = costs_of([1e9], results=1000)
    own = ClusterProfile((DeviceProfile("gateway", SPEED, 1.0),), DeviceProfile("gateway", SPEED, 1.0))
    assert predict_plan(Method.WST, costs, own).frame_bytes == 0


def test_throughput_is_that_of_the_busiest_device_link_or_gateway():
    costs = costs_of([1e9] * 4, tail=8e9)
    assert predict_plan(Method.WST, costs, cluster_of(*[SPEED] * 4)).neck == "computing on gateway"
    tail_s = (8e9 + TILE_COST) / SPEED
    assert predict_plan(Method.WST, costs, cluster_of(*[SPEED] * 4)).frames_per_s == pytest.approx(1 / tail_s)


def test_devices_are_as_slow_with_kinds_of_layers_as_they_have_measured(network):
    """The second device takes ten times as long for pools, and half as long for the picture's convolution."""
    costs = costs_of_stages(network, [whole_stage(network)])
    usual, own = (
        DeviceProfile("d0", SPEED, math.inf, kernels=kernels)
        for kernels in ((), unit_costs({"pool": 10 * POOLED_COST, "picture": 0.5 * FEW_CHANNELS_COST}))
    )
    assert costs.of_tiles(usual) == costs.total == sum(map(sum, costs.tiles))
    picture, pooled = 32 * 32 * 3 * 8 * 9, 16 * 16 * 8
    expected = costs.total + 9 * POOLED_COST * pooled - 0.5 * FEW_CHANNELS_COST * picture
    assert costs.of_tiles(own) == pytest.approx(expected)
    alone = [predict_plan(Method.WHOLE, costs, cluster_with(device)).latency_s for device in (usual, own)]
    assert alone[1] - alone[0] == pytest.approx((expected - costs.total) / SPEED)


def cluster_with(*devices):
    return ClusterProfile(devices, DeviceProfile("gateway", SPEED, math.inf), devices[0].name)


def test_the_layers_behind_the_cut_take_the_gateway_as_long_as_it_has_measured(network):
    costs = costs_of_stages(network, [partition(network, ["pool"], Grid(2, 1))])
    gateways = [DeviceProfile("gateway", SPEED, math.inf, kernels=unit_costs({"usual": cost})) for cost in (1.0, 3.0)]
    assert costs.of_tail(gateways[0]) == pytest.approx(costs.tail)
    assert costs.of_tail(gateways[1]) > 2 * costs.tail
