from __future__ import annotations

import numpy as np
import pytest

from shared.model.normalising import PixelTable
from shared.model.spec import Preprocessing

IMAGENET = Preprocessing(mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))


def arithmetic(pixels, preprocessing):
    scaled = (pixels.astype(np.float32) - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)
    return scaled.transpose(2, 0, 1)[np.newaxis]


@pytest.mark.parametrize("preprocessing", [Preprocessing(), IMAGENET], ids=["0 to 1", "ImageNet"])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (256, 256)], ids=str)
def test_a_table_gives_the_numbers_of_the_arithmetic_bit_for_bit(preprocessing, size):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    made = PixelTable(preprocessing).apply(pixels)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    np.testing.assert_array_equal(made, arithmetic(pixels, preprocessing))


def test_pixels_may_be_a_view_of_a_larger_or_turned_picture():
    picture = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    for view in (picture[3:9, 5:11], picture[:, :, ::-1]):
        np.testing.assert_array_equal(PixelTable(IMAGENET).apply(view), arithmetic(view, IMAGENET))


def test_every_picture_gets_an_array_of_its_own():
    table, white = PixelTable(Preprocessing()), np.full((2, 2, 3), 255, np.uint8)
    first = table.apply(white)
    table.apply(np.zeros_like(white))
    assert first.tolist() == np.ones((1, 3, 2, 2)).tolist()
