from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings

from shared.errors import CutError
from shared.ftp.costs import tile_costs
from shared.ftp.cuts import best_cut, cut_costs, deepest_cut, possible_cuts
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.random_networks import tiling_cases


def test_a_network_that_can_be_tiled_throughout_is_cut_behind_its_last_layer():
    build = ModelBuilder(8, 8)
    last = build.layer("LeakyRelu", build.conv("image", 4, 3))
    assert deepest_cut(build.network(last)) == (last,)


def test_a_network_is_cut_before_the_first_layer_that_cannot_be_tiled():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3)
    squeeze = build.layer("GlobalAveragePool", conv)
    assert deepest_cut(build.network(build.conv(squeeze, 4, 1))) == (conv,)


def test_a_cut_lies_where_branches_are_together():
    build = ModelBuilder(8, 8)
    trunk = build.conv("image", 4, 3)
    left, right = build.layer("Relu", trunk), build.layer("Sigmoid", trunk)
    squeeze = build.layer("GlobalAveragePool", left)
    assert deepest_cut(build.network(build.layer("Mul", right, squeeze))) == (trunk,)


def test_a_cut_lies_behind_branches_that_have_joined():
    build = ModelBuilder(8, 8)
    trunk = build.conv("image", 4, 3)
    joined = build.layer("Concat", build.layer("Relu", trunk), build.layer("Sigmoid", trunk), axis=1)
    assert deepest_cut(build.network(build.layer("GlobalMaxPool", joined))) == (joined,)


def test_a_map_that_is_an_output_stays_needed():
    build = ModelBuilder(8, 8)
    early = build.conv("image", 4, 3)
    late = build.layer("Relu", early)
    assert deepest_cut(build.network(early, late)) == (early,)


def test_the_input_must_not_be_needed_behind_the_cut():
    build = ModelBuilder(8, 8)
    branch = build.layer("Relu", "image")
    joined = build.layer("Concat", branch, "image", axis=1)
    assert deepest_cut(build.network(joined)) == (joined,)


def test_a_network_that_cannot_be_tiled_is_refused_with_its_first_layer():
    build = ModelBuilder(8, 8)
    squeeze = build.layer("GlobalAveragePool", "image", name="squeeze")
    with pytest.raises(CutError, match=r"cannot be tiled: layer squeeze"):
        deepest_cut(build.network(squeeze))


def test_the_built_in_model_is_cut_as_deep_as_one_map_allows(nanodet):
    assert deepest_cut(nanodet.network) == nanodet.spec.cut


def test_a_layer_that_nothing_uses_does_not_hinder_a_cut():
    build = ModelBuilder(8, 8)
    build.conv("image", 4, 3, name="unused")
    last = build.conv("image", 4, 3)
    assert deepest_cut(build.network(last)) == (last,)


def chain(build, *layers):
    """Convolutions of 3x3 with a stride each; the names of their maps."""
    names, tensor = [], "image"
    for stride, filters in layers:
        tensor = build.conv(tensor, filters, 3, strides=[stride] * 2, pads=[1] * 4)
        names.append(tensor)
    return names


def test_every_place_where_a_few_maps_cross_is_a_possible_cut():
    build = ModelBuilder(32, 32)
    first = build.conv("image", 4, 1)
    left, right = build.layer("Relu", first), build.layer("Sigmoid", first)
    joined = build.layer("Concat", left, right, axis=1)
    cuts = [cut.maps for cut in possible_cuts(build.network(joined))]
    assert cuts == [(first,), (first, left), (left, right), (joined,)]


def test_a_layer_that_cannot_be_tiled_does_not_hinder_the_branch_beside_it():
    build = ModelBuilder(32, 32)
    trunk = build.conv("image", 4, 3)
    squeezed = build.layer("GlobalAveragePool", trunk)
    deep = build.layer("Relu", build.conv(trunk, 4, 3))
    network = build.network(squeezed, deep)
    assert possible_cuts(network)[-1].maps == (trunk, deep)


def test_a_map_that_is_not_float32_is_no_place_to_cut():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3, name="conv")
    constants = {"scale": np.float32(0.1), "zero": np.array(3, np.uint8)}
    small = build.layer("QuantizeLinear", conv, constants=constants, name="small")
    scale, zero = build.constant("scale_2", np.array(0.1, np.float32)), build.constant("zero_2", np.array(3, np.uint8))
    large = build.layer("DequantizeLinear", small, scale, zero, name="large")
    network = build.network(large)
    assert [cut.maps for cut in possible_cuts(network)] == [("conv",), ("large",)]
    with pytest.raises(CutError, match="small is uint8, but maps at a cut must be float32"):
        network.head_layers(["small"])


def test_costs_of_a_chain_are_those_of_counting_by_hand():
    build = ModelBuilder(16, 16)
    first, second = chain(build, (1, 4), (2, 8))
    costs = {cost.maps: cost for cost in cut_costs(build.network(second), Grid(2, 2))}
    one, two = costs[first,], costs[second,]
    macs_first, macs_second = 16 * 16 * 3 * 9 * 4, 8 * 8 * 4 * 9 * 8
    assert (one.head_macs, one.tail_macs) == (macs_first, macs_second)
    assert (two.head_macs, two.tail_macs) == (macs_first + macs_second, 0)
    assert (one.crossing_bytes, two.crossing_bytes) == (16 * 16 * 4 * 4, 8 * 8 * 8 * 4)
    assert (one.receptive_field, two.receptive_field) == ((3, 3), (5, 5))
    # A tile of 4x4 cells needs 9 rows of the first map, or 8 at the top and the left.
    rows = 8 + 9
    assert two.tiled_macs == rows * rows * 3 * 9 * 4 + macs_second
    assert two.largest_tile_macs == 9 * 9 * 3 * 9 * 4 + macs_second // 4


@settings(max_examples=examples(40), deadline=None)
@given(tiling_cases())
def test_costs_from_a_row_and_a_column_are_those_of_all_tiles(case):
    network = describe_network(case.model, "random")
    grid = Grid(min(3, case.grid.rows), min(3, case.grid.columns))
    try:
        costs = cut_costs(network, grid)[-2:]
    except CutError:  # the picture is used to the end
        assume(False)
    for cost in costs:
        stage = partition(network, cost.maps, grid, balanced=True)
        tiles = [sum(layer.macs for layer in tile) for tile in tile_costs(network, stage)]
        assert cost.tiled_macs == pytest.approx(sum(tiles), abs=len(tiles) * len(stage.layers))
        assert cost.largest_tile_macs == pytest.approx(max(tiles), abs=len(stage.layers))


def test_the_best_cut_is_before_the_layers_whose_halos_cost_more_than_they_spare():
    """Large maps first, then ten convolutions on a map of 8x8, where tiles overlap almost wholly."""
    build = ModelBuilder(64, 64)
    names = chain(build, (1, 8), (1, 8), (8, 8), *[(1, 8)] * 10)
    assert best_cut(build.network(names[-1]), Grid(3, 3)) == (names[2],)


def test_a_network_without_a_map_as_large_as_the_grid_has_no_best_cut():
    build = ModelBuilder(8, 8)
    network = build.network(build.conv("image", 4, 3, strides=[4, 4]))
    with pytest.raises(CutError, match="no map of 5x5 cells or more"):
        best_cut(network, Grid(5, 5))
