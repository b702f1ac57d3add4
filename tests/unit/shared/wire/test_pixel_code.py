from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from shared.wire.pixel_code import decode_png, encode_png


@pytest.fixture(scope="module")
def picture():
    return next(open_source(str(FOOTAGE)).pictures())


def test_a_picture_comes_back_as_it_was_in_half_of_its_bytes(picture):
    coded = encode_png(picture)
    assert coded.dtype == np.uint8
    assert coded.size < 0.6 * picture.nbytes
    assert np.array_equal(decode_png(coded, *picture.shape[:2]), picture)


@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_so_do_pixels_of_any_size_and_value(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(decode_png(encode_png(pixels), height, width), pixels)


@pytest.mark.parametrize("size", [(575, 768), (768, 576), (0, 0)])
def test_pixels_of_another_size_are_refused(picture, size):
    assert decode_png(encode_png(picture), *size) is None


def test_a_size_that_lies_is_refused_before_memory_is_taken():
    coded = encode_png(np.zeros((4, 4, 3), np.uint8))
    coded[16:24] = np.frombuffer(struct.pack(">II", 30_000, 30_000), np.uint8)
    assert decode_png(coded, 4, 4) is None


def test_another_kind_of_picture_is_refused():
    grey = encode_png(np.zeros((4, 4, 3), np.uint8))
    grey[25] = 0
    assert decode_png(grey, 4, 4) is None


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_refused(data):
    assert decode_png(np.frombuffer(data, np.uint8), 4, 4) is None


@given(place=st.integers(0, 200), value=st.integers(0, 255), length=st.integers(0, 200))
def test_a_damaged_picture_is_refused_or_has_the_size(place, value, length):
    coded = encode_png(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    coded[place % coded.size] = value
    pixels = decode_png(coded[: max(0, coded.size - length)], 8, 8)
    assert pixels is None or pixels.shape == (8, 8, 3)
