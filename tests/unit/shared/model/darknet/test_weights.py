from __future__ import annotations

import struct

import numpy as np
import pytest

from shared.errors import ModelError
from shared.model.darknet import load_darknet
from shared.model.loading import MAX_MODEL_BYTES


@pytest.mark.parametrize(
    ("version", "header"),
    [((0, 1, 0), 16), ((0, 0, 9), 16), ((0, 2, 0), 20), ((0, 2, 5), 20), ((1, 0, 0), 20)],
    ids=str,
)
def test_the_count_of_pictures_seen_is_longer_from_version_0_2_on(version, header, small, tmp_path):
    expected = load_darknet(small.cfg, small.weights).model
    body = small.weights.read_bytes()[20:]
    other = tmp_path / "other.weights"
    other.write_bytes(struct.pack("<3i", *version) + b"\x01" * (header - 12) + body)
    assert load_darknet(small.cfg, other).model == expected


@pytest.mark.parametrize(
    ("kept", "layer", "needed", "there"),
    [
        (20, 0, 496, 0),
        (21, 0, 496, 1),
        (20 + 495, 0, 496, 495),
        (20 + 496, 1, 240, 0),
        (20 + 496 + 239, 1, 240, 239),
    ],
)
def test_weights_that_broke_off_are_refused(kept, layer, needed, there, small):
    small.weights.write_bytes(small.weights.read_bytes()[:kept])
    message = rf"end in layer {layer} \[convolutional\], which needs {needed} bytes; {there} are left"
    with pytest.raises(ModelError, match=rf"weights .*network\.weights {message}"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("more", [1, 4, 1000])
def test_weights_that_are_too_long_are_refused(more, small):
    size = small.weights.stat().st_size
    small.weights.write_bytes(small.weights.read_bytes() + bytes(more))
    message = rf"have {size + more} bytes, but the layers of the cfg need {size}, {more} fewer"
    with pytest.raises(ModelError, match=message):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[net]",
        struct.pack("<3i", 0, 2, 5),
        struct.pack("<3iq", 0, 1000, 0, 0),
        struct.pack("<3iq", -1, 12, 0, 0),
        b"PK\3\4" * 9,
    ],
    ids=["empty", "short", "no count", "transposed", "negative", "zip"],
)
def test_weights_of_another_kind_are_refused(content, small):
    small.weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"network\.weights is not a Darknet \.weights file"):
        load_darknet(small.cfg, small.weights)


def test_weights_too_large_for_onnx_are_refused_unread(small):
    with small.weights.open("r+b") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=r"larger than an ONNX file can be \(2 GiB\)"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("name", ["missing.weights", "."])
def test_weights_that_cannot_be_read_are_refused(name, small, tmp_path):
    with pytest.raises(ModelError, match=r"weights .* cannot be read: (no such file|it is a folder)"):
        load_darknet(small.cfg, tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 123, 124, 183])
def test_weights_that_are_no_numbers_are_refused(value, position, small):
    """One in the biases, scales, means, variances and kernels of layer 0, one in the biases and kernels of layer 1."""
    numbers = np.frombuffer(small.weights.read_bytes()[20:], np.float32).copy()
    numbers[position * 4 if position < 4 else position] = value
    small.weights.write_bytes(small.weights.read_bytes()[:20] + numbers.tobytes())
    with pytest.raises(ModelError, match=rf"invalid numbers for layer {int(position > 123)} "):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize(("position", "value"), [(13, -1e-9), (4, 3e38)], ids=["negative variance", "overflow"])
def test_weights_that_cannot_be_folded_are_refused(position, value, small):
    numbers = np.frombuffer(small.weights.read_bytes()[20:], np.float32).copy()
    numbers[12:16] = 1e-4
    numbers[position] = value
    small.weights.write_bytes(small.weights.read_bytes()[:20] + numbers.tobytes())
    with pytest.raises(ModelError, match="invalid numbers for layer 0 "):
        load_darknet(small.cfg, small.weights)
