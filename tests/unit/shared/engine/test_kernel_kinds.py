from __future__ import annotations

import pytest

from shared.engine.kernel_kinds import (
    WEIGHT_CELLS,
    KernelKind,
    kernel_costs,
    kind_of_convolution,
)  # fmt: skip

UNIT_US = 1e-4
"""Microseconds of an operation of a usual convolution: ten thousand million in a second."""


class Profile:
    """Events as onnxruntime writes them, of layers that take some microseconds in each run."""

    def __init__(self, runs=5):
        self.layers, self.runs = [], runs

    def layer(self, operator, us, output, *inputs):
        self.layers.append((operator, us, output, inputs))

    def conv(self, us, output, weight, *more):
        self.layer("Conv", us, output, (1, 64, 9, 9), weight, (weight[0],), *more)

    def events(self, held_up=lambda _run, _node: 0.0):
        """`held_up` returns the microseconds for which a layer waits in a run."""
        found = [{"cat": "Session", "name": "model_run", "dur": 5, "args": {}}]
        for run in range(self.runs):
            for node, (operator, us, output, inputs) in enumerate(self.layers):
                arguments = {
                    "node_index": str(node), "op_name": operator, "output_type_shape": [{"float": list(output)}],
                    "input_type_shape": [{"float": list(shape)} for shape in inputs],
                }  # fmt: skip
                took = us * (10 if run == 0 else 1) + held_up(run, node)
                found.append({"cat": "Node", "name": "_kernel_time", "dur": took, "args": arguments})
        return found

    @property
    def run_s(self):
        return sum(us for _, us, _, _ in self.layers) / 1e6


def conv_work(output, weight, *, reading=True):
    macs = output[1] * output[2] * output[3] * weight[1] * weight[2] * weight[3]
    return macs + (WEIGHT_CELLS * weight[0] * weight[1] * weight[2] * weight[3] if reading else 0)


USUAL, USUAL_OUT = (64, 64, 3, 3), (1, 64, 50, 50)
DEPTHWISE, POINTWISE, PICTURE = (64, 1, 3, 3), (64, 64, 1, 1), (32, 3, 3, 3)


@pytest.fixture
def profile():
    """A layer of each kind, whose units take 1, 2, 3, 4 ... times as long as those of the usual one."""
    made = Profile()
    made.conv(conv_work(USUAL_OUT, USUAL) * UNIT_US, USUAL_OUT, USUAL)
    made.conv(2 * conv_work(USUAL_OUT, POINTWISE) * UNIT_US, USUAL_OUT, POINTWISE)
    made.conv(3 * conv_work(USUAL_OUT, DEPTHWISE, reading=False) * UNIT_US, USUAL_OUT, DEPTHWISE)
    made.conv(4 * conv_work((1, 32, 99, 99), PICTURE, reading=False) * UNIT_US, (1, 32, 99, 99), PICTURE)
    made.layer("MaxPool", 50 * 64 * 25 * 25 * UNIT_US, (1, 64, 25, 25), USUAL_OUT)
    made.layer("Concat", 10 * 128 * 25 * 25 * UNIT_US, (1, 128, 25, 25), (1, 64, 25, 25), (1, 64, 25, 25))
    return made


EXPECTED = {
    KernelKind.USUAL: 1, KernelKind.POINTWISE: 2, KernelKind.DEPTHWISE: 3, KernelKind.PICTURE: 4, KernelKind.POOL: 50,
    KernelKind.ELEMENTWISE: 10,
}  # fmt: skip


def test_kinds_of_convolutions():
    assert [kind_of_convolution(weight) for weight in (USUAL, DEPTHWISE, POINTWISE, PICTURE)] == [
        KernelKind.USUAL, KernelKind.DEPTHWISE, KernelKind.POINTWISE, KernelKind.PICTURE,
    ]  # fmt: skip
    assert kind_of_convolution((1, 1, 3, 3)) is KernelKind.PICTURE  # a single channel is no depthwise one


def test_the_costs_of_a_profile_are_relative_to_a_usual_convolution(profile):
    assert kernel_costs(profile.events(), profile.run_s) == pytest.approx(EXPECTED)


def test_a_map_that_is_added_to_the_result_is_not_taken_for_weights(profile):
    wide = (1, 64, 300, 300)
    profile.conv(conv_work(USUAL_OUT, USUAL) * UNIT_US, USUAL_OUT, USUAL, wide)
    assert kernel_costs(profile.events(), profile.run_s) == pytest.approx(EXPECTED)


def test_the_time_between_layers_is_that_of_dispatching_them(profile):
    costs = kernel_costs(profile.events(), profile.run_s + 6 * 20e-6)  # 20 us for each of six layers
    assert costs.pop(KernelKind.DISPATCH) == pytest.approx(20 / UNIT_US)
    assert costs == pytest.approx(EXPECTED)


def test_reordering_values_is_a_part_of_the_convolutions(profile):
    profile.layer("ReorderOutput", profile.layers[0][1], USUAL_OUT, USUAL_OUT)  # as long as the usual convolution
    costs = kernel_costs(profile.events(), profile.run_s)
    assert costs[KernelKind.USUAL] == 1
    assert costs[KernelKind.POINTWISE] == pytest.approx(1)  # of a unit that takes twice as long


def test_other_programs_that_hold_up_some_runs_change_nothing(profile):
    events = profile.events(lambda run, node: 1e5 if run % 2 == node % 2 else 0.0)
    assert kernel_costs(events, profile.run_s) == pytest.approx(EXPECTED)


def test_nothing_is_told_when_other_programs_held_up_all_runs(profile):
    assert kernel_costs(profile.events(lambda _run, node: 1e5 if node == 2 else 0.0), profile.run_s) == {}


@pytest.mark.parametrize("period_us", [1e5, 2e4])
def test_the_pauses_of_a_quota_are_left_out(profile, period_us):
    """Whole pauses, in all runs of the long layers."""
    events = profile.events(lambda _run, node: 0.8 * period_us * (3 if node in {0, 1} else 0))
    assert kernel_costs(events, profile.run_s, stopped=0.8) == pytest.approx(EXPECTED)


def test_nothing_is_told_when_the_pauses_of_a_quota_do_not_add_up(profile):
    assert kernel_costs(profile.events(lambda _run, node: 31_111.0 * (node < 5)), profile.run_s, stopped=0.8) == {}


def test_a_network_without_usual_convolutions_is_compared_with_pointwise_ones(profile):
    del profile.layers[0]
    costs = kernel_costs(profile.events(), profile.run_s)
    assert KernelKind.USUAL not in costs
    assert costs[KernelKind.POINTWISE] == 1
    assert costs[KernelKind.DEPTHWISE] == pytest.approx(1.5)


def test_nothing_is_told_of_a_network_without_convolutions():
    profile = Profile()
    profile.layer("MaxPool", 50, (1, 64, 25, 25), USUAL_OUT)
    assert kernel_costs(profile.events(), profile.run_s) == {}


def test_a_kind_that_takes_hardly_any_time_is_not_measured(profile):
    profile.layers[4] = ("MaxPool", 0.001, (1, 2, 3, 3), (USUAL_OUT,))
    assert KernelKind.POOL not in kernel_costs(profile.events(), profile.run_s)
