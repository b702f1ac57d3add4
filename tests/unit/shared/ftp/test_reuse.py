from __future__ import annotations

import pytest
from hypothesis import given, settings

from shared.ftp.costs import map_bytes
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.propagation import Propagation
from shared.ftp.region import Region
from shared.ftp.reuse import ABOVE, BELOW, LEFT, RIGHT, is_independent, longest_chain, neighbour_tiles, with_reuse
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder, yolov2_first_16
from tests.unit.random_networks import DENSE, tiling_cases

GRIDS = [Grid(1, 2), Grid(2, 2), Grid(3, 3), Grid(4, 5), Grid(5, 5)]


@pytest.fixture(scope="module")
def yolov2():
    """Return the layers that the paper fuses, at the paper's size."""
    return describe_network(yolov2_first_16(608), "yolov2")


def both(network, cut, grid):
    """Return a stage without and with reuse."""
    plain = partition(network, cut, grid)
    return plain, with_reuse(network, plain)


def as_computed(stage):
    """Every tile as it is computed when its neighbours hand on what they can."""
    return [reusing or tile for tile, reusing in zip(stage.tiles, stage.reusing or stage.tiles, strict=True)]


def inside(region, other):
    return region.hull(other) == other


def handed_on(stage):
    """Every strip, as (giver, joint, side, reader, region), as those that take them say it and as those that give."""
    taken = {
        (strip.tile, strip.joint, strip.side, tile.index, strip.region)
        for tile in as_computed(stage)
        for strip in tile.taken
    }
    given_on = {
        (tile.index, strip.joint, strip.side, strip.tile, strip.region) for tile in stage.tiles for strip in tile.given
    }
    return taken, given_on


def assert_consistent(network, plain, stage):
    """Whatever the network: what is taken is given, by a neighbour that depends on nobody and computes all of it."""
    computed = [
        Propagation(network, plain.layers, plain.inputs).propagate(dict(zip(plain.cut, tile.outputs, strict=True)))
        for tile in plain.tiles
    ]
    taken, given_on = handed_on(stage)
    assert taken == given_on
    for giver, joint, side, reader, region in taken:
        assert is_independent(stage.grid, giver)
        assert not is_independent(stage.grid, reader)
        assert neighbour_tiles(stage.grid, reader)[side] == giver
        assert region.area > 0
        assert inside(region, computed[giver].boxes[stage.joints[joint]])
    for tile in stage.tiles:
        assert tile.taken == ()
        for strip in tile.given:
            box = computed[tile.index].boxes[stage.joints[strip.joint]]
            assert strip.origin == (box.top, box.left)
    for tile in as_computed(stage):
        for strips in (tile.taken, tile.given):
            order = [(strip.joint, strip.side) for strip in strips]
            assert order == sorted(order)
        assert len({(strip.joint, strip.side) for strip in tile.taken}) == len(tile.taken)
        assert len(tile.pads) == len(stage.edges)
    for joint in range(len(stage.joints)):
        assert any(strip.joint == joint for tile in stage.tiles for strip in tile.given)


def assert_reusing_tiles_read_and_compute_no_more(plain, stage):
    for tile, own in zip(plain.tiles, as_computed(stage), strict=True):
        assert (own.index, own.outputs) == (tile.index, tile.outputs)
        assert own.macs <= tile.macs
        for region, whole in zip(own.inputs, tile.inputs, strict=True):
            assert inside(region, whole)


@pytest.mark.parametrize(("grid", "plain_work", "work"), [(Grid(3, 3), 1.53, 1.08), (Grid(5, 5), 2.20, 1.31)], ids=str)
def test_with_reuse_the_layers_of_the_paper_are_computed_little_more_than_once(yolov2, grid, plain_work, work):
    plain, stage = both(yolov2, ["layer_15"], grid)
    whole = macs_of(yolov2, stage.layers)
    assert sum(tile.macs for tile in plain.tiles) == pytest.approx(plain_work * whole, rel=0.005)
    assert sum(tile.macs for tile in stage.tiles) == sum(tile.macs for tile in plain.tiles)
    assert whole < sum(tile.macs for tile in as_computed(stage)) < work * whole


def test_nine_tiles_of_the_layers_of_the_paper_hand_on_1_6_mb(yolov2):
    _, stage = both(yolov2, ["layer_15"], Grid(3, 3))
    strips = [strip for tile in stage.tiles for strip in tile.given]
    assert sum(map_bytes(yolov2, stage.joints[strip.joint], strip.region) for strip in strips) == 1_679_360


def test_strips_are_taken_before_every_layer_that_looks_around(yolov2):
    _, stage = both(yolov2, ["layer_15"], Grid(3, 3))
    assert stage.joints == tuple(f"layer_{number:02d}" for number in (1, 3, 5, 7, 9, 11, 13))


def test_tiles_at_the_corners_and_in_the_centre_depend_on_nobody(yolov2):
    _, stage = both(yolov2, ["layer_15"], Grid(3, 3))
    assert [index for index, tile in enumerate(stage.reusing) if tile is None] == [0, 2, 4, 6, 8]
    givers = [{strip.tile for strip in tile.taken} for tile in as_computed(stage)]
    assert givers == [set(), {0, 2, 4}, set(), {0, 4, 6}, set(), {2, 4, 8}, set(), {4, 6, 8}, set()]


