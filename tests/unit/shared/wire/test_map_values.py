from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import ProtocolError
from shared.wire.map_values import MAP_TYPES, decode_values, encode_map, value_bytes
from tests.extent import examples

MAPS = arrays(np.float32, (1, 2, 3, 4), elements=st.floats(-1e6, 1e6, width=32))


def sent(values, map_type):
    encoded = encode_map(values, map_type)
    assert encoded.flags.c_contiguous
    assert encoded.nbytes == values.size * value_bytes(map_type)
    return decode_values(np.frombuffer(encoded.tobytes(), np.uint8), map_type).reshape(values.shape)


@settings(max_examples=examples(50))
@given(MAPS)
def test_values_of_single_precision_arrive_as_they_were(values):
    np.testing.assert_array_equal(sent(values, "float32"), values)


@settings(max_examples=examples(50))
@given(MAPS)
def test_values_of_half_precision_arrive_as_their_nearest_and_are_always_finite(values):
    received = sent(values, "float16")
    assert np.isfinite(received).all()
    usual = np.abs(values) < 65504
    np.testing.assert_allclose(received[usual], values[usual], rtol=2**-11, atol=2**-24)
    assert (np.abs(received[~usual]) == 65504).all()


@pytest.mark.parametrize("map_type", MAP_TYPES)
def test_part_of_a_map_is_sent_as_if_it_were_one(map_type):
    values = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(sent(values[:, :, 2:5, 1:4], map_type), values[:, :, 2:5, 1:4], rtol=2**-10)


@pytest.mark.parametrize(("map_type", "size"), [("float32", 6), ("float16", 3)])
def test_a_payload_of_no_whole_number_of_values_is_refused(map_type, size):
    with pytest.raises(ProtocolError, match=f"{size} bytes are no whole number of values of type {map_type}"):
        decode_values(np.zeros(size, np.uint8), map_type)
