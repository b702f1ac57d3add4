from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.wire.connection import JOINED_BYTES, _joined

sizes = st.sampled_from([0, 1, 100, 4000, JOINED_BYTES - 1, JOINED_BYTES, JOINED_BYTES + 1, 3 * JOINED_BYTES])


def buffers_of(sizes):
    return [memoryview(bytes([number % 256]) * size) for number, size in enumerate(sizes)]


@given(st.lists(sizes, max_size=30))
def test_joined_buffers_are_the_same_bytes_in_the_same_order(sizes):
    buffers = buffers_of(sizes)
    assert b"".join(_joined(buffers)) == b"".join(buffers)


@given(st.lists(sizes, max_size=30))
def test_no_two_small_buffers_are_sent_one_after_the_other(sizes):
    joined = list(_joined(buffers_of(sizes)))
    assert all(max(one.nbytes, other.nbytes) >= JOINED_BYTES for one, other in pairwise(joined))


@given(st.lists(sizes, max_size=30))
def test_large_buffers_are_not_copied_and_copies_are_never_large(sizes):
    buffers = buffers_of(sizes)
    large = [part for part in buffers if part.nbytes >= JOINED_BYTES]
    sent = list(_joined(buffers))
    assert [part for part in sent if any(part is one for one in large)] == large
    assert all(part.nbytes < 2 * JOINED_BYTES for part in sent if not any(part is one for one in large))


def test_a_header_and_its_strips_are_one_buffer():
    assert len(list(_joined(buffers_of([300, 2000, 2000, 1500])))) == 1


def test_a_header_before_a_picture_is_the_only_copy():
    header, picture = buffers_of([300, 10 * JOINED_BYTES])
    first, second = _joined([header, picture])
    assert first == header
    assert second is picture


def test_nothing_is_nothing():
    assert list(_joined([])) == []
