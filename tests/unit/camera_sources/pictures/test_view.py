from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.pictures.view import turn_and_crop

PICTURE = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize(("rotate", "quarters"), [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_a_picture_is_turned_clockwise(rotate, quarters):
    np.testing.assert_array_equal(turn_and_crop(PICTURE, rotate, None), np.rot90(PICTURE, quarters))


def test_a_part_is_cut_out():
    np.testing.assert_array_equal(turn_and_crop(PICTURE, 0, (0.5, 0.25, 1, 0.75)), PICTURE[10:30, 30:60])


def test_a_picture_is_turned_before_it_is_cut():
    np.testing.assert_array_equal(turn_and_crop(PICTURE, 180, (0, 0, 0.5, 0.5)), PICTURE[20:, 30:][::-1, ::-1])


def test_thirds_are_cut_to_whole_pixels():
    assert turn_and_crop(PICTURE, 0, (0, 0, 1 / 3, 1)).shape == (40, 20, 3)
    assert turn_and_crop(PICTURE, 0, (1 / 3, 0, 2 / 3, 1)).shape == (40, 20, 3)


sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: pair[0] < pair[1])


@given(sides, sides, st.sampled_from([0, 90, 180, 270]))
def test_any_part_has_a_pixel_and_can_be_sent(across, down, rotate):
    part = turn_and_crop(PICTURE, rotate, (across[0], down[0], across[1], down[1]))
    assert part.flags.c_contiguous
    assert min(part.shape) >= 1
    assert part.shape[0] <= (60 if rotate % 180 else 40)
