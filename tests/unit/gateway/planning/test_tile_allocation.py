from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.planning.tile_allocation import allocate_tiles, share_out_tiles


@pytest.mark.parametrize(
    ("count", "speeds", "expected"),
    [
        (3, [1, 1, 1], (0, 1, 2)),
        (2, [1, 1, 1], (0, 1)),
        (8, [1, 1, 1, 1, 1, 1, 2], (0, 1, 2, 3, 4, 5, 6, 6)),
        (14, [1, 1, 0.5, 0.5, 0.25, 0.25], (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5)),
        (4, [1, 1, 1, 0.1], (0, 0, 1, 2)),
    ],
)
def test_a_faster_device_gets_more_tiles_and_one_that_would_be_late_none(count, speeds, expected):
    assert allocate_tiles(count, speeds) == expected


def test_what_a_device_does_besides_costs_it_tiles():
    assert allocate_tiles(4, [1, 1], besides=[2, 0]) == (0, 1, 1, 1)


@given(count=st.integers(1, 32), speeds=st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_no_other_device_would_end_the_last_tile_sooner(count, speeds):
    places = allocate_tiles(count, speeds)
    assert len(places) == count
    last_s = max(places.count(place) / speeds[place] for place in places)
    others_s = min((places.count(place) + 1) / speed for place, speed in enumerate(speeds))
    assert last_s <= others_s * (1 + 1e-9)


@pytest.mark.parametrize(
    ("count", "speeds", "expected"),
    [
        (3, [1, 0.8, 0.45], (0, 1, 2)),
        (3, [1, 1, 0.3], (0, 0, 1)),
        (8, [1, 1, 1, 1, 1, 1, 1.8], (0, 1, 2, 3, 4, 5, 6, 6)),
        (5, [1, 1], (0, 1, 0, 1, 0)),
        (6, [1, 1, 0.5, 0.5, 0.25, 0.25], (0, 0, 1, 1, 2, 3)),
    ],
)
def test_tiles_are_given_out_in_turn_unless_speeds_differ_clearly(count, speeds, expected):
    assert share_out_tiles(count, speeds) == expected
