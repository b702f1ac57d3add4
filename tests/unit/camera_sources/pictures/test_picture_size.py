from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.pictures.picture_size import picture_size_of

ENDINGS = (".jpg", ".png", ".bmp", ".webp")
NOISE = np.random.default_rng(1).integers(0, 256, (37, 53, 3), np.uint8)


def written(ending, picture=NOISE, *options):
    return cv2.imencode(ending, picture, options)[1].tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 53), (3, 2000)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_size_is_that_of_the_decoded_picture(ending, height, width, channels):
    picture = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    assert picture_size_of(written(ending, picture)) == (width, height)


@pytest.mark.parametrize(
    ("ending", "options"),
    [(".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)),
     (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)), (".webp", (cv2.IMWRITE_WEBP_QUALITY, 20))],
)  # fmt: skip
def test_every_way_of_coding_is_known(ending, options):
    assert picture_size_of(written(ending, NOISE, *options)) == (53, 37)


def test_a_webp_with_transparency_is_known():
    picture = np.random.default_rng(1).integers(0, 256, (37, 53, 4), np.uint8)
    assert picture_size_of(written(".webp", picture, cv2.IMWRITE_WEBP_QUALITY, 20)) == (53, 37)


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def test_a_thumbnail_inside_a_jpeg_is_not_its_size():
    small = written(".jpg", NOISE[:5, :7])
    jpeg = written(".jpg")
    assert picture_size_of(jpeg[:2] + segment(0xE1, b"Exif\0\0" + small) * 40 + jpeg[2:]) == (53, 37)


def test_what_lies_between_segments_is_passed_over():
    jpeg = written(".jpg")
    assert picture_size_of(jpeg[:2] + b"\0\0garbage" + b"\xff" * 5 + jpeg[3:]) == (53, 37)


@pytest.mark.parametrize("header", [12, 40, 124])
def test_bitmaps_of_every_age_are_known(header):
    size = struct.pack("<HH", 53, 37) if header == 12 else struct.pack("<ii", 53, -37)
    assert picture_size_of(b"BM" + bytes(12) + struct.pack("<I", header) + size + bytes(header)) == (53, 37)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_size_that_is_cut_off_is_none(ending):
    whole = written(ending)
    assert {picture_size_of(whole[:length]) for length in range(len(whole))} <= {None, (53, 37)}
    assert picture_size_of(whole[:12]) is None


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), b"RIFF\0\0\0\0WAVEfmt " + bytes(40), b"\xff\xd8" * 100,
                                  b"\xff\xd8\xff\xda" + bytes(50), b"\xff\xd8" + segment(0xC0, bytes(9))])  # fmt: skip
def test_what_has_no_size_is_none(data):
    assert picture_size_of(data) is None


@given(start=st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF0000WEBPVP8 ", b"RIFF0000WEBPVP8L",
                              b"RIFF0000WEBPVP8X"]), rest=st.binary(max_size=200))  # fmt: skip
def test_no_bytes_are_an_error(start, rest):
    size = picture_size_of(start + rest)
    assert size is None or min(size) > 0
