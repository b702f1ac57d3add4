from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tasks.prediction import EXPERIENCE_TILES, MAX_DEVICES, Conditions, Experience, makespan_s, reuse_pays
from edge.tasks.tile_order import TileOrder
from shared.ftp.grid import Grid
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import one_in
from tests.networks import yolov2_first_16
from tests.unit.edge.tile_orders import CROSS, REUSING, WHOLE, plain

PI_PACE_S = 2e-10
"""Of a multiply-accumulate operation on a core of a Raspberry Pi 4, about."""

MB = 1e6


@pytest.fixture(scope="module")
def yolov2():
    """The tile orders of the layers that the paper fuses, by grid."""
    network = describe_network(yolov2_first_16(608), "yolov2")
    stages = [with_reuse(network, partition(network, ["layer_15"], grid)) for grid in (Grid(3, 3), Grid(5, 5))]
    return {
        str(stage.grid): TileOrder.of_tiles(
            stage.tiles, stage.reusing, [network.shapes[name][1] * 4 for name in stage.joints]
        )
        for stage in stages
    }  # fmt: skip


def conditions(devices=1.0, pace_s=PI_PACE_S, link=math.inf, result_bytes=1_478_656):
    return Conditions(devices, pace_s, link, result_bytes)


# how long a frame takes


def test_alone_a_frame_takes_as_long_as_all_its_tiles():
    assert makespan_s(CROSS, conditions(pace_s=0.01), reuse=False) == pytest.approx(9 * WHOLE.macs * 0.01)


def test_alone_strips_spare_what_they_can_and_cross_no_link():
    expected = (5 * WHOLE.macs + 4 * REUSING.macs) * 0.01
    assert makespan_s(CROSS, conditions(pace_s=0.01), reuse=True) == pytest.approx(expected)
    slow = makespan_s(CROSS, conditions(pace_s=0.01, link=1.0, result_bytes=0), reuse=True)
    assert slow == pytest.approx(expected)


def test_two_devices_share_the_tiles():
    assert makespan_s(plain(4), conditions(2, pace_s=0.01), reuse=False) == pytest.approx(2 * WHOLE.macs * 0.01)
    assert makespan_s(plain(5), conditions(2, pace_s=0.01), reuse=False) == pytest.approx(3 * WHOLE.macs * 0.01)


def test_the_last_result_has_its_way_to_the_gateway():
    ends = WHOLE.macs * 0.01 + 500 / 100.0
    assert makespan_s(plain(1), conditions(pace_s=0.01, link=100.0, result_bytes=500), reuse=False) == ends


def test_results_wait_for_each_other_on_the_link_of_the_gateway():
    slow_link = conditions(pace_s=0.0, link=100.0, result_bytes=600)
    assert makespan_s(plain(3), slow_link, reuse=False) == pytest.approx(600 / 100.0)


def test_a_thief_begins_when_it_has_its_tile():
    """Owner and thief have a tile each: that of the thief comes first over the link."""
    slow_link = conditions(2, pace_s=0.01, link=1000.0, result_bytes=0)
    assert makespan_s(plain(2), slow_link, reuse=False) == pytest.approx(WHOLE.pixel_bytes / 1000.0 + WHOLE.macs * 0.01)


def test_tiles_of_several_thieves_share_the_link_of_the_owner():
    slow_link = conditions(4, pace_s=0.01, link=1000.0, result_bytes=0)
    expected = 3 * WHOLE.pixel_bytes / 1000.0 + WHOLE.macs * 0.01
    assert makespan_s(plain(4), slow_link, reuse=False) == pytest.approx(expected)


def test_devices_beyond_the_cap_count_no_more():
    tile_order = plain(MAX_DEVICES + 10)
    most = makespan_s(tile_order, conditions(MAX_DEVICES, pace_s=0.01), reuse=False)
    assert makespan_s(tile_order, conditions(1e9, pace_s=0.01), reuse=False) == most
    assert most == pytest.approx(2 * WHOLE.macs * 0.01)


def test_a_part_of_a_device_is_rounded_and_one_is_always_there():
    two = makespan_s(plain(4), conditions(2, pace_s=0.01), reuse=False)
    assert makespan_s(plain(4), conditions(1.6, pace_s=0.01), reuse=False) == two
    one = makespan_s(plain(4), conditions(1, pace_s=0.01), reuse=False)
    assert makespan_s(plain(4), conditions(0.2, pace_s=0.01), reuse=False) == one == 2 * two


# whether reuse pays


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
@pytest.mark.parametrize("devices", one_in(5, range(1, 31)))
def test_where_the_network_costs_nothing_reuse_never_takes_longer(yolov2, grid, devices):
    tile_order = yolov2[grid]
    with_strips = makespan_s(tile_order, conditions(devices), reuse=True)
    without = makespan_s(tile_order, conditions(devices), reuse=False)
    assert with_strips <= without
    assert reuse_pays(tile_order, conditions(devices))
    if devices < len(tile_order.givers):
        assert with_strips < without


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
@pytest.mark.parametrize("link", [MB, 12.5 * MB, math.inf])
@given(pace_s=st.floats(1e-12, 1e-6))
def test_alone_reuse_pays_always(yolov2, grid, link, pace_s):
    assert reuse_pays(yolov2[grid], conditions(1, pace_s, link))


