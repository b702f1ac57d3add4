from __future__ import annotations

import pytest

from benchmarks.cluster.shaping import Link
from benchmarks.scale.bare_figures import BareDevice, BareFigures
from benchmarks.scale.cluster_window import ClusterWindow, PublishedFrame
from benchmarks.scale.divided_plans import DividedPlan, PlanTrial, assigned_nodes
from benchmarks.scale.divided_rows import (
    ALL_OF_IT,
    DividedRow,
    bytes_result,
    divided_result,
    memory_result,
)
from benchmarks.scale.physical_bound import STAGED_WORK, DividedJob, bound_frames_per_s
from gateway.planning.methods import Method
from shared.ftp.grid import Grid

FAST = Link(10_000, shared=False)
SIX = [1.0] * 6


def window_of(frames_per_s, seconds=10):
    frames = tuple(
        PublishedFrame("camera", number, number / frames_per_s, 0.5, {"edge-1": 1})
        for number in range(1, int(seconds * frames_per_s) + 1)
    )
    return ClusterWindow(0.0, seconds, frames, (), {}, ("camera",), {}, 0.0)


def figures(frames_per_s):
    return BareFigures(30, frames_per_s, 1 / frames_per_s, 1.0)


RIVAL, UNDISTURBED = BareDevice(figures(1.0), figures(1.1)), BareDevice(figures(1.25), figures(1.3))


def result(goal, *frames_per_s):
    trials = [PlanTrial(f"plan-{rate}", 2.0, window_of(rate)) for rate in frames_per_s]
    return divided_result(DividedRow("head", goal), trials, RIVAL, UNDISTURBED, bound=4.0)


def test_the_best_plan_counts_and_all_are_named_with_their_predictions():
    row = result(2.4, 1.5, 2.5)
    assert row.ratio == pytest.approx(2.5)
    assert row.reached
    assert "physics allows 4.00x, 62 % of it was reached" in row.remark
    assert "with the other devices idle, the device alone has 1.25 frames/s" in row.remark
    for words in ("plan-1.5: 1.50 frames/s, 500 ms a frame, predicted 2.00 frames/s", "plan-2.5: 2.50 frames/s"):
        assert words in row.remark


def test_less_than_the_goal_is_not_reached():
    assert not result(2.6, 1.5, 2.5).reached


def test_devices_alone_limit_what_is_possible_by_their_number():
    job = DividedJob(device_s=6.0, pixel_bytes=1, result_bytes=1)
    for devices in (1, 3, 6):
        assert bound_frames_per_s(job, [1.0] * devices, FAST) == pytest.approx(devices / 6 / STAGED_WORK)


def test_unequal_devices_count_by_their_speeds_and_the_owner_sends_what_the_others_compute():
    job = DividedJob(device_s=6.0, pixel_bytes=1, result_bytes=1)
    assert bound_frames_per_s(job, [1.0, 0.5, 0.5], FAST) == pytest.approx(2 / 6 / STAGED_WORK)
    sending = DividedJob(1e-6, 3_000_000, 1)
    assert bound_frames_per_s(sending, [1.0, 0.25, 0.25], Link(8, shared=False)) == pytest.approx(1.0)


def test_the_tail_limits_what_is_possible_however_many_devices_there_are():
    assert bound_frames_per_s(DividedJob(6.0, 1, 1, tail_s=2.0), [1.0] * 100, FAST) == pytest.approx(0.5)


def test_the_owner_sends_all_but_its_own_tile_and_all_results_meet_at_the_gateway():
    own = Link(8, shared=False)
    assert bound_frames_per_s(DividedJob(1e-6, 3_000_000, 1_000_000), SIX, own) == pytest.approx(1 / 2.5)
    assert bound_frames_per_s(DividedJob(1e-6, 1_000_000, 3_000_000), SIX, own) == pytest.approx(1 / 3)


def test_a_shared_medium_carries_both():
    shared = Link(8, shared=True)
    assert bound_frames_per_s(DividedJob(1e-6, 3_000_000, 1_000_000), SIX, shared) == pytest.approx(1 / 3.5)


def sent(name, megabytes):
    return PlanTrial(name, 2.0, window_of(1.0), megabytes * 1e6)


@pytest.mark.parametrize(("half", "reached"), [(2.4, True), (2.6, False)])
def test_the_plan_with_the_fewest_bytes_counts_and_the_exact_one_is_printed_beside_it(half, reached):
    row = bytes_result(sent("paper", 10.0), [sent("a", 5.0), sent("b", 4.0)], [sent("a", 3.0), sent("b", half)])
    assert row.reached == reached
    assert "exact 4.00 MB (b), -60 %" in row.remark
    assert f"{half:.2f} MB a frame (b, half precision)" in row.remark
    assert row.bare == "10.00 MB"


def test_a_frame_that_is_alone_is_compared_with_the_device_alone():
    trials = [PlanTrial("a", 2.0, window_of(1.5), alone_s=0.5), PlanTrial("b", 2.0, window_of(2.0), alone_s=0.4)]
    row = divided_result(DividedRow("end-to-end", 1.0), trials, RIVAL, UNDISTURBED, bound=4.0)
    assert "a frame alone takes 400 ms, on the device 800 ms: 2.00x" in row.remark
    assert "a: 1.50 frames/s, 500 ms a frame (500 ms alone), predicted 2.00 frames/s" in row.remark


@pytest.mark.parametrize(("share", "reached"), [(0.2, True), (0.3, False)])
def test_the_maps_of_the_first_plan_that_divides_frames_count(share, reached):
    whole = PlanTrial("whole", 2.0, window_of(1.0), memory_bytes=400_000_000)
    divided = PlanTrial("staged", 2.0, window_of(1.0), memory_bytes=300_000_000, maps_share=share)
    row = memory_result([whole, divided])
    assert (row.measured, row.reached) == (f"{share * 100:.0f} %", reached)
    assert "whole: 400 MB; staged: 300 MB" in row.remark


def test_whole_frames_are_a_plan_too_and_have_neither_cut_nor_grid():
    whole, staged = DividedPlan(Method.WHOLE, Grid(1, 1)), DividedPlan(Method.STAGED, Grid(2, 3))
    assert str(whole) == "whole frames, the gateway too"
    assert {"--grid", "--cut", "--no-compute"}.isdisjoint(whole.gateway_options("layer_24"))
    assert {"2x3", "layer_24", "--no-compute"} <= set(staged.gateway_options("layer_24"))
    assert sum(plan.whole for plan in ALL_OF_IT) == 1


def test_a_plan_without_a_grid_leaves_the_sizes_of_tiles_to_the_gateway():
    by_speed = DividedPlan(Method.STAGED)
    assert str(by_speed) == "staged by speed"
    assert "--grid" not in by_speed.gateway_options("layer_24")
    assert {"staged", "--cut", "layer_24"} <= set(by_speed.gateway_options("layer_24"))


def assigned(*frames):
    published = tuple(PublishedFrame("camera", number, 1.0, 0.5, tiles) for number, tiles in enumerate(frames))
    return ClusterWindow(0.0, 9.0, published, (), {}, ("camera",), {}, 0.0)


def test_the_tiles_of_a_plan_are_predicted_on_the_nodes_that_had_them():
    usual, other = {"edge-2": 1, "edge-1": 2, "gateway": 1}, {"edge-1": 4}
    assert assigned_nodes(assigned(usual, other, usual), 4) == ("edge-1", "edge-2", "gateway", "edge-1")
    assert assigned_nodes(assigned(usual), 6) == ()
    assert assigned_nodes(assigned(), 4) == ()
