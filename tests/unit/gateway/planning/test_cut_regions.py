from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.cut_regions import CutRegions, RegionTables
from gateway.planning.methods import chained_stages
from gateway.planning.stage_choice import divide_cuts
from shared.ftp.grid import Grid
from shared.ftp.region import Region
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.gateway.planning.plain_costs import boxes_of, cuts_up_to
from tests.unit.random_networks import tiling_cases


def regions_at(arrays, cut):
    """The regions of a cut's tiles, one by one."""
    sides = (arrays.top[cut], arrays.left[cut], arrays.bottom[cut], arrays.right[cut])
    return [Region(*map(int, of_tile)) for of_tile in zip(*sides, strict=True)]


def check_stage(network, regions, stage, after, behind):
    """Compare a stage between two cuts with the propagation of its tiles, one by one."""
    fused = regions.fused(after, behind)
    layers = network.head_layers(regions.cuts[-1])
    assert [layer.name for layer, is_fused in zip(layers, fused, strict=True) if is_fused] == [
        layer.name for layer in stage.layers
    ]
    boxes = boxes_of(network, stage)
    for number, layer in enumerate(layers):
        expected = [of_tile[layer.outputs[0]].area if fused[number] else None for of_tile in boxes]
        found = regions.areas[number, behind].tolist()
        assert not fused[number] or found == expected
    for name in stage.inputs:
        assert regions_at(regions.needed_behind(after, name), behind) == [of_tile[name] for of_tile in boxes]
    for place, name in enumerate(stage.cut):
        assert regions_at(regions.made[name], behind) == [tile.outputs[place] for tile in stage.tiles]


@settings(max_examples=examples(150), deadline=None)
@given(case=tiling_cases(), data=st.data())
def test_whatever_the_network_regions_are_those_of_tiles_that_are_propagated_one_by_one(case, data):
    network = describe_network(case.model, "random")
    grid = case.grid if case.grid.count <= 12 else Grid(1, 1)
    shares = data.draw(st.one_of(st.just(()), st.tuples(*[st.floats(0.1, 5)] * grid.count)))
    cuts = cuts_up_to(network, case.cut, grid)
    regions = divide_cuts(RegionTables(network, network.head_layers(case.cut)), cuts, grid, shares)
    assert regions.cuts == tuple(cuts)
    for behind, maps in enumerate(cuts):
        check_stage(network, regions, partition(network, maps, grid, shares=shares), None, behind)
    for after, (first, second) in enumerate(pairwise(cuts)):
        _, stage = chained_stages(network, [first, second], grid, shares)
        check_stage(network, regions, stage, after, after + 1)


def test_a_map_that_earlier_layers_read_more_of_is_needed_only_as_far_as_those_behind_the_cut_read_it():
    build = ModelBuilder(20, 20)
    shared = build.conv("image", 4, 3, name="shared", pads=[1] * 4)
    wide = build.conv(shared, 4, 9, name="wide", pads=[4] * 4)
    network = build.network(build.layer("Add", shared, build.conv(wide, 4, 1, name="narrow"), name="sum"))
    cuts = [("shared",), ("shared", "wide"), ("sum",)]
    regions = divide_cuts(RegionTables(network, network.layers), cuts, Grid(4, 1))
    assert [box.height for box in regions_at(regions.needed_behind(0, "shared"), 2)] == [9, 13, 13, 9]
    assert [box.height for box in regions_at(regions.needed_behind(1, "shared"), 2)] == [5, 5, 5, 5]
    assert regions.heads.T.tolist() == [[True, False, False, False], [True, True, False, False], [True] * 4]


def test_tiles_that_read_nothing_but_padding_read_the_nearest_cell_of_the_map():
    build = ModelBuilder(6, 6)
    network = build.network(build.conv("image", 2, 2, name="conv", pads=[4] * 4))
    (stage,) = chained_stages(network, [["conv"]], Grid(13, 1))
    regions = divide_cuts(RegionTables(network, network.layers), [("conv",)], Grid(13, 1))
    found = regions_at(regions.needed_behind(None, "image"), 0)
    assert found == [tile.inputs[0] for tile in stage.tiles]
    assert (found[0], found[12]) == (Region(0, 0, 1, 6), Region(5, 0, 6, 6))


def test_layers_may_begin_with_other_maps_than_the_picture():
    build = ModelBuilder(8, 8)
    first = build.conv("image", 4, 3, name="first", pads=[1] * 4)
    network = build.network(build.conv(first, 4, 3, name="second", pads=[1] * 4))
    (stage,) = chained_stages(network, [["first"], ["second"]], Grid(2, 1))[1:]
    tables = RegionTables(network, stage.layers, stage.inputs)
    regions = CutRegions(tables, [stage.cut], [[tile.outputs for tile in stage.tiles]])
    assert regions_at(regions.needed_behind(None, "first"), 0) == [tile.inputs[0] for tile in stage.tiles]