def test_on_a_slow_link_six_devices_are_faster_without_reuse(yolov2):
    slow = conditions(6, link=MB)
    assert not reuse_pays(yolov2["3x3"], slow)
    strips_s = sum(costs.strip_bytes for costs in yolov2["3x3"].reusing.values()) / MB
    assert makespan_s(yolov2["3x3"], slow, reuse=True) > strips_s


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
def test_on_a_fast_link_reuse_pays_for_six_devices(yolov2, grid):
    assert reuse_pays(yolov2[grid], conditions(6, link=125 * MB))


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
def test_slow_devices_on_a_slow_link_gain_by_reuse_what_fast_ones_lose(yolov2, grid):
    assert not reuse_pays(yolov2[grid], conditions(2, PI_PACE_S, MB))
    assert reuse_pays(yolov2[grid], conditions(2, 10 * PI_PACE_S, MB))


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
def test_where_the_network_costs_nothing_more_devices_never_take_longer(yolov2, grid):
    spans = [makespan_s(yolov2[grid], conditions(devices), reuse=False) for devices in range(1, 31)]
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] == max(costs.macs for costs in yolov2[grid].whole.values()) * PI_PACE_S


@given(
    devices=st.integers(1, 12), pace_s=st.floats(1e-12, 1e-6), link=st.floats(1e3, 1e12),
    result_bytes=st.integers(0, 10**8), reuse=st.booleans(),
)  # fmt: skip
def test_a_frame_takes_no_less_than_its_longest_tile_and_no_less_than_the_link(
    devices, pace_s, link, result_bytes, reuse
):
    span = makespan_s(CROSS, conditions(devices, pace_s, link, result_bytes), reuse=reuse)
    assert span >= WHOLE.macs * pace_s
    assert span >= result_bytes / link * (1 - 1e-9)


@given(st.integers(1, 12), st.floats(1e-12, 1e-6), st.floats(1e3, 1e9), st.booleans())
def test_a_faster_network_and_faster_devices_together_are_as_much_faster(devices, pace_s, link, reuse):
    one = makespan_s(CROSS, conditions(devices, pace_s, link), reuse=reuse)
    double = makespan_s(CROSS, conditions(devices, pace_s / 2, link * 2), reuse=reuse)
    assert double == pytest.approx(one / 2)


# what an owner has seen


def test_nothing_is_known_before_the_pace_is():
    experience = Experience("me")
    experience.add_tile("other", 1000.0)
    assert experience.conditions(3, None, 500) is None


def test_nothing_is_known_of_the_link_before_a_thief_has_used_it():
    experience = Experience("me")
    experience.add_tile("me", 0.0)
    assert experience.conditions(3, 0.01, 500) is None


def test_who_is_alone_needs_no_link():
    assert Experience("me").conditions(1, 0.01, 500) == Conditions(1.0, 0.01, math.inf, 500)


def test_the_link_carries_what_the_best_transfer_had():
    experience = Experience("me")
    for rate in (1000.0, 3000.0, 2000.0):
        experience.add_tile("other", rate)
    experience.add_tile("me", 0.0)
    assert experience.conditions(3, 0.01, 500) == Conditions(3.0, 0.01, 3000.0, 500)


def test_the_best_transfer_is_forgotten_in_time():
    experience = Experience("me")
    experience.add_tile("other", 9000.0)
    for _ in range(EXPERIENCE_TILES):
        experience.add_tile("other", 1000.0)
    assert experience.conditions(3, 0.01, 500).link_bytes_per_s == 1000.0


@pytest.mark.parametrize(
    ("own", "others", "nodes", "devices"),
    [(1, 1, 6, 2), (1, 2, 6, 3), (3, 1, 6, 4 / 3), (1, 9, 6, 6), (0, 4, 6, 6), (4, 1, 1, 1)],
)
def test_the_number_of_devices_that_work_for_an_owner_is_estimated_from_its_own_share(own, others, nodes, devices):
    experience = Experience("me")
    for _ in range(own):
        experience.add_tile("me", 0.0)
    for number in range(others):
        experience.add_tile(f"other-{number}", 1000.0)
    assert experience.conditions(nodes, 0.01, 500).devices == pytest.approx(devices)


@given(st.lists(st.tuples(st.sampled_from(["me", "a", "b"]), st.floats(1.0, 1e9)), max_size=200), st.integers(1, 9))
def test_conditions_are_always_ones_that_can_be(results, nodes):
    experience = Experience("me")
    for worker, rate in results:
        experience.add_tile(worker, 0.0 if worker == "me" else rate)
    found = experience.conditions(nodes, 0.01, 500)
    if found is None:
        assert nodes > 1
        assert all(worker == "me" for worker, _ in results[-EXPERIENCE_TILES:])
        return
    assert 1.0 <= found.devices <= nodes
    assert found.link_bytes_per_s > 0
