from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gateway.observation.tracking.hungarian import best_pairs
from tests.extent import examples

# Few values, and many of them 0: ties, holes, and several components.
values = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.2, 0.25, 0.5, 0.9, 1.0]) | st.floats(-1, 1)
matrices = st.tuples(st.integers(0, 6), st.integers(0, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=values)
)


def best_sum(weights):
    """By trying all."""
    rows, columns = weights.shape
    if rows > columns:
        return best_sum(weights.T)
    gains = np.maximum(weights, 0)
    return max(sum(gains[row, column] for row, column in enumerate(way)) for way in permutations(range(columns), rows))


@given(matrices)
def test_no_other_pairing_has_a_greater_sum(weights):
    pairs = best_pairs(weights)
    assert sum(weights[pair] for pair in pairs) == pytest.approx(best_sum(weights))


@pytest.mark.parametrize("seed", range(examples(20)))
def test_no_other_pairing_has_a_greater_sum_where_all_may_pair(seed):
    chance = np.random.default_rng(seed)
    weights = chance.random((chance.integers(4, 7), 6)) + 0.1
    assert sum(weights[pair] for pair in best_pairs(weights)) == pytest.approx(best_sum(weights))


@given(matrices)
def test_nothing_is_paired_twice_and_only_what_may_be(weights):
    pairs = best_pairs(weights)
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    assert all(weights[pair] > 0 for pair in pairs)
    assert rows == sorted(rows)


def test_two_good_pairs_are_worth_more_than_the_best_one():
    assert best_pairs(np.array([[0.9, 0.8], [0.8, 0.0]])) == [(0, 1), (1, 0)]


def test_a_good_pair_is_worth_more_than_two_poor_ones():
    assert best_pairs(np.array([[0.9, 0.3], [0.3, 0.0]])) == [(0, 0)]


def test_a_crowd_of_a_hundred_is_paired_with_itself():
    places = np.arange(100)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - places[None, :]) / 30)
    assert best_pairs(weights) == [(place, place) for place in range(100)]
