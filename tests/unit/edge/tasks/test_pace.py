from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tasks.pace import PACE_TILES, PACE_TILES_OF_NODE, NodePace


def pace_of(*tiles):
    """What is known after these tiles: worker, seconds, multiply-accumulate operations."""
    pace = NodePace()
    for worker, seconds, macs in tiles:
        pace.add_result(worker, seconds, macs)
    return pace


def test_before_the_first_result_nothing_is_known():
    pace = NodePace()
    assert (pace.of_all, pace.of_node("a"), pace.longest_s) == (None, None, 0.0)


def test_a_tile_of_unknown_cost_only_counts_for_its_length():
    pace = pace_of(("a", 5.0, 0))
    assert (pace.of_all, pace.of_node("a"), pace.longest_s) == (None, None, 5.0)
    pace.add_result("a", 2.0, 100)
    assert (pace.of_all, pace.of_node("a"), pace.longest_s) == (0.02, 0.02, 5.0)


def test_it_is_of_an_operation_however_large_the_tiles_are():
    assert pace_of(("a", 1.0, 100), ("a", 4.0, 400), ("a", 0.5, 50)).of_node("a") == 0.01


def test_one_tile_that_took_very_long_changes_nothing():
    pace = pace_of(("a", 1.0, 100), ("a", 2.0, 100), ("a", 900.0, 100))
    assert (pace.of_node("a"), pace.of_all) == (0.02, 0.02)


def test_every_worker_has_a_pace_of_its_own():
    pace = pace_of(("quick", 1.0, 100), ("slow", 4.0, 100), ("quick", 1.0, 100))
    assert (pace.of_node("quick"), pace.of_node("slow"), pace.of_all) == (0.01, 0.04, 0.01)


def test_who_has_computed_nothing_yet_is_taken_to_be_as_fast_as_the_others():
    pace = pace_of(("quick", 1.0, 100), ("slow", 3.0, 100))
    assert pace.of_node("newcomer") == pace.of_node("") == 0.02


def test_who_is_forgotten_is_like_a_newcomer_and_still_counts_among_all():
    pace = pace_of(("quick", 1.0, 100), ("slow", 3.0, 100))
    pace.forget_node("slow")
    pace.forget_node("never-heard-of")
    assert (pace.of_node("slow"), pace.of_node("quick"), pace.of_all) == (0.02, 0.01, 0.02)


def test_a_worker_that_has_become_slower_is_known_for_it_long_before_all_are():
    pace = pace_of(*[("a", 1.0, 100)] * PACE_TILES)
    for _ in range(PACE_TILES_OF_NODE):
        pace.add_result("a", 5.0, 100)
    assert (pace.of_node("a"), pace.of_all) == (0.05, 0.01)


@pytest.mark.parametrize(("more", "longest_s"), [(PACE_TILES - 1, 50.0), (PACE_TILES, 0.1)])
def test_the_longest_tile_is_forgotten_when_it_is_long_ago(more, longest_s):
    assert pace_of(("a", 50.0, 100), *[("b", 0.1, 0)] * more).longest_s == longest_s


tiles = st.tuples(st.sampled_from("abc"), st.floats(0.001, 100), st.integers(0, 1000))


@given(st.lists(tiles, max_size=3 * PACE_TILES))
def test_it_is_the_median_of_the_latest(seen):
    pace = pace_of(*seen)
    known = [(worker, seconds / macs) for worker, seconds, macs in seen if macs]
    of_all = median([rate for _, rate in known[-PACE_TILES:]]) if known else None
    assert pace.of_all == of_all
    assert pace.longest_s == max((seconds for _, seconds, _ in seen[-PACE_TILES:]), default=0.0)
    for worker in "abc":
        own = [rate for name, rate in known if name == worker]
        assert pace.of_node(worker) == (median(own[-PACE_TILES_OF_NODE:]) if own else of_all)
