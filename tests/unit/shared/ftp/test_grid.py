from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.ftp.grid import Grid, grids_of
from shared.ftp.region import Region


@st.composite
def grids_and_sizes(draw):
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return Grid(rows, columns), draw(st.integers(rows, 40)), draw(st.integers(columns, 40))


@pytest.mark.parametrize("text", ["3x5", "3X5", " 3x5 "])
def test_text_is_read_as_rows_by_columns(text):
    assert Grid.parse(text) == Grid(rows=3, columns=5)


def test_grids_of_a_number_of_tiles_are_in_rows_and_as_square_as_possible():
    assert grids_of(6) == [Grid(6, 1), Grid(2, 3)]
    assert grids_of(12) == [Grid(12, 1), Grid(3, 4)]
    assert grids_of(5) == [Grid(5, 1)]  # which is prime
    assert grids_of(1, 4, 1) == [Grid(1, 1), Grid(4, 1), Grid(2, 2)]


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_a_grid_reads_what_it_writes(rows, columns):
    assert Grid.parse(str(Grid(rows, columns))) == Grid(rows, columns)


@pytest.mark.parametrize("text", ["", "3", "x3", "3x", "3x3x3", "3,3", "-1x2", "3 x 3", "1.5x2", "axb", "99999x1"])
def test_text_that_is_no_grid_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match="write for example 3x3"):
        Grid.parse(text)


@pytest.mark.parametrize("text", ["0x3", "3x0", "0x0"])
def test_a_grid_without_tiles_is_refused(text):
    with pytest.raises(ConfigurationError, match="at least 1"):
        Grid.parse(text)


def test_tiles_are_numbered_row_by_row():
    assert Grid(2, 2).divide(4, 6) == (
        Region(0, 0, 2, 3), Region(0, 3, 2, 6), Region(2, 0, 4, 3), Region(2, 3, 4, 6),
    )  # fmt: skip


@given(grids_and_sizes())
def test_the_cells_of_a_grid_cover_the_map_exactly_once(case):
    grid, height, width = case
    covered = Counter(
        (row, column)
        for cell in grid.divide(height, width)
        for row in range(cell.top, cell.bottom)
        for column in range(cell.left, cell.right)
    )
    assert covered == dict.fromkeys(((row, column) for row in range(height) for column in range(width)), 1)


@given(grids_and_sizes())
def test_a_grid_has_a_cell_for_each_tile_and_none_is_empty(case):
    grid, height, width = case
    cells = grid.divide(height, width)
    assert len(cells) == grid.count == grid.rows * grid.columns
    assert min(cell.area for cell in cells) > 0


@given(grids_and_sizes())
def test_cells_differ_by_one_row_and_one_column_at_most(case):
    cells = case[0].divide(*case[1:])
    assert max(cell.height for cell in cells) - min(cell.height for cell in cells) <= 1
    assert max(cell.width for cell in cells) - min(cell.width for cell in cells) <= 1


@pytest.mark.parametrize("grid", [Grid(5, 1), Grid(1, 7)])
def test_a_grid_with_empty_tiles_is_refused_with_the_largest_that_fits(grid):
    with pytest.raises(ConfigurationError, match="at most 4x6"):
        grid.divide(4, 6)


def heights(cells):
    return [cell.height for cell in cells if cell.left == 0]


def test_with_a_halo_the_cells_at_the_border_are_larger():
    """38 cells in three parts with 3.7 cells of halo: 15 + 3.7, 10 + 7.4 or 11 + 7.4, 15 + 3.7."""
    cells = Grid(3, 3).divide(38, 38, (3.7, 3.7))
    assert heights(cells) == [14, 10, 14]
    assert [cell.width for cell in cells[:3]] == [14, 10, 14]


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(2, 2), Grid(1, 2)], ids=str)
def test_two_parts_have_one_halo_each_and_are_equal(grid):
    assert grid.divide(20, 20, (5.0, 5.0)) == grid.divide(20, 20)


@given(
    length=st.integers(1, 60), parts=st.integers(1, 12), halo=st.floats(0, 100, allow_nan=False),
)  # fmt: skip
def test_whatever_the_halo_every_cell_belongs_to_one_part_and_none_is_empty(length, parts, halo):
    if parts > length:
        return
    cells = Grid(parts, 1).divide(length, 1, (halo, 0.0))
    assert [cell.top for cell in cells] == [0, *(cell.bottom for cell in cells[:-1])]
    assert cells[-1].bottom == length
    assert min(heights(cells)) >= 1


