from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.multipart import HEAD_CAP_BYTES, PICTURE_CAP_BYTES, Parts, boundary_of
from shared.errors import SourceError

bodies = st.lists(st.binary(min_size=1, max_size=60).map(lambda tail: b"\xff\xd8" + tail + b"\xff\xd9"), max_size=5)


def stream(pictures, *, lengths, newline=b"\r\n"):
    """As a camera sends it, with the boundary behind the last."""
    parts = []
    for picture in pictures:
        length = b"Content-Length: %d%s" % (len(picture), newline) if lengths else b""
        parts.append(b"--frame%sContent-Type: image/jpeg%s%s%s%s" % (newline, newline, length, newline, picture))
    return newline.join([*parts, b"--frame--"])


def fed(data, cuts):
    parts, found, begin = Parts(b"--frame"), [], 0
    for end in [*sorted(cuts), len(data)]:
        found += parts.feed(data[begin:end])
        begin = end
    return found


@given(bodies.filter(lambda all_of: not any(b"--frame" in body for body in all_of)), st.booleans(),
       st.sampled_from([b"\r\n", b"\n"]), st.data())  # fmt: skip
def test_pictures_come_out_as_they_went_in_however_they_are_cut(pictures, lengths, newline, data):
    sent = stream(pictures, lengths=lengths, newline=newline)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=9))
    assert fed(sent, cuts) == pictures


def test_a_picture_of_told_length_may_hold_the_boundary():
    picture = b"\xff\xd8--frame\r\n\r\n\xff\xd9"
    assert fed(stream([picture, picture], lengths=True), []) == [picture, picture]


def test_a_picture_that_is_not_whole_does_not_come():
    assert Parts(b"--frame").feed(stream([b"\xff\xd8 and more"], lengths=True)[:-20]) == []


@pytest.mark.parametrize(
    ("said", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"--frame"),
        ('multipart/x-mixed-replace;boundary="--my frame"', b"--my frame"),
        ("multipart/x-mixed-replace; Boundary=--frame--; charset=x", b"--frame"),
    ],
)
def test_a_boundary_is_found_however_it_is_written(said, boundary):
    assert boundary_of(said) == boundary


@pytest.mark.parametrize(
    "said", ["", "multipart/x-mixed-replace", "multipart/x-mixed-replace; boundary=", "boundary=--"]
)
def test_a_stream_without_a_boundary_is_refused(said):
    with pytest.raises(SourceError, match="without saying where parts end"):
        boundary_of(said)


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (HEAD_CAP_BYTES + 1),
        b"--frame\r\n" + b"x" * (HEAD_CAP_BYTES + 1),
        b"--frame\r\nContent-Length: %d\r\n\r\n" % (PICTURE_CAP_BYTES + 1),
    ],
    ids=["no boundary", "endless headers", "too long a picture"],
)
def test_what_would_fill_the_memory_is_refused(data):
    with pytest.raises(SourceError):
        Parts(b"--frame").feed(data)


def test_a_picture_that_never_ends_is_refused():
    parts = Parts(b"--frame")
    parts.feed(b"--frame\r\n\r\n")
    parts.feed(bytes(PICTURE_CAP_BYTES))
    with pytest.raises(SourceError, match="never ends"):
        parts.feed(bytes(HEAD_CAP_BYTES + 1))
