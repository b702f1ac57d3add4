from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tasks.tile_order import TileCosts, TileOrder
from shared.ftp.grid import Grid
from shared.ftp.region import Region
from shared.ftp.reuse import is_independent, with_reuse
from shared.ftp.stage import Strip, Tile
from shared.ftp.tiles import partition
from tests.networks import ModelBuilder
from tests.unit.edge.tile_orders import CROSS

BOX = Region(0, 0, 4, 5)


def tile(index, *givers, macs=10, inputs=BOX, joints=(0,)):
    """A tile that takes a strip of 2 x 3 cells of each giver at each joint."""
    taken = tuple(Strip(joint, 0, giver, Region(0, 0, 2, 3), (0, 0)) for joint in joints for giver in givers)
    return Tile(index, (inputs,), (Region(0, 0, 1, 1),), (), macs, taken)


def tile_order_of(givers, count):
    """Of so many tiles, of which some can be computed from strips of others."""
    reusing = [tile(index, *givers[index]) if index in givers else None for index in range(count)]
    return TileOrder.of_tiles([tile(index) for index in range(count)], reusing, [1])


def stage(grid):
    build = ModelBuilder(30, 30)
    last = build.conv(build.conv("image", 4, 3, pads=[1] * 4), 4, 3, pads=[1] * 4)
    network = build.network(last)
    return with_reuse(network, partition(network, [last], grid))


def test_without_reuse_tiles_are_computed_in_their_order():
    tile_order = TileOrder.of_tiles([tile(index) for index in range(4)])
    assert tile_order.order == (0, 1, 2, 3)
    assert (tile_order.reusing, tile_order.givers) == ({}, {})
    assert all(tile_order.readers(index) == () for index in range(4))


def test_tiles_that_depend_on_none_come_first():
    assert tile_order_of({0: [1], 2: [3]}, 5).order == (1, 3, 4, 0, 2)


def test_of_tiles_that_depend_on_none_those_come_first_that_most_others_need():
    assert tile_order_of({0: [5, 6], 1: [3, 6], 2: [5, 6]}, 7).order[:4] == (6, 5, 3, 4)


def test_of_dependent_tiles_those_come_first_whose_last_giver_does():
    assert tile_order_of({0: [6], 1: [3, 5], 2: [3]}, 7).order == (3, 5, 6, 4, 2, 1, 0)


def test_of_dependent_tiles_with_the_same_last_giver_the_first_comes_first():
    assert tile_order_of({2: [4, 3], 0: [3, 4], 1: [4, 3]}, 5).order == (3, 4, 0, 1, 2)


def test_nine_tiles_come_centre_and_corners_first():
    tile_order = TileOrder.of_tiles(stage(Grid(3, 3)).tiles, stage(Grid(3, 3)).reusing, [16])
    assert tile_order.order == CROSS.order
    assert tile_order.givers == CROSS.givers


def test_a_tile_between_others_that_can_take_nothing_of_them_depends_on_none():
    tiles = [tile(index) for index in range(3)]
    tile_order = TileOrder.of_tiles(tiles, [None, tile(1), None], [1])
    assert tile_order.order == (0, 1, 2)
    assert (tile_order.givers, tile_order.reusing) == ({}, {})


def test_a_tile_costs_its_operations_and_its_pixels():
    tile_order = TileOrder.of_tiles([tile(0, macs=7), tile(1, macs=9, inputs=Region(2, 3, 12, 23))], pixel_bytes=3)
    assert tile_order.whole == {0: TileCosts(7, 4 * 5 * 3), 1: TileCosts(9, 10 * 20 * 3)}


def test_pixels_of_another_type_weigh_more():
    assert TileOrder.of_tiles([tile(0)], pixel_bytes=12).whole[0].pixel_bytes == 4 * 5 * 12


def test_a_tile_that_reuses_costs_its_strips_at_every_joint_too():
    whole = [tile(0), tile(1, macs=50), tile(2)]
    reusing = [None, tile(1, 0, 2, macs=20, inputs=Region(1, 1, 3, 4), joints=(0, 1)), None]
    tile_order = TileOrder.of_tiles(whole, reusing, [8, 100])
    assert tile_order.whole[1] == TileCosts(50, 4 * 5 * 3)
    assert tile_order.reusing == {1: TileCosts(20, 2 * 3 * 3, 2 * (6 * 8) + 2 * (6 * 100))}
    assert tile_order.givers == {1: frozenset({0, 2})}


def test_the_readers_of_a_tile_are_those_that_it_gives_to():
    assert CROSS.readers(4) == (1, 3, 5, 7)
    assert CROSS.readers(0) == (1, 3)
    assert CROSS.readers(1) == ()


@pytest.mark.parametrize("grid", [Grid(1, 2), Grid(2, 3), Grid(4, 4), Grid(5, 5)], ids=str)
def test_the_readers_are_those_that_the_tiles_themselves_say(grid):
    made = stage(grid)
    tile_order = TileOrder.of_tiles(made.tiles, made.reusing, [16])
    assert tile_order.givers
    for one in made.tiles:
        assert set(tile_order.readers(one.index)) == {strip.tile for strip in one.given}


@given(st.builds(Grid, st.integers(1, 6), st.integers(1, 6)))
def test_every_tile_has_one_turn_and_it_is_behind_its_givers(grid):
    made = stage(grid)
    tile_order = TileOrder.of_tiles(made.tiles, made.reusing, [16])
    assert sorted(tile_order.order) == list(range(grid.count))
    places = {index: place for place, index in enumerate(tile_order.order)}
    last_givers = []
    for index in tile_order.order:
        if index in tile_order.givers:
            last_givers.append(max(places[giver] for giver in tile_order.givers[index]))
            assert last_givers[-1] < places[index]
        else:
            assert is_independent(grid, index)
            assert not last_givers
    assert last_givers == sorted(last_givers)