@given(length=st.integers(20, 60), parts=st.integers(3, 6), halo=st.floats(0.5, 4))
def test_a_halo_never_makes_the_largest_part_larger(length, parts, halo):
    def largest(cells):
        return max(cell.height + halo * ((cell.top > 0) + (cell.bottom < length)) for cell in cells)

    grid = Grid(parts, 1)
    assert largest(grid.divide(length, 1, (halo, 0.0))) <= largest(grid.divide(length, 1)) + 1


@pytest.mark.parametrize(
    ("length", "shares", "sizes"),
    [
        (12, (1, 1, 1), [4, 4, 4]),
        (12, (1, 2, 3), [2, 4, 6]),
        (10, (0.5, 0.25, 0.25), [5, 3, 2]),
        (7, (3,), [7]),
        (10, (1000, 1, 1), [8, 1, 1]),
        (10, (1, 1, 1000), [1, 1, 8]),
        (10, (1, 1000, 1), [1, 8, 1]),
        (3, (5, 1, 1), [1, 1, 1]),
        (6, (1, 0, 1), [3, 1, 2]),
    ],
)
def test_tiles_are_as_large_as_their_shares_and_have_a_cell_at_least(length, shares, sizes):
    down, across = Grid(len(shares), 1), Grid(1, len(shares))
    assert heights(down.divide(length, 5, shares=shares)) == sizes
    assert [cell.width for cell in across.divide(5, length, shares=shares)] == sizes
    assert {cell.width for cell in down.divide(length, 5, shares=shares)} == {5}
    assert {cell.height for cell in across.divide(5, length, shares=shares)} == {5}


def test_in_rows_and_columns_each_row_is_divided_for_itself():
    cells = Grid(2, 2).divide(12, 12, shares=(1, 3, 4, 4))
    assert [cell.sides for cell in cells] == [(0, 0, 4, 3), (0, 3, 4, 12), (4, 0, 12, 6), (4, 6, 12, 12)]


def test_a_row_without_any_share_has_a_cell_of_each_map():
    cells = Grid(2, 2).divide(4, 4, shares=(0, 0, 1, 1))
    assert [cell.sides for cell in cells] == [(0, 0, 1, 2), (0, 2, 1, 4), (1, 0, 4, 2), (1, 2, 4, 4)]


@given(
    shares=st.lists(st.floats(0.01, 100), min_size=6, max_size=6), height=st.integers(2, 30), width=st.integers(3, 30)
)
def test_whatever_the_shares_tiles_in_rows_and_columns_cover_the_map_once(shares, height, width):
    covered = np.zeros((height, width), int)
    for cell in Grid(2, 3).divide(height, width, shares=shares):
        assert cell.area > 0
        covered[cell.slices] += 1
    assert (covered == 1).all()


@st.composite
def lengths_and_shares(draw):
    shares = draw(st.lists(st.floats(0.01, 100), min_size=1, max_size=9))
    return draw(st.integers(len(shares), 60)), shares


@given(lengths_and_shares())
def test_whatever_the_shares_every_cell_belongs_to_one_tile_and_none_is_empty(case):
    length, shares = case
    cells = Grid(len(shares), 1).divide(length, 3, shares=shares)
    assert [cell.top for cell in cells] == [0, *(cell.bottom for cell in cells[:-1])]
    assert sum(heights(cells)) == length
    assert min(heights(cells)) >= 1


@given(lengths_and_shares())
def test_tiles_differ_from_their_shares_by_a_cell_at_most_where_none_is_less_than_one(case):
    length, shares = case
    ideal = [length * share / sum(shares) for share in shares]
    if min(ideal) >= 1:
        made = heights(Grid(len(shares), 1).divide(length, 3, shares=shares))
        assert max(abs(one - other) for one, other in zip(made, ideal, strict=True)) <= 1 + 1e-9


@given(st.integers(1, 9), st.integers(9, 60))
def test_equal_shares_divide_as_evenly_as_none(parts, length):
    made = heights(Grid(parts, 1).divide(length, 3, shares=[2.0] * parts))
    assert max(made) - min(made) <= 1


def test_shares_do_not_make_a_grid_fit_that_is_larger_than_the_map():
    with pytest.raises(ConfigurationError, match="at most 2x6"):
        Grid(3, 1).divide(2, 6, shares=(1, 1, 1))
