from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from shared.errors import ModelError
from shared.model.darknet import MAX_INPUT_SIDE, load_darknet
from shared.model.darknet.config import MAX_CFG_BYTES
from tests.darknet_files import conv, head_conv, net, pool, write, yolo
from tests.unit.shared.model.darknet.running import (
    BEFORE,
    SIZE,
)


def test_blanks_comments_and_line_ends_mean_nothing(small, tmp_path):
    expected = load_darknet(small.cfg, small.weights).model
    text = small.cfg.read_text().replace("=", " \t= ").replace("\n", " # why\r\n").replace("[", "; gone = 1\n#\n  [")
    dressed = tmp_path / "dressed.cfg"
    dressed.write_bytes(b"\xef\xbb\xbf# caf\xe9\n" + text.replace("4, 4", "4 ,  4").encode() + b" # last")
    assert load_darknet(dressed, small.weights).model == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"does not begin with a \[net\] section"),
        ("# nothing\n", r"does not begin with a \[net\] section"),
        ("[convolutional]\nfilters=1\n[net]", r"does not begin with a \[net\] section"),
        ("\nfilters=1\n[net]", r"line 2: 'filters=1' is neither \[section\] nor key=value inside one"),
        ("[net]\nwidth 416", r"line 2: 'width 416' is neither"),
        ("[net]\n[yolo", r"line 2: '\[yolo' is neither"),
        ("[net]\nheight=8\nwidth=8\n\nwidth=9", r"line 3: \[net\] width=8 is repeated in line 5"),
        ("[net]\nheight=8\nchannels=3\n[yolo]", r"line 1: \[net\] has no width="),
        ("[net]\nheight=8\nwidth=8\n[yolo]", r"line 1: \[net\] has no channels="),
        ("[net]\nwidth=8\nchannels=3\n[yolo]", r"line 1: \[net\] has no height="),
        ("[net]\nheight=eight\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=eight is not an integer"),
        ("[net]\nheight=8.0\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=8.0 is not an integer"),
        ("[net]\nheight=8\nwidth=\nchannels=3\n[yolo]", r"line 3: \[net\] width= is not an integer"),
        ("[net]\nheight=0\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=0 must be 1 or more"),
        ("[net]\nheight=9999999999\nwidth=8\nchannels=3\n[yolo]", r".*9 is too large for Darknet"),
        (f"[net]\nheight=8\nwidth={MAX_INPUT_SIDE + 1}\n[yolo]", rf"line 3: .* must be {MAX_INPUT_SIDE} or less"),
        (f"[net]\nheight={MAX_INPUT_SIDE + 1}\nwidth=8\n[yolo]", rf"line 2: .* must be {MAX_INPUT_SIDE} or less"),
        ("[net]\ntime_steps=3\n[yolo]", r"line 2: \[net\] time_steps=3 is not supported"),
        ("[net]\n\n[lstm]\n[yolo]", r"line 3: layer 0 \[lstm\] is not supported; supported layers: convol.*, yolo$"),
        ("[net]\n[yolo]\n[reorg3d]", r"line 3: layer 1 \[reorg3d\] is not supported"),
        ("[net]\n[network]\n[yolo]", r"line 2: layer 0 \[net\] is not supported"),
    ],
)  # fmt: skip
def test_a_cfg_that_cannot_be_read_is_refused_with_its_line(text, message, small):
    small.cfg.write_text(text)
    with pytest.raises(ModelError, match=rf"network\.cfg {message}") as refusal:
        load_darknet(small.cfg, small.weights)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content", [b"[net]\0\n", b"#" * (MAX_CFG_BYTES + 1), b"\x89PNG\r\n\x1a\n\0\0"], ids=["nul", "long", "picture"]
)
def test_a_file_that_is_no_cfg_is_refused(content, small):
    small.cfg.write_bytes(content)
    with pytest.raises(ModelError, match=r"network\.cfg is not a Darknet \.cfg.*are cfg and weights swapped\?"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("name", ["missing.cfg", "."])
def test_a_cfg_that_is_not_there_is_refused(name, small, tmp_path):
    with pytest.raises(ModelError, match=r"cannot be read: (no such file|it is a folder)"):
        load_darknet(tmp_path / name, small.weights)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("convolutional", {}, "has no filters="),
        ("convolutional", {"filters": 0}, "filters=0 must be 1 or more"),
        ("convolutional", {"filters": 3, "size": "3x3"}, "size=3x3 is not an integer"),
        ("convolutional", {"filters": 3, "stride": "1_0"}, "stride=1_0 is not an integer"),
        ("convolutional", {"filters": 3, "pad": -1}, "pad=-1 must be 0 or more"),
        ("convolutional", {"filters": 3, "padding": -1}, "padding=-1 must be 0 or more"),
        ("convolutional", {"filters": 3, "batch_normalize": "yes"}, "batch_normalize=yes is not an integer"),
        ("convolutional", {"filters": 3, "activation": "gelu"}, "activation=gelu is not supported; .*leaky, .*swish$"),
        ("convolutional", {"filters": 4, "groups": 5}, "groups=5 must divide its 12 channels and 4 filters"),
        ("convolutional", {"filters": 10, "groups": 4}, "groups=4 must divide its 12 channels and 10 filters"),
        ("convolutional", {"filters": 5, "size": 3, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 5, "size": 4, "pad": 1, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 5, "size": 2, "pad": 1, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 3, "size": 9}, "would make a map of 3 channels and 0 x 4 cells"),
        ("convolutional", {"filters": 3, "size": 13}, "would make a map of 3 channels and -4 x 0 cells"),
        ("convolutional", {"filters": 3, "stride_x": 2}, "stride_x=2 is not supported; remove it if .* training only"),
        ("convolutional", {"filters": 3, "antialiasing": 1}, "antialiasing=1 is not supported; only antialiasing=0 is"),
        ("convolutional", {"filters": 3, "xnor": 1}, "xnor=1 is not supported"),
        ("convolutional", {"filters": 3, "binary": 1}, "binary=1 is not supported"),
        ("convolutional", {"filters": 3, "dontload": 1}, "dontload=1 is not supported"),
        ("convolutional", {"filters": 3, "share_index": 0}, "share_index=0 is not supported"),
        ("maxpool", {"size": 2, "stride": 0}, "stride=0 must be 1 or more"),
        ("maxpool", {"size": 2, "padding": 3}, "padding=3 is too large for size=2"),
        ("maxpool", {"size": 13, "padding": 0}, "would make a map of 12 channels and -4 x 0 cells"),
        ("maxpool", {"size": 2, "maxpool_depth": 1}, "maxpool_depth=1 is not supported"),
        ("route", {}, "has no layers="),
        ("route", {"layers": "3"}, "layers=3 must list layers before this one"),
        ("route", {"layers": "-4"}, "layers=-4 must list layers before this one"),
        ("route", {"layers": "0,1"}, "layers=0,1 must list layers before this one, and no detection layer"),
        ("route", {"layers": "-1;0"}, "layers=-1;0 is not a list of integers"),
        ("route", {"layers": "-1", "groups": 5}, "groups=5 must divide the 12 channels of layer_02"),
        ("route", {"layers": "-1", "groups": 2, "group_id": 2}, "group_id=2 must be less than groups, which is 2"),
        ("route", {"layers": "-1", "group_id": 1}, "group_id=1 must be less than groups, which is 1"),
        ("reorg", {"stride": 3}, "stride=3 must divide the 8 x 12 cells, and its square the 12 channels"),
        ("reorg", {"stride": 4}, "stride=4 must divide the 8 x 12 cells, and its square the 12 channels"),
        ("reorg", {"stride": 2, "reverse": 1}, "reverse=1 is not supported"),
        ("shortcut", {}, "has no from="),
        ("shortcut", {"from": "-2,-3"}, "from=-2,-3 must list layers before this one"),
        ("shortcut", {"from": "0,2"}, "from=0,2 must list one layer"),
        ("shortcut", {"from": "0", "activation": "tanh"}, "activation=tanh is not supported"),
        ("shortcut", {"from": "0", "weights_type": "per_channel"}, "weights_type=per_channel is not supported"),
        ("upsample", {"stride": 0}, "stride=0 must be 1 or more"),
        ("upsample", {"stride": -2}, "stride=-2 must be 1 or more"),
        ("upsample", {"stride": 2**30}, "would make a map of 12 channels and 8589934592 x 12884901888 cells"),
        ("upsample", {"scale": "two"}, "scale=two is not a number"),
        ("dropout", {"filters": 2}, r"filters=2 is not supported; .*\(supported: none\)"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be_imported_faithfully_is_refused(kind, options, message, refuse):
    refuse([*BEFORE, (kind, options)], rf"network\.cfg line \d+: layer 3 \[{kind}\] {message}")


@pytest.mark.parametrize("second", [conv(12, 3, stride=2), conv(6, 3)], ids=["smaller", "fewer channels"])
def test_maps_that_do_not_fit_together_are_refused(second, load):
    with pytest.raises(
        ModelError, match=r"from=-2 adds a map of \(1, 12, 8, 12\) to one of \(1, .*; they must be equal"
    ):
        load(*BEFORE, second, ("shortcut", {"from": "-2"}))


def test_a_route_of_maps_of_different_sizes_is_refused(load):
    with pytest.raises(ModelError, match=r"layers=-1,0 joins maps of different sizes: 4 x 6, 8 x 12"):
        load(*BEFORE, pool(2, 2), ("route", {"layers": "-1,0"}))


def test_keys_that_concern_training_or_change_nothing_are_accepted(load):
    layers = [conv(4, 3, xnor=0, antialiasing=0, learning_rate=0.1), ("shortcut", {"from": -1, "weights_type": "none"})]
    head = yolo("0,1", "4,4, 8,8", 1, new_coords=0, nms_kind="greedynms", stopbackward=1, counters_per_class="1")
    expected = load(*BEFORE, conv(4, 3), ("shortcut", {"from": -1}))
    first = net(SIZE, mosaic=1, letter_box=1, time_steps=1, anything="goes")
    assert load(first, BEFORE[1], head, BEFORE[3], *layers).model == expected.model


def test_mistakes_in_the_cfg_are_told_before_those_of_the_weights(small):
    small.cfg.write_text(small.cfg.read_text().replace("[yolo]", "[gru]\n[yolo]"))
    small.weights.unlink()
    with pytest.raises(ModelError, match=r"\[gru\] is not supported"):
        load_darknet(small.cfg, small.weights)


def test_weights_are_stored_once(tmp_path):
    files = write(tmp_path, [net(SIZE), conv(64, 5), conv(64, 5), head_conv(12), yolo("0,1", "4,4, 8,8", 1)])
    model = load_darknet(files.cfg, files.weights).model
    assert model.ByteSize() < files.weights.stat().st_size + 5000
    assert {tensor.data_type for tensor in model.graph.initializer} == {helper.np_dtype_to_tensor_dtype(np.dtype("f4"))}
