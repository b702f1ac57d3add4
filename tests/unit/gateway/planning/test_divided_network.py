from __future__ import annotations

import pytest

from gateway.planning.divided_network import DividedNetwork
from gateway.planning.methods import chained_stages
from gateway.planning.plan_prediction import costs_of_stages
from gateway.planning.stage_choice import USUAL_TERMS, stage_ways
from shared.errors import ConfigurationError, CutError
from shared.ftp.cuts import cut_costs, possible_cuts
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from tests.networks import ModelBuilder


@pytest.mark.parametrize("grid", [Grid(3, 1), Grid(2, 4), Grid(13, 2), Grid(26, 26)], ids=str)
def test_one_stage_up_to_each_cut_costs_what_it_costs_alone(nanodet, grid):
    divided = DividedNetwork(nanodet.network)
    regions = divided.balanced_tiles(grid)
    alone = {cost.maps: cost for cost in cut_costs(nanodet.network, grid)}
    assert divided.tiled_macs(regions) == {maps: cost.tiled_macs for maps, cost in alone.items()}
    for maps, cost in alone.items():
        head = divided.head_costs(maps)
        assert (head.map_bytes, head.tail_macs) == (cost.crossing_bytes, cost.tail_macs)


def test_its_costs_are_those_of_the_stage_that_is_run(nanodet):
    divided, maps = DividedNetwork(nanodet.network), possible_cuts(nanodet.network)[20].maps
    given = DividedNetwork(nanodet.network, maps)
    for network in (divided, given):
        regions = network.balanced_tiles(Grid(2, 3))
        cut = regions.cuts[len(regions.cuts) // 2]
        stage = partition(nanodet.network, cut, Grid(2, 3), balanced=True)
        assert network.costs_of(regions, [cut]) == costs_of_stages(nanodet.network, [stage])
    assert given.balanced_tiles(Grid(2, 3)).cuts == (maps,)
    assert given.head_costs(maps).weight_bytes == costs_of_stages(nanodet.network, [stage]).weight_bytes


@pytest.mark.parametrize("shares", [(), (1.0, 2.0, 0.5)])
def test_stages_are_those_that_are_chosen_for_the_network_alone_however_often_they_are_asked_for(nanodet, shares):
    divided, grid = DividedNetwork(nanodet.network), Grid(3, 1)
    alone = stage_ways(nanodet.network, possible_cuts(nanodet.network)[-1].maps, grid, shares, USUAL_TERMS)
    for _ in range(2):
        regions, ways = divided.stage_ways(grid, shares, USUAL_TERMS)
        assert ways == alone
        stages = chained_stages(nanodet.network, ways[-1].cuts, grid, shares)
        assert divided.costs_of(regions, ways[-1].cuts) == costs_of_stages(nanodet.network, stages)


def test_maps_smaller_than_a_grid_are_not_divided_and_a_given_cut_is_refused():
    build = ModelBuilder(16, 16)
    wide = build.conv("image", 4, 3, name="wide", pads=[1] * 4)
    network = build.network(build.layer("MaxPool", wide, name="narrow", kernel_shape=[8, 8], strides=[8, 8]))
    assert DividedNetwork(network).balanced_tiles(Grid(4, 1)).cuts == (("wide",),)
    assert DividedNetwork(network).balanced_tiles(Grid(17, 1)) is None
    with pytest.raises(ConfigurationError, match="larger than the map"):
        DividedNetwork(network, ["narrow"]).balanced_tiles(Grid(4, 1))


def test_a_cut_behind_a_layer_that_cannot_be_tiled_is_refused():
    build = ModelBuilder(16, 16)
    conv = build.conv("image", 4, 3, name="conv", pads=[1] * 4)
    network = build.network(build.layer("GlobalAveragePool", conv, name="mean"))
    with pytest.raises(CutError, match="mean"):
        DividedNetwork(network, ["mean"])
