from __future__ import annotations

import pytest

from gateway.planning.kernel_costs import (
    DEPTHWISE_COST,
    FEW_CHANNELS_COST,
    KINDS,
    POOLED_COST,
    USUAL_COSTS,
    cost_of_work,
    unit_costs,
    work_of_layer,
)
from shared.engine.kernel_kinds import WEIGHT_CELLS, KernelKind
from tests.networks import ModelBuilder


@pytest.fixture
def costs():
    return costs_with(())


def costs_with(measured):
    build = ModelBuilder(16, 16)
    tensor = build.conv("image", 8, 3, name="picture", pads=[1] * 4)
    tensor = build.conv(tensor, 8, 3, name="depthwise", pads=[1] * 4, group=8)
    tensor = build.conv(tensor, 6, 1, name="pointwise")
    tensor = build.layer("Relu", tensor, name="relu")
    tensor = build.layer("MaxPool", tensor, name="pool", kernel_shape=[2, 2], strides=[2, 2])
    network = build.network(tensor)
    works = {layer.name: work_of_layer(layer, network.shapes) for layer in network.layers}
    return {
        name: tuple(cost_of_work(work, measured or unit_costs({})) for work in of_layer)
        for name, of_layer in works.items()
    }


def test_a_usual_convolution_costs_its_operations_and_reading_its_weights(costs):
    assert costs["pointwise"] == (8 * 6, WEIGHT_CELLS * 8 * 6)


def test_convolutions_of_few_channels_cost_more_for_each_operation(costs):
    assert costs["picture"] == (FEW_CHANNELS_COST * 3 * 8 * 9, WEIGHT_CELLS * 3 * 8 * 9)
    assert costs["depthwise"] == (DEPTHWISE_COST * 8 * 9, 0.0)


def test_a_pool_costs_by_the_values_that_it_gives_and_activations_nothing(costs):
    assert costs["pool"] == (POOLED_COST * 6, 0.0)
    assert costs["relu"] == (0.0, 0.0)


def test_kinds_that_a_device_has_measured_take_the_place_of_the_usual_costs():
    measured = {"depthwise": 2.5, "pool": 10.0, "elementwise": 3.0, "dispatch": 1000.0}
    costs = costs_with(unit_costs(measured))
    assert costs["depthwise"] == (2.5 * 8 * 9, 1000.0)
    assert costs["pool"] == (10.0 * 6, 1000.0)
    assert costs["picture"] == (FEW_CHANNELS_COST * 3 * 8 * 9, WEIGHT_CELLS * 3 * 8 * 9 + 1000.0)
    assert costs["relu"] == (0.0, 0.0), "it is computed with the convolution"


@pytest.mark.parametrize(
    "wrong", [{"depthwise": 0.0}, {"depthwise": -1.0}, {"depthwise": float("nan")}, {"later": 2.0}]
)
def test_costs_that_cannot_be_and_kinds_of_other_releases_are_ignored(wrong):
    assert unit_costs(wrong) == tuple(USUAL_COSTS[kind] for kind in KINDS)
    assert len(KINDS) == len(KernelKind)
