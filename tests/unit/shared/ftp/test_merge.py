from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ftp.grid import Grid
from shared.ftp.merge import MergedMaps, result_shapes
from shared.ftp.region import Region
from shared.ftp.stage import Tile

SHAPES = [(1, 2, 4, 6), (1, 1, 8, 12)]


def tiles_of(grid):
    outputs = zip(*(grid.divide(*shape[2:]) for shape in SHAPES), strict=True)
    return [Tile(index, (Region(0, 0, 1, 1),), regions, (), 0) for index, regions in enumerate(outputs)]


TILES = tiles_of(Grid(2, 3))


def results(tile, value):
    return [np.full(shape, value, np.float32) for shape in result_shapes(SHAPES, tile)]


def test_a_result_has_the_channels_of_the_map_and_the_size_of_the_region():
    assert result_shapes(SHAPES, TILES[0]) == [(1, 2, 2, 2), (1, 1, 4, 4)]


@given(st.integers(1, 4), st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_pieces_of_maps_placed_in_any_order_are_the_maps(rows, columns, random):
    tiles = tiles_of(Grid(rows, columns))
    whole = [np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for shape in SHAPES]
    merged = MergedMaps(SHAPES, tiles)
    for tile in random.sample(tiles, len(tiles)):
        pieces = [array[:, :, *region.slices] for array, region in zip(whole, tile.outputs, strict=True)]
        assert merged.place(tile.index, pieces)
    assert merged.complete
    for made, expected in zip(merged.maps, whole, strict=True):
        np.testing.assert_array_equal(made, expected)


def test_maps_are_complete_with_the_last_tile():
    merged = MergedMaps(SHAPES, TILES)
    for tile in TILES:
        assert not merged.complete
        assert tile.index in merged.missing
        merged.place(tile.index, results(tile, 1))
    assert merged.complete
    assert merged.missing == frozenset()


def test_a_second_result_is_refused_and_changes_nothing():
    merged = MergedMaps(SHAPES, TILES)
    assert merged.place(0, results(TILES[0], 1))
    assert not merged.place(0, results(TILES[0], 2))
    assert merged.maps[0].max() == 1


@pytest.mark.parametrize("position", [0, 1])
def test_a_result_of_another_shape_is_refused_and_the_tile_stays_missing(position):
    merged = MergedMaps(SHAPES, TILES)
    arrays = results(TILES[0], 1)
    arrays[position] = arrays[position][:, :, :-1]
    with pytest.raises(ValueError, match="tile 0, whose region has"):
        merged.place(0, arrays)
    assert 0 in merged.missing
    assert merged.place(0, results(TILES[0], 2))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_result_with_too_few_or_too_many_maps_is_refused(count):
    merged = MergedMaps(SHAPES, TILES)
    with pytest.raises(ValueError, match="argument"):
        merged.place(0, (results(TILES[0], 1) * 2)[:count])
    assert 0 in merged.missing


def test_reset_asks_for_every_tile_again_in_the_same_memory():
    merged = MergedMaps(SHAPES, TILES)
    for tile in TILES:
        merged.place(tile.index, results(tile, 1))
    memory = [array.ctypes.data for array in merged.maps]
    merged.reset()
    assert merged.missing == {tile.index for tile in TILES}
    for tile in TILES:
        merged.place(tile.index, results(tile, 2))
    assert [array.ctypes.data for array in merged.maps] == memory
    assert all((array == 2).all() for array in merged.maps)


def test_maps_are_float32_of_the_given_shapes():
    assert [(array.shape, array.dtype) for array in MergedMaps(SHAPES, TILES).maps] == [
        (shape, np.dtype(np.float32)) for shape in SHAPES
    ]
