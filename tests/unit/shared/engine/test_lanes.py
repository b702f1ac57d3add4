from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.lanes import (
    LANE_MEMORY_FACTOR,
    MAX_LANES,
    MAX_MEMORY_SHARE,
    MIN_LANE_GAIN,
    MeasuredLanes,
    TileLanes,
    best_lanes,
    candidate_lanes,
)

MIB = 2**20


def counts(cores, working_bytes=MIB, free_bytes=None):
    return [(lanes.count, lanes.threads) for lanes in candidate_lanes(cores, working_bytes, free_bytes)]


@pytest.mark.parametrize(
    ("cores", "expected"),
    [(1, [(1, 1)]), (2, [(1, 2), (2, 1)]), (3, [(1, 3), (3, 1)]), (4, [(1, 4), (2, 2), (4, 1)]), (7, [(1, 7), (7, 1)])],
)
def test_every_way_to_use_all_cores_is_a_candidate(cores, expected):
    assert counts(cores) == expected


@given(st.integers(1, 64), st.integers(1, 10**9), st.one_of(st.none(), st.integers(0, 10**10)))
def test_candidates_never_use_more_threads_than_cores_and_one_lane_always_goes(cores, working_bytes, free_bytes):
    found = candidate_lanes(cores, working_bytes, free_bytes)
    assert found[0] == TileLanes(1, cores)
    assert all(lanes.count * lanes.threads == cores and lanes.count <= MAX_LANES for lanes in found)


def test_lanes_that_need_more_than_their_share_of_the_free_memory_are_left_out():
    free = int(2 * LANE_MEMORY_FACTOR * MIB / MAX_MEMORY_SHARE)
    assert counts(4, free_bytes=free) == [(1, 4), (2, 2)]
    assert counts(4, free_bytes=free - 8) == [(1, 4)]


def test_the_most_tiles_a_second_win():
    assert best_lanes({TileLanes(1, 4): 10.0, TileLanes(2, 2): 13.0, TileLanes(4, 1): 15.0}) == TileLanes(4, 1)
    assert best_lanes({TileLanes(1, 4): 16.0, TileLanes(2, 2): 13.0, TileLanes(4, 1): 15.0}) == TileLanes(1, 4)


def test_more_lanes_must_gain_something():
    rates = {TileLanes(1, 2): 10.0, TileLanes(2, 1): 10.0 * (1 + MIN_LANE_GAIN) - 0.01}
    assert best_lanes(rates) == TileLanes(1, 2)
    assert best_lanes(rates | {TileLanes(2, 1): 10.0 * (1 + MIN_LANE_GAIN) + 0.01}) == TileLanes(2, 1)


@pytest.mark.parametrize(
    ("cores", "cells", "applies"),
    [(4, 1000, True), (3, 1000, False), (4, 2000, True), (4, 2001, False), (4, 500, True), (4, 499, False)],
)
def test_a_measurement_holds_for_its_cores_and_tiles_of_about_its_size(cores, cells, applies):
    assert MeasuredLanes(4, 1000, TileLanes(2, 2)).applies_to(cores, cells) is applies
