from __future__ import annotations

import pytest

from gateway.planning.kernel_costs import (
    DEPTHWISE_COST,
    FEW_CHANNELS_COST,
    POOLED_COST,
    WEIGHT_CELLS,
    cost_of_cells,
)
from tests.networks import ModelBuilder


@pytest.fixture
def costs():
    build = ModelBuilder(16, 16)
    tensor = build.conv("image", 8, 3, name="picture", pads=[1] * 4)
    tensor = build.conv(tensor, 8, 3, name="depthwise", pads=[1] * 4, group=8)
    tensor = build.conv(tensor, 6, 1, name="pointwise")
    tensor = build.layer("Relu", tensor, name="relu")
    tensor = build.layer("MaxPool", tensor, name="pool", kernel_shape=[2, 2], strides=[2, 2])
    network = build.network(tensor)
    return {layer.name: cost_of_cells(layer, network.shapes) for layer in network.layers}


def test_a_usual_convolution_costs_its_operations_and_reading_its_weights(costs):
    assert costs["pointwise"] == (8 * 6, WEIGHT_CELLS * 8 * 6)


def test_convolutions_of_few_channels_cost_more_for_each_operation(costs):
    assert costs["picture"] == (FEW_CHANNELS_COST * 3 * 8 * 9, WEIGHT_CELLS * 3 * 8 * 9)
    assert costs["depthwise"] == (DEPTHWISE_COST * 8 * 9, 0.0)


def test_a_pool_costs_by_the_values_that_it_gives_and_activations_nothing(costs):
    assert costs["pool"] == (POOLED_COST * 6, 0.0)
    assert costs["relu"] == (0.0, 0.0)