def test_neighbours_are_those_that_share_a_side():
    assert neighbour_tiles(Grid(3, 3), 4) == {ABOVE: 1, BELOW: 7, LEFT: 3, RIGHT: 5}
    assert neighbour_tiles(Grid(3, 3), 0) == {BELOW: 3, RIGHT: 1}
    assert neighbour_tiles(Grid(3, 3), 8) == {ABOVE: 5, LEFT: 7}
    assert neighbour_tiles(Grid(1, 2), 1) == {LEFT: 0}


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_neighbours_of_dependent_tiles_depend_on_nobody(grid):
    for index in range(grid.count):
        assert all(
            is_independent(grid, other) != is_independent(grid, index)
            for other in neighbour_tiles(grid, index).values()
        )


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_what_one_tile_gives_of_the_layers_of_the_paper_is_what_another_takes(yolov2, grid):
    plain, stage = both(yolov2, ["layer_15"], grid)
    assert_consistent(yolov2, plain, stage)
    assert_reusing_tiles_read_and_compute_no_more(plain, stage)
    assert handed_on(stage)[0]


def test_a_dependent_tile_computes_its_own_rows_and_takes_the_others_from_above_and_below():
    build = ModelBuilder(12, 12)
    shared = build.conv("image", 4, 1, name="shared")
    last = build.conv(shared, 4, 3, pads=[1] * 4)
    _, stage = both(build.network(last), [last], Grid(3, 1))
    assert stage.joints == ("shared",)
    (middle,) = (tile for tile in stage.reusing if tile)
    assert middle.inputs == (Region(5, 0, 7, 12),)
    assert [(strip.side, strip.tile, strip.region) for strip in middle.taken] == [
        (ABOVE, 0, Region(3, 0, 5, 12)), (BELOW, 2, Region(7, 0, 9, 12)),
    ]  # fmt: skip
    assert middle.macs == 2 * 12 * 4 * 3 + 4 * 12 * 4 * 4 * 9
    assert middle.form.sizes == ((2, 12),)
    assert middle.form.taken == ((0, ABOVE, 2, 12), (0, BELOW, 2, 12))
    assert [tile.form.given for tile in stage.tiles] == [((0, ABOVE, 3, 0, 5, 12),), (), ((0, BELOW, 0, 0, 2, 12),)]


def test_a_tile_between_four_neighbours_takes_the_corners_from_above_and_below():
    build = ModelBuilder(18, 24)
    last = build.conv(build.conv("image", 4, 1, name="shared"), 4, 3, pads=[1] * 4)
    _, stage = both(build.network(last), [last], Grid(3, 4))
    tile = stage.reusing[6]
    assert tile.outputs == (Region(6, 12, 12, 18),)
    assert {strip.side: (strip.tile, strip.region) for strip in tile.taken} == {
        ABOVE: (2, Region(5, 11, 7, 19)),
        BELOW: (10, Region(11, 11, 13, 19)),
        LEFT: (5, Region(7, 11, 11, 13)),
        RIGHT: (7, Region(7, 17, 11, 19)),
    }
    assert tile.inputs == (Region(7, 13, 11, 17),)


def test_layers_that_look_at_one_cell_hand_on_nothing():
    build = ModelBuilder(12, 12)
    last = build.layer("LeakyRelu", build.conv(build.conv("image", 4, 1), 4, 1))
    plain, stage = both(build.network(last), [last], Grid(3, 3))
    assert stage == plain
    assert (stage.joints, stage.reusing) == ((), ())


def test_a_grid_of_one_tile_hands_on_nothing(yolov2):
    plain, stage = both(yolov2, ["layer_15"], Grid(1, 1))
    assert stage == plain


def test_the_frame_itself_is_not_handed_on():
    build = ModelBuilder(12, 12)
    last = build.conv("image", 4, 3, pads=[1] * 4)
    plain, stage = both(build.network(last), [last], Grid(3, 3))
    assert stage == plain


def test_a_tile_whose_map_its_neighbours_cover_entirely_still_computes_a_cell():
    build = ModelBuilder(16, 16)
    shared = build.conv("image", 4, 1, name="shared")
    last = build.conv(shared, 4, 9, pads=[4] * 4)
    network = build.network(last)
    plain, stage = both(network, [last], Grid(8, 8))
    assert_consistent(network, plain, stage)
    assert stage.joints == ("shared",)
    assert min(tile.inputs[0].area for tile in stage.reusing if tile) == 1
    assert stage.reusing[28].inputs[0].area == 1


@settings(max_examples=examples(100))
@given(tiling_cases())
def test_whatever_the_network_strips_that_are_taken_are_given_and_no_tile_computes_more(case):
    network = describe_network(case.model, "random")
    plain, stage = both(network, case.cut, case.grid)
    assert_consistent(network, plain, stage)
    assert_reusing_tiles_read_and_compute_no_more(plain, stage)


@settings(max_examples=examples(100))
@given(tiling_cases(kinds=DENSE))
def test_whatever_the_convolutions_strips_that_are_taken_are_given_and_no_tile_computes_more(case):
    network = describe_network(case.model, "random")
    plain, stage = both(network, case.cut, case.grid)
    assert_consistent(network, plain, stage)
    assert_reusing_tiles_read_and_compute_no_more(plain, stage)


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(5, 5)], ids=str)
def test_the_chain_of_one_device_is_all_of_the_work_and_that_of_many_two_waves(yolov2, grid):
    _, stage = both(yolov2, ["layer_15"], grid)
    tiles = as_computed(stage)
    assert longest_chain(stage, 1) == sum(tile.macs for tile in tiles)
    waves = [
        tile.macs + max((stage.tiles[strip.tile].macs for strip in tile.taken), default=0) for tile in tiles
    ]  # with a device for every tile, each waits for the largest of its givers only
    assert longest_chain(stage, grid.count) == max(waves)
    chains = [longest_chain(stage, devices) for devices in range(1, grid.count + 1)]
    assert chains[-1] < chains[2] < chains[1] < chains[0]
