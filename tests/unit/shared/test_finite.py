from __future__ import annotations

import numpy as np
import pytest

from shared.finite import all_finite

LARGEST = np.finfo(np.float32).max


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 777, 1023])
def test_one_value_that_is_no_number_is_found_wherever_it_is(kind, value, place):
    array = np.linspace(-5, 5, 1024).astype(kind)
    assert all_finite([array.reshape(1, 4, 16, 16)])
    array[place] = value
    assert not all_finite([np.zeros(3, np.float32), array.reshape(1, 4, 16, 16)])


@pytest.mark.parametrize("array", [np.full(9, LARGEST), np.array([LARGEST, LARGEST, -LARGEST]), np.empty((1, 4, 0, 2)),
                                   np.full(1000, 60000, np.float16), np.full(5, 127, np.int8)])  # fmt: skip
def test_large_numbers_are_numbers(array):
    assert all_finite([array])


def test_infinities_that_cancel_out_are_found():
    assert not all_finite([np.array([np.inf, -np.inf], np.float32)])


def test_of_a_view_only_what_is_seen_counts():
    whole = np.zeros((1, 1, 4, 4), np.float32)
    whole[0, 0, 0, 0] = np.nan
    assert all_finite([whole[:, :, 1:, 1:]])
    assert not all_finite([whole[:, :, :1]])
