from __future__ import annotations

import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest

from camera_sources.pictures.image_decoding import MAX_PIXELS, LargePictureError, decode_picture, reduction_for
from camera_sources.source import NoPictureError
from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(1, 1, 1), (7680, 4320, 1), (MAX_PICTURE_SIDE, 1, 1), (MAX_PICTURE_SIDE + 1, 1, 2), (20000, 10, 2),
     (8000, 6000, 2), (9248, 6944, 2), (10, 60000, 4), (8 * MAX_PICTURE_SIDE, 1, 8)],
)  # fmt: skip
def test_a_picture_is_made_smaller_until_it_is_a_frame(width, height, scale):
    assert reduction_for(width, height) == scale
    assert 3 * (width // scale) * (height // scale) <= MAX_PAYLOAD_BYTES[MessageKind.FRAME]


@pytest.mark.parametrize(
    ("width", "height"),
    [(20000, 20000), (65535, 65535), (2**31, 2**31), (8 * MAX_PICTURE_SIDE + 1, 1), (MAX_PIXELS, 2)],
)
def test_a_picture_of_an_absurd_size_is_refused_by_its_size(width, height):
    with pytest.raises(LargePictureError, match=f"{width}x{height} pixels are too large: at most 67 million pixels"):
        reduction_for(width, height)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_panorama_is_halved(ending):
    wide = np.full((10, 20000, 3), 90, np.uint8)
    picture = decode_picture(cv2.imencode(ending, wide)[1].tobytes())
    assert picture.shape == (5, 10000, 3)
    assert abs(int(picture.mean()) - 90) <= 1


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"no picture", b"GIF89a\x10\0\x10\0" + bytes(50)])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(NoPictureError, match="codec not decodable: the data is not a picture"):
        decode_picture(data)


def test_a_picture_whose_rows_are_missing_is_refused_or_whole():
    png = cv2.imencode(".png", np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8))[1].tobytes()
    with pytest.raises(NoPictureError):
        decode_picture(png[: len(png) // 2])


PEAK = """
import sys
import camera_sources.source
from camera_sources.pictures.image_decoding import decode_picture
from shared.errors import SourceError
data = open(sys.argv[1], "rb").read()
def peak():  # that of getrusage would be the parent's, where that is larger
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
try:
    said = decode_picture(data).shape
except SourceError as error:
    said = str(error)
print((peak() - before) // 1024, said)
"""


def peak_of(tmp_path, data):
    (tmp_path / "picture").write_bytes(data)
    command = [sys.executable, "-c", PEAK, str(tmp_path / "picture")]
    megabytes, _, said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition(" ")
    return int(megabytes), said.strip()


def test_a_phones_picture_is_decoded_in_the_memory_of_a_frame(tmp_path):
    jpeg = cv2.imencode(".jpg", np.full((6000, 8000, 3), 90, np.uint8))[1].tobytes()
    megabytes, said = peak_of(tmp_path, jpeg)
    assert said == "(3000, 4000, 3)"
    assert megabytes < 100


def test_a_picture_of_gigabytes_is_refused_before_it_takes_them(tmp_path):
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 20000, 20000)
    megabytes, said = peak_of(tmp_path, bytes(jpeg))
    assert "20000x20000 pixels are too large" in said
    assert megabytes < 10
