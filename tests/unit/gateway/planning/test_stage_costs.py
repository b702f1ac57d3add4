from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.methods import chained_stages
from gateway.planning.plan_prediction import costs_of_stages
from gateway.planning.stage_costs import layer_weight_bytes
from shared.ftp.cuts import distinct_cuts
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.gateway.planning.plain_costs import cuts_up_to, plain_costs
from tests.unit.random_networks import tiling_cases


def check_costs(network, stages):
    """Compare costs with those that are found tile by tile."""
    found, expected = costs_of_stages(network, stages), plain_costs(network, stages)
    for field in fields(expected):
        if field.name in {"work", "tail_work", "tiles", "tail"}:
            continue
        assert getattr(found, field.name) == getattr(expected, field.name), field.name
    for of_stage, as_expected in zip(
        (*found.work, [found.tail_work]), (*expected.work, [expected.tail_work]), strict=True
    ):
        for work, units in zip(of_stage, as_expected, strict=True):
            assert work == pytest.approx(units, rel=1e-12)
    assert found.total == pytest.approx(expected.total, rel=1e-12)
    assert found.tail == pytest.approx(expected.tail, rel=1e-12)
    assert [list(strips) for strips in found.strips] == [list(strips) for strips in expected.strips]


@settings(max_examples=examples(100), deadline=None)
@given(case=tiling_cases(), data=st.data())
def test_whatever_the_network_costs_of_stages_are_the_sums_of_their_tiles_and_layers(case, data):
    network = describe_network(case.model, "random")
    grid = case.grid if case.grid.count <= 12 else Grid(1, 1)
    *inner, last = cuts_up_to(network, case.cut, grid)
    chosen = data.draw(st.lists(st.sampled_from(range(len(inner))), unique=True, max_size=3)) if inner else []
    shares = data.draw(st.one_of(st.just(()), st.tuples(*[st.floats(0.1, 5)] * grid.count)))
    check_costs(network, chained_stages(network, [*(inner[number] for number in sorted(chosen)), last], grid, shares))


@pytest.mark.parametrize("grid", [Grid(4, 1), Grid(2, 3)], ids=str)
def test_costs_of_the_built_in_network_are_the_sums_of_its_tiles_and_layers(nanodet, grid):
    cuts = [cut.maps for cut in distinct_cuts(nanodet.network)]
    check_costs(nanodet.network, chained_stages(nanodet.network, cuts[2::7], grid))


def test_activations_are_computed_in_place_unless_a_stage_has_nothing_else():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3, name="conv", pads=[1] * 4)
    network = build.network(build.layer("Relu", conv, name="relu"))
    first, second = chained_stages(network, [["conv"], ["relu"]], Grid(2, 1))
    rows = 4 * 8 * 4  # bytes of four rows of a channel
    assert costs_of_stages(network, [first]).tile_bytes == (rows * 4 + 5 * rows // 4 * 3,) * 2
    assert costs_of_stages(network, [second]).tile_bytes == (rows * 4,) * 2
    assert layer_weight_bytes(network.layers[0]) == 4 * (4 * 3 * 9 + 4)
