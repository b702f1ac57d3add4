from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ftp.region import Region

coordinates = st.integers(-20, 20)


@st.composite
def regions(draw):
    top, left = draw(coordinates), draw(coordinates)
    return Region(top, left, top + draw(st.integers(1, 20)), left + draw(st.integers(1, 20)))


def cells(region):
    return {(row, column) for row in range(region.top, region.bottom) for column in range(region.left, region.right)}


def test_a_whole_map_is_a_region_from_zero():
    assert Region.whole(3, 5) == Region(0, 0, 3, 5)


def test_slices_pick_the_cells_of_rows_and_columns():
    array = np.arange(20).reshape(4, 5)
    assert array[Region(1, 2, 3, 5).slices].tolist() == [[7, 8, 9], [12, 13, 14]]


@pytest.mark.parametrize("empty", [Region(3, 0, 3, 5), Region(3, 0, 1, 5), Region(0, 3, 5, 1), Region(3, 3, 1, 1)])
def test_area_is_never_negative(empty):
    assert empty.area == 0


@given(regions())
def test_area_is_the_number_of_cells(region):
    assert region.area == len(cells(region)) == region.height * region.width


@given(regions(), regions())
def test_a_hull_is_the_smallest_region_that_holds_both(one, other):
    both = cells(one) | cells(other)
    hull = one.hull(other)
    assert both <= cells(hull)
    assert hull.top == min(row for row, _ in both)
    assert hull.left == min(column for _, column in both)
    assert hull.bottom == max(row for row, _ in both) + 1
    assert hull.right == max(column for _, column in both) + 1


@given(regions(), regions())
def test_a_hull_has_no_order(one, other):
    assert one.hull(other) == other.hull(one)


@given(regions(), st.integers(1, 20), st.integers(1, 20))
def test_clipping_keeps_the_cells_that_lie_on_the_map(region, height, width):
    on_the_map = cells(region) & cells(Region.whole(height, width))
    if on_the_map:
        assert cells(region.clip(height, width)) == on_the_map


@given(regions(), st.integers(1, 20), st.integers(1, 20))
def test_clipping_always_leaves_a_cell_of_the_map(region, height, width):
    clipped = region.clip(height, width)
    assert clipped.area > 0
    assert cells(clipped) <= cells(Region.whole(height, width))


def test_sides_are_top_left_bottom_and_right():
    region = Region(1, 2, 3, 5)
    assert region.sides == (1, 2, 3, 5)
    assert Region(*region.sides) == region


@given(regions(), coordinates, coordinates)
def test_a_region_seen_from_a_cell_has_the_same_cells_counted_from_there(region, top, left):
    seen = region.relative_to(top, left)
    assert cells(seen) == {(row - top, column - left) for row, column in cells(region)}
    assert seen.relative_to(-top, -left) == region


@given(regions(), regions())
def test_an_overlap_has_the_cells_of_both(one, other):
    overlap = one.overlap(other)
    assert (cells(overlap) if overlap else set()) == cells(one) & cells(other)
    assert overlap == other.overlap(one)


def test_regions_that_only_touch_do_not_overlap():
    assert Region(0, 0, 2, 2).overlap(Region(2, 0, 4, 2)) is None
    assert Region(0, 0, 2, 2).overlap(Region(0, 2, 2, 4)) is None
    assert Region(0, 0, 2, 2).overlap(Region(1, 1, 4, 4)) == Region(1, 1, 2, 2)
