from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError, VersionError
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS
from shared.wire import codec
from shared.wire.codec import (
    MAGIC,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    PREFIX_BYTES,
    MessageKind,
    MessagePrefix,
    decode_prefix,
    encode_prefix,
)  # fmt: skip


def raw(magic=MAGIC, version=PROTOCOL, kind=MessageKind.READY, header_bytes=0, payload_bytes=0):
    """Pack a prefix by hand, as an unknown client may send it."""
    return struct.pack("!4sBBHIQ", magic, version, kind, 0, header_bytes, payload_bytes)


@st.composite
def prefixes(draw):
    kind = draw(st.sampled_from(MessageKind))
    return MessagePrefix(
        kind, draw(st.integers(0, MAX_HEADER_BYTES)), draw(st.integers(0, MAX_PAYLOAD_BYTES.get(kind, 0)))
    )


@given(prefixes())
def test_a_prefix_survives_the_wire(prefix):
    data = encode_prefix(prefix.kind, prefix.header_bytes, prefix.payload_bytes)
    assert len(data) == PREFIX_BYTES
    assert decode_prefix(data) == prefix


def test_a_prefix_has_20_bytes_at_known_places():
    data = encode_prefix(MessageKind.TILE, 0x0102, 0x030405)
    assert data == b"DpTh" + bytes([PROTOCOL, 11, 0, 0]) + bytes([0, 0, 1, 2]) + bytes([0, 0, 0, 0, 0, 3, 4, 5])


def test_a_prefix_written_by_hand_is_read():
    assert decode_prefix(raw(kind=MessageKind.FRAME, header_bytes=5, payload_bytes=6)) == MessagePrefix(
        MessageKind.FRAME, 5, 6
    )


@pytest.mark.parametrize("kind", MessageKind)
def test_a_payload_over_its_cap_is_neither_sent_nor_taken(kind):
    cap = MAX_PAYLOAD_BYTES.get(kind, 0)
    assert decode_prefix(encode_prefix(kind, 0, cap)).payload_bytes == cap
    with pytest.raises(ProtocolError, match=f"{kind.name} with a payload of {cap + 1} bytes; at most {cap}"):
        encode_prefix(kind, 0, cap + 1)
    with pytest.raises(ProtocolError, match=f"at most {cap}"):
        decode_prefix(raw(kind=kind, payload_bytes=cap + 1))


@pytest.mark.parametrize("kind", MessageKind)
def test_a_header_over_its_cap_is_neither_sent_nor_taken(kind):
    with pytest.raises(ProtocolError, match=f"header of {MAX_HEADER_BYTES + 1} bytes"):
        encode_prefix(kind, MAX_HEADER_BYTES + 1, 0)
    with pytest.raises(ProtocolError, match=f"header of {MAX_HEADER_BYTES + 1} bytes"):
        decode_prefix(raw(kind=kind, header_bytes=MAX_HEADER_BYTES + 1))


def test_the_largest_numbers_that_fit_are_refused():
    with pytest.raises(ProtocolError):
        decode_prefix(raw(kind=MessageKind.PROGRAM, header_bytes=2**32 - 1, payload_bytes=2**64 - 1))


@pytest.mark.parametrize("magic", [b"HTTP", b"DpTH", b"\0\0\0\0", b"GET "])
def test_a_stranger_is_recognised(magic):
    with pytest.raises(ProtocolError, match="not a DeepThings peer"):
        decode_prefix(raw(magic=magic))


@pytest.mark.parametrize("version", [0, PROTOCOL - 1, max(UNDERSTOOD_PROTOCOLS) + 1, 255])
def test_another_version_says_what_to_do(version):
    with pytest.raises(VersionError, match=f"version {version} of the protocol, this side version {PROTOCOL}.*install"):
        decode_prefix(raw(version=version))


def test_a_version_that_is_understood_is_read_as_our_own(monkeypatch):
    monkeypatch.setattr(codec, "UNDERSTOOD_PROTOCOLS", frozenset({PROTOCOL, PROTOCOL + 1}))
    assert decode_prefix(raw(version=PROTOCOL + 1)) == decode_prefix(raw())
    with pytest.raises(VersionError):
        decode_prefix(raw(version=PROTOCOL + 2))


def test_another_version_is_named_even_when_the_rest_is_not_understood():
    with pytest.raises(VersionError):
        decode_prefix(raw(version=9, kind=200, header_bytes=2**32 - 1))


@pytest.mark.parametrize("kind", sorted(set(range(256)) - set(MessageKind))[::20])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ProtocolError, match=f"unknown kind of message {kind}"):
        decode_prefix(raw(kind=kind))


@given(st.binary(min_size=PREFIX_BYTES, max_size=PREFIX_BYTES))
def test_garbage_is_refused_or_within_the_caps(data):
    try:
        prefix = decode_prefix(data)
    except ProtocolError:
        return
    assert prefix.header_bytes <= MAX_HEADER_BYTES
    assert prefix.payload_bytes <= MAX_PAYLOAD_BYTES.get(prefix.kind, 0)


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_numbers_of_any_size_are_refused_or_within_the_caps(kind, header_bytes, payload_bytes):
    try:
        prefix = decode_prefix(raw(kind=kind, header_bytes=header_bytes, payload_bytes=payload_bytes))
    except ProtocolError:
        return
    assert prefix == MessagePrefix(MessageKind(kind), header_bytes, payload_bytes)
    assert header_bytes <= MAX_HEADER_BYTES
    assert payload_bytes <= MAX_PAYLOAD_BYTES.get(prefix.kind, 0)
