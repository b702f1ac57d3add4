from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera_sources.http.multipart import MAX_JUNK_BYTES, MAX_PICTURE_BYTES, PictureStreamParser, boundary_of
from shared.errors import SourceError


def encoded(number, ending=".jpg"):
    """A picture with noise, as a sensor has it."""
    pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), np.uint8)
    return cv2.imencode(ending, pixels)[1].tobytes()


def with_thumbnail(picture):
    """The same JPEG with another one inside, and a boundary, as EXIF and comments may have them."""
    inside = b"Exif\0\0" + encoded(99) + b"\r\n--frame\r\n\r\n"
    return picture[:2] + b"\xff\xe1" + (len(inside) + 2).to_bytes(2, "big") + inside + picture[2:]


JPEGS = [encoded(0), with_thumbnail(encoded(1)), encoded(2), encoded(3)]


def part(picture, *, mark=b"--frame", length=None, newline=b"\r\n"):
    said = b"Content-Length: %d%s" % (len(picture) if length is None else length, newline)
    return mark + newline + b"Content-Type: image/jpeg" + newline + said + newline + picture + newline


def fed(sent, cuts=(), boundary=b"--frame"):
    parts, found, begin = PictureStreamParser(boundary), [], 0
    for end in [*sorted(cuts), len(sent)]:
        found += parts.feed(sent[begin:end])
        begin = end
    return found


AS_SENT = {
    "as it should be": b"".join(map(part, JPEGS)),
    "lines end with a line feed": b"".join(part(picture, newline=b"\n") for picture in JPEGS),
    "no boundary before the first": b"".join(map(part, JPEGS))[len(b"--frame\r\n") :],
    "another boundary": b"".join(part(picture, mark=b"--other") for picture in JPEGS),
    "lengths too long": b"".join(part(picture, length=10**6) for picture in JPEGS),
    "lengths too short": b"".join(part(picture, length=10) for picture in JPEGS),
    "lengths that are none": b"".join(part(picture).replace(b"Length: ", b"Length: -") for picture in JPEGS),
    "nothing around them": b"".join(JPEGS),
    "headers without an end": b"".join(b"--frame\r\nContent-Type: image/jpeg\r\n" + picture for picture in JPEGS),
    "zeros behind them": b"".join(part(picture + bytes(1000)) for picture in JPEGS),
}


@settings(max_examples=30)
@given(st.sampled_from(sorted(AS_SENT)), st.data())
def test_pictures_come_out_whole_whatever_is_around_them_and_however_they_are_cut(case, data):
    sent = AS_SENT[case]
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=9))
    assert fed(sent, cuts) == JPEGS


@pytest.mark.parametrize("case", sorted(AS_SENT))
def test_pictures_come_out_whole_byte_by_byte(case):
    sent = AS_SENT[case]
    assert fed(sent, range(1, len(sent))) == JPEGS
    assert fed(sent, boundary=b"") == JPEGS


def test_a_picture_comes_as_soon_as_it_ends():
    assert PictureStreamParser(b"--frame").feed(part(JPEGS[0])[:-2]) == [JPEGS[0]]


def test_a_picture_that_broke_off_is_counted_and_the_next_one_comes():
    sent = part(JPEGS[0]) + part(JPEGS[1][:-300]) + part(JPEGS[2])
    assert fed(sent) == [JPEGS[0], b"", JPEGS[2]]


def test_pictures_whose_end_is_always_left_out_are_taken():
    found = fed(b"".join(part(picture[:-2]) for picture in JPEGS))
    assert [cv2.imdecode(np.frombuffer(each, np.uint8), 1).shape for each in found] == [(24, 32, 3)] * 3


@pytest.mark.parametrize("ending", [".png", ".webp", ".bmp"])
def test_pictures_of_other_formats_end_at_the_boundary(ending):
    pictures = [encoded(number, ending) for number in range(3)]
    sent = b"".join(map(part, pictures)) + b"--frame--"
    assert [cv2.imdecode(np.frombuffer(each, np.uint8), 1).shape for each in fed(sent)] == [(24, 32, 3)] * 3
    assert fed(sent, range(1, len(sent))) == fed(sent)


def test_what_is_no_picture_comes_out_too_so_that_it_can_be_told():
    assert fed(part(b"H.265, say") * 2 + b"--frame") == [b"H.265, say"] * 2


@pytest.mark.parametrize(
    ("said", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"--frame"),
        ('multipart/x-mixed-replace;boundary="--my frame"', b"--my frame"),
        ("multipart/x-mixed-replace; Boundary=--frame--; charset=x", b"--frame"),
        ("multipart/x-mixed-replace", b""),
        ("multipart/x-mixed-replace; boundary=--", b""),
        ("", b""),
    ],
)
def test_a_boundary_is_found_however_it_is_written(said, boundary):
    assert boundary_of(said) == boundary


@pytest.mark.parametrize("boundary", [b"", b"--frame"])
@pytest.mark.parametrize("begin", [b"", b"--frame\r\n", b"--frame\r\nContent-Type: text/html\r\n\r\n"])
def test_what_never_becomes_a_picture_is_refused(begin, boundary):
    with pytest.raises(SourceError, match="the data is not a picture"):
        PictureStreamParser(boundary).feed(begin + b"x" * (MAX_JUNK_BYTES + 1))


@pytest.mark.parametrize("begin", [JPEGS[0][:-2], encoded(0, ".png")[:-12]], ids=["jpeg", "png"])
def test_a_picture_that_never_ends_is_refused(begin):
    parts = PictureStreamParser(b"--frame")
    parts.feed(b"--frame\r\n\r\n" + begin)
    with pytest.raises(SourceError, match="or no end"):
        parts.feed(bytes(MAX_PICTURE_BYTES))
