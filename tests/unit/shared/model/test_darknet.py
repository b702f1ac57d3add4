from __future__ import annotations

import struct
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from shared.errors import ModelError
from shared.model.darknet import LARGEST_SIDE, load_darknet
from shared.model.darknet.config import LARGEST_CFG_BYTES
from shared.model.loading import LARGEST_MODEL_BYTES, describe
from tests import darknet_files
from tests.darknet_files import cfg_text, conv, head_conv, net, pool, random_weights, region, write, write_weights, yolo

SIZE = (8, 12)
CHANNELS = 12
BEFORE = [net(SIZE), head_conv(CHANNELS), yolo("0,1", "4,4, 8,8", 1), ("route", {"layers": "0"})]
"""A whole detector and, as layer 2, its map of CHANNELS x SIZE cells; what follows may make maps of any size of it."""

EVERY_NETWORK = pytest.mark.parametrize("network", ["yolov2", "yolov3_tiny", "yolov4_tiny", "everything"])


@pytest.fixture
def load(tmp_path):
    """Writes and loads a network of these sections."""

    def load(*sections, seed=1):
        files = write(tmp_path, sections, seed=seed)
        return load_darknet(files.cfg, files.weights)

    return load


@pytest.fixture
def maps(load):
    """Every tensor of BEFORE and these layers, for a random image, by name; maps as (C, H, W)."""

    def maps(*layers, seed=1):
        made = run(load(*BEFORE, *layers, seed=seed).model, image_of(SIZE))
        return {name: value[0] if value.ndim == 4 else value for name, value in made.items()}

    return maps


@pytest.fixture
def refuse(tmp_path):
    """Writes and loads a network that is refused with this message; its weights do not end too early."""

    def refuse(sections, message):
        files = write(tmp_path, BEFORE)
        files.cfg.write_text(cfg_text(sections))
        files.weights.write_bytes(files.weights.read_bytes() + bytes(50_000))
        with pytest.raises(ModelError, match=message) as refusal:
            load_darknet(files.cfg, files.weights)
        assert "\n" not in str(refusal.value)

    return refuse


@pytest.fixture
def small(tmp_path):
    """A batch-normalised layer of 4 filters, and a head for 2 anchors and 1 class: 20 + 492 bytes, then 384."""
    return write(tmp_path, [net((16, 16)), conv(4, 3, stride=8), head_conv(12), yolo("0,1", "4,4, 8,8", 1)])


def run(model, image):
    """All tensors by name."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    names = {output.name for output in model.graph.output}
    opened.graph.output.extend(value for value in model.graph.value_info if value.name not in names)
    session = onnxruntime.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def image_of(size, channels=3):
    return np.random.default_rng(5).standard_normal((1, channels, *size), np.float32)


def shape_of(value):
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def constants_of(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def close(made, expected):
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


# The model.


@EVERY_NETWORK
def test_the_model_is_valid_and_says_the_shape_of_every_tensor(network, tmp_path):
    files = getattr(darknet_files, network)(tmp_path, size=(96, 160), width=1 / 8, classes=2)
    model = load_darknet(files.cfg, files.weights).model
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    assert [(value.name, shape_of(value)) for value in model.graph.input] == [("image", (1, 3, 96, 160))]
    made = run(model, image_of((96, 160)))
    said = {value.name: shape_of(value) for value in (*model.graph.value_info, *model.graph.output)}
    assert {name: value.shape for name, value in made.items()} == said
    assert said.keys() == {name for node in model.graph.node for name in node.output}
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    assert describe(model, network).shapes.items() >= said.items()


def test_maps_are_named_by_darknets_numbers_and_detection_layers_make_none(tmp_path):
    files = darknet_files.yolov3_tiny(tmp_path, size=(64, 64), width=1 / 8, classes=2)
    model = load_darknet(files.cfg, files.weights).model
    made = [name for node in model.graph.node for name in node.output]
    assert [name for name in made if "." not in name] == [f"layer_{n:02d}" for n in range(24) if n not in {16, 23}]
    assert made[:3] == ["layer_00.conv", "layer_00", "layer_01"]
    assert constants_of(model)["layer_00.weight"].shape == (8, 3, 3, 3)


def test_the_outputs_are_the_maps_of_the_heads_in_the_order_of_the_cfg(tmp_path):
    files = darknet_files.yolov4_tiny(tmp_path, size=(64, 64), width=1 / 8, classes=2)
    imported = load_darknet(files.cfg, files.weights)
    assert [head.output for head in imported.heads] == ["layer_29", "layer_36"]
    assert {value.name: shape_of(value) for value in imported.model.graph.output} == {
        "layer_29": (1, 21, 2, 2),
        "layer_36": (1, 21, 4, 4),
    }
    assert imported.classes == 2


def test_an_image_may_have_other_channels(load):
    model = load(net(SIZE, channels=1), head_conv(6), yolo("0", "4,4", 1)).model
    assert shape_of(model.graph.input[0]) == (1, 1, *SIZE)
    assert run(model, image_of(SIZE, 1))["layer_00"].shape == (1, 6, *SIZE)


# Convolutions.


def convolved(source, kernels, biases, stride, padding, dilation, groups):
    """What Darknet's im2col and gemm make of it, window by window, in float64."""
    filters, per_group, size, _ = kernels.shape
    margin = padding * dilation
    padded = np.pad(source.astype(np.float64), ((0, 0), (margin, margin), (margin, margin)))
    rows, columns = ((length + 2 * padding - size) // stride + 1 for length in source.shape[1:])
    made = np.empty((filters, rows, columns))
    reach = (size - 1) * dilation + 1
    for number, row, column in product(range(filters), range(rows), range(columns)):
        first = number // (filters // groups) * per_group
        window = padded[
            first : first + per_group,
            row * stride : row * stride + reach : dilation,
            column * stride : column * stride + reach : dilation,
        ]
        made[number, row, column] = (window * kernels[number]).sum() + biases[number]
    return made


@pytest.mark.parametrize(
    ("options", "stride", "padding", "dilation", "groups"),
    [
        ({"size": 3, "pad": 1}, 1, 1, 1, 1),
        ({}, 1, 0, 1, 1),
        ({"size": 3}, 1, 0, 1, 1),
        ({"size": 5, "pad": 1, "stride": 2}, 2, 2, 1, 1),
        ({"size": 3, "padding": 2, "stride": 3}, 3, 2, 1, 1),
        ({"size": 3, "padding": 5, "pad": 1}, 1, 1, 1, 1),
        ({"size": 2, "pad": 1}, 1, 1, 1, 1),
        ({"size": 3, "pad": 1, "groups": 4}, 1, 1, 1, 4),
        ({"size": 3, "pad": 1, "dilation": 2}, 1, 1, 2, 1),
        ({"size": 5, "pad": 1, "dilation": 3, "stride": 2}, 2, 2, 3, 1),
        ({"size": 1, "padding": 1, "dilation": 2, "stride": 2}, 2, 1, 1, 1),
        ({"batch_normalize": 0}, 1, 0, 1, 1),
    ],
)
def test_a_convolution_is_darknets(options, stride, padding, dilation, groups, maps):
    layer = ("convolutional", {"filters": 8, "activation": "linear", **options})
    biases, kernels = random_weights([*BEFORE, layer], 1)[-2:]
    made = maps(layer)
    close(made["layer_03"], convolved(made["layer_02"], kernels, biases, stride, padding, dilation, groups))


def test_a_convolution_may_be_called_conv_and_a_pool_max_and_the_net_network(load, tmp_path):
    kinds = {"net": "network", "convolutional": "conv", "maxpool": "max"}
    sections = [*BEFORE, conv(4, 3), pool(2, 2)]
    expected = load(*sections)
    renamed = tmp_path / "renamed.cfg"
    renamed.write_text(cfg_text([(kinds.get(kind, kind), options) for kind, options in sections]))
    assert load_darknet(renamed, tmp_path / "network.weights").model == expected.model


ACTIVATIONS = {
    "linear": lambda x: x,
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "relu": lambda x: np.maximum(x, 0),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "swish": lambda x: x / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_stands_behind_its_convolution(activation, maps):
    made = maps(conv(4, 3, activation=activation))
    before = made["layer_03" if activation == "linear" else "layer_03.conv"]
    assert before.min() < -1 < 1 < before.max()
    close(made["layer_03"], ACTIVATIONS[activation](before))


def test_a_convolution_that_does_not_say_its_activation_is_logistic(maps):
    made = maps(("convolutional", {"filters": 4}))
    close(made["layer_03"], ACTIVATIONS["logistic"](made["layer_03.conv"]))


def test_batch_normalisation_is_folded_as_darknet_computes_it(tmp_path):
    """By deviation + 1e-6, which for so small variances differs from the square root of variance + 1e-6."""
    files = write(tmp_path, [net(SIZE), conv(6, 3, activation="linear"), yolo("0", "4,4", 1)])
    random = np.random.default_rng(3)
    biases, scales, means = random.standard_normal((3, 6)).astype(np.float32)
    variances = np.array([1e-10, 1e-8, 1e-4, 0, 1, 900], np.float32)
    kernels = random.standard_normal((6, 3, 3, 3)).astype(np.float32)
    write_weights(files.weights, [biases, scales, means, variances, kernels])
    folded = constants_of(load_darknet(files.cfg, files.weights).model)
    factors = scales.astype(np.float64) / (np.sqrt(variances.astype(np.float64)) + 1e-6)
    expected = (kernels.astype(np.float64) * factors[:, None, None, None]).astype(np.float32)
    np.testing.assert_array_equal(folded["layer_00.weight"], expected)
    expected = (biases.astype(np.float64) - means.astype(np.float64) * factors).astype(np.float32)
    np.testing.assert_array_equal(folded["layer_00.bias"], expected)


def test_weights_without_batch_normalisation_stay_as_they_are(load):
    sections = [net(SIZE), head_conv(6), yolo("0", "4,4", 1)]
    biases, kernels = random_weights(sections, 1)
    constants = constants_of(load(*sections).model)
    np.testing.assert_array_equal(constants["layer_00.weight"], kernels.astype(np.float32))
    np.testing.assert_array_equal(constants["layer_00.bias"], biases.astype(np.float32))


# Other layers.


def pooled(source, size, stride, padding):
    """Darknet's loops of maxpool_layer.c."""
    channels, height, width = source.shape
    rows, columns = ((length + padding - size) // stride + 1 for length in (height, width))
    offset = -(padding // 2)
    made = np.full((channels, rows, columns), -np.inf, np.float32)
    for k, i, j, n, m in product(range(channels), range(rows), range(columns), range(size), range(size)):
        row, column = offset + i * stride + n, offset + j * stride + m
        if 0 <= row < height and 0 <= column < width:
            made[k, i, j] = max(made[k, i, j], source[k, row, column])
    return made


@pytest.mark.parametrize(
    ("options", "size", "stride", "padding"),
    [
        ({"size": 2, "stride": 2}, 2, 2, 1),
        ({"size": 2, "stride": 1}, 2, 1, 1),
        ({"size": 3, "stride": 2}, 3, 2, 2),
        ({"size": 4, "stride": 1}, 4, 1, 3),
        ({"size": 13, "stride": 1}, 13, 1, 12),
        ({"size": 3}, 3, 1, 2),
        ({"stride": 3}, 3, 3, 2),
        ({}, 1, 1, 0),
        ({"size": 2, "stride": 2, "padding": 0}, 2, 2, 0),
        ({"size": 4, "stride": 3, "padding": 1}, 4, 3, 1),
        ({"size": 3, "stride": 2, "padding": 4}, 3, 2, 4),
        ({"size": 1, "stride": 2}, 1, 2, 0),
    ],
)
@pytest.mark.parametrize("smaller", [0, 1])
def test_a_pool_is_darknets(options, size, stride, padding, smaller, maps):
    shrink = ("convolutional", {"filters": 3, "size": 1 + smaller, "activation": "linear"})
    made = maps(shrink, ("maxpool", options))
    assert made["layer_03"].shape == (3, 8 - smaller, 12 - smaller)
    np.testing.assert_array_equal(made["layer_04"], pooled(made["layer_03"], size, stride, padding))


def reorganised(source, stride):
    """Darknet's loops of reorg_cpu, with its forward = 0, in flat memory."""
    channels, height, width = source.shape
    flat, made = source.ravel(), np.empty(source.size, source.dtype)
    out_c = channels // (stride * stride)
    for k, j, i in product(range(channels), range(height), range(width)):
        offset = k // out_c
        w2, h2 = i * stride + offset % stride, j * stride + offset // stride
        made[i + width * (j + height * k)] = flat[w2 + width * stride * (h2 + height * stride * (k % out_c))]
    return made.reshape(channels * stride * stride, height // stride, width // stride)


@pytest.mark.parametrize(
    ("filters", "kernel", "stride"), [(4, 1, 2), (16, 1, 2), (8, 3, 2), (8, 1, 1), (9, 3, 1), (16, 1, 4)]
)
def test_a_reorg_moves_cells_in_memory_as_darknet_does(filters, kernel, stride, maps):
    """Of 8 x 12 cells, or of 6 x 10 behind a kernel of 3: half of that is odd, as are YOLOv2's 13 and 19."""
    made = maps(
        ("convolutional", {"filters": filters, "size": kernel, "activation": "linear"}),
        ("reorg", {"stride": stride}),
    )
    np.testing.assert_array_equal(made["layer_04"], reorganised(made["layer_03"], stride))


def test_a_reorg_without_a_stride_changes_nothing(maps):
    made = maps(("reorg", {}))
    np.testing.assert_array_equal(made["layer_03"], made["layer_02"])


def test_a_route_joins_maps_numbered_from_the_first_and_from_itself(maps):
    made = maps(conv(5, 3), conv(7, 3), ("route", {"layers": "-1, 0,3"}))
    parts = [made["layer_04"], made["layer_00"], made["layer_03"]]
    np.testing.assert_array_equal(made["layer_05"], np.concatenate(parts))


@pytest.mark.parametrize("group", [0, 1, 2])
def test_a_route_takes_its_group_of_each_map(group, maps):
    made = maps(conv(6, 3), ("route", {"layers": "-1,2", "groups": 3, "group_id": group}))
    few, many = made["layer_03"], made["layer_02"]
    expected = np.concatenate([few[2 * group : 2 * group + 2], many[4 * group : 4 * group + 4]])
    np.testing.assert_array_equal(made["layer_04"], expected)


def test_a_route_to_one_group_of_one_map(maps):
    made = maps(("route", {"layers": "-1", "groups": 2, "group_id": 1}), ("route", {"layers": "2", "groups": 4}))
    np.testing.assert_array_equal(made["layer_03"], made["layer_02"][6:])
    np.testing.assert_array_equal(made["layer_04"], made["layer_02"][:3])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_shortcut_adds_an_earlier_map_and_then_activates(activation, maps):
    made = maps(conv(CHANNELS, 3), ("shortcut", {"from": "-2", "activation": activation}))
    close(made["layer_04"], ACTIVATIONS[activation](made["layer_03"] + made["layer_02"]))


def test_a_shortcut_is_linear_unless_it_says_otherwise(maps):
    made = maps(conv(CHANNELS, 3), conv(CHANNELS, 3), ("shortcut", {"from": "2"}))
    close(made["layer_05"], made["layer_04"] + made["layer_02"])


@pytest.mark.parametrize(
    ("options", "stride", "scale"),
    [({"stride": 2}, 2, 1), ({}, 2, 1), ({"stride": 3, "scale": 0.5}, 3, 0.5), ({"stride": 1, "scale": "2."}, 1, 2)],
)
def test_an_upsample_repeats_cells(options, stride, scale, maps):
    made = maps(("upsample", options))
    np.testing.assert_array_equal(made["layer_03"], scale * made["layer_02"].repeat(stride, 1).repeat(stride, 2))


def test_a_dropout_and_a_plain_route_pass_a_map_on(maps):
    made = maps(("dropout", {"probability": 0.5, "dropblock": 1}), pool(2, 2), ("route", {"layers": "-2"}))
    np.testing.assert_array_equal(made["layer_03"], made["layer_02"])
    np.testing.assert_array_equal(made["layer_05"], made["layer_02"])


# Heads.


def test_a_region_has_its_anchors_in_cells(load):
    (head,) = load(net((64, 96)), conv(4, 3, stride=32), head_conv(16), region("0.5,0.75, 2,1.5", 3)).heads
    assert head.kind == "region"
    assert head.output == "layer_01"
    assert head.anchors == ((16, 24), (64, 48))
    assert head.scale_x_y == 1


def test_a_yolo_chooses_its_anchors_which_are_in_pixels(load):
    sections = [net((64, 96)), conv(4, 3, stride=16), head_conv(16), yolo("2, 0", "1,2, 3,4, 5.5,6", 3, scale_x_y=1.05)]
    imported = load(*sections)
    (head,) = imported.heads
    assert head.kind == "yolo"
    assert head.anchors == ((5.5, 6), (1, 2))
    assert head.scale_x_y == 1.05
    assert imported.classes == 3


def test_a_yolo_without_a_mask_has_all_anchors_and_20_classes(load):
    kind, options = yolo("", "1,2, 3,4", 20)
    del options["mask"], options["classes"]
    imported = load(net(SIZE), head_conv(50), (kind, options))
    assert imported.heads[0].anchors == ((1, 2), (3, 4))
    assert imported.classes == 20


def test_a_region_that_says_little_has_one_anchor_and_four_coordinates(load):
    sections = [net(SIZE), head_conv(6), ("region", {"anchors": "2,3", "classes": 1, "softmax": 1})]
    assert load(*sections).heads[0].anchors == ((2, 3),)


def test_a_head_behind_an_upsample_has_the_finer_stride(load):
    sections = [net((64, 96)), conv(4, 3, stride=32), ("upsample", {"stride": 4}), head_conv(6), region("2,3", 1)]
    assert load(*sections).heads[0].anchors == ((16, 24),)


def test_heads_of_both_kinds_are_in_the_order_of_the_cfg(tmp_path):
    files = darknet_files.everything(tmp_path)
    heads = load_darknet(files.cfg, files.weights).heads
    assert [(head.kind, head.output) for head in heads] == [("yolo", "layer_15"), ("region", "layer_20")]
    assert heads[0].anchors == ((30, 25), (10, 20))
    assert heads[1].anchors == ((8, 11.2), (32, 24))


YOLO = yolo("0,1", "4,4, 8,8", 1)
REGION = region("0.5,0.7, 2,1.5", 1)


@pytest.mark.parametrize(
    ("head", "changes", "message"),
    [
        (YOLO, {"classes": 2}, r"\[yolo\] with 2 anchors and 2 classes reads 14 channels, but layer_00 has 12"),
        (YOLO, {"classes": 0}, "classes=0 must be 1 or more"),
        (YOLO, {"mask": "0"}, "with 1 anchors and 1 classes reads 6 channels"),
        (YOLO, {"mask": "0,2"}, "mask=0,2 must choose from the anchors 0 to 1"),
        (YOLO, {"mask": "0,-1"}, "mask=0,-1 must choose from the anchors 0 to 1"),
        (YOLO, {"mask": "0,"}, "mask=0, is not a list of whole numbers"),
        (YOLO, {"anchors": "4,4,8"}, "anchors=4,4,8 are 3 numbers; num=2 needs 4"),
        (YOLO, {"num": 3}, "are 4 numbers; num=3 needs 6"),
        (YOLO, {"anchors": "4,4,8,0"}, "must all be larger than 0"),
        (YOLO, {"anchors": "4,4,8,x"}, "anchors=4,4,8,x is not a list of numbers"),
        (YOLO, {"anchors": None}, r"has no anchors="),
        (YOLO, {"scale_x_y": 0.9}, "scale_x_y=0.9 must be 1 or more"),
        (YOLO, {"scale_x_y": "nan"}, "scale_x_y=nan is no number"),
        (YOLO, {"new_coords": 1}, "new_coords=1 is not supported, only new_coords=0 is"),
        (REGION, {"softmax": 0}, "softmax=0 is not supported, only softmax=1 is"),
        (REGION, {"softmax": None}, "only softmax=1 is"),
        (REGION, {"coords": 5}, "coords=5 is not supported, only coords=4 is"),
        (REGION, {"tree": "9k.tree"}, "tree=9k.tree is not supported"),
        (REGION, {"classfix": -1}, "classfix=-1 is not supported, only classfix=0 is"),
        (REGION, {"num": 5}, "are 4 numbers; num=5 needs 10"),
    ],
)
def test_a_head_that_contradicts_itself_is_refused(head, changes, message, refuse):
    options = {key: value for key, value in {**head[1], **changes}.items() if value is not None}
    refuse([net(SIZE), head_conv(12), (head[0], options)], rf"network\.cfg line \d+: layer 1 .*{message}")


@pytest.mark.parametrize("head", [YOLO, REGION], ids=["yolo", "region"])
@pytest.mark.parametrize("size", [(64, 100), (100, 64), (80, 64)], ids=str)
def test_a_size_that_is_no_multiple_of_the_stride_is_refused(head, size, load):
    with pytest.raises(
        ModelError, match=r"layer 2 \[.*not the whole image of .*; make width and height .* multiples of 32"
    ):
        load(net(size), conv(4, 3, stride=32), head_conv(12), head)


def test_a_head_finer_than_the_image_is_refused(load):
    with pytest.raises(ModelError, match="of 1/2 x 1/2 pixels"):
        load(net(SIZE), head_conv(12), ("upsample", {"stride": 2}), YOLO)


def test_heads_of_different_classes_are_refused(load):
    with pytest.raises(ModelError, match=r"network\.cfg: .* different numbers of classes: \[1, 7\]"):
        load(*BEFORE, yolo("0", "4,4", 7))


def test_a_head_needs_a_map(load):
    with pytest.raises(ModelError, match=r"layer 0 \[yolo\] is the first layer"):
        load(net(SIZE, channels=12), YOLO)


def test_what_follows_a_head_must_be_a_route(load):
    with pytest.raises(ModelError, match=r"layer 2 \[maxpool\] follows a detection layer.* put a \[route\]"):
        load(net(SIZE), head_conv(12), YOLO, pool(2, 2))


def test_a_network_that_detects_nothing_is_refused(load):
    with pytest.raises(ModelError, match=r"network\.cfg detects nothing: it has no \[region\] and no \[yolo\] layer"):
        load(net(SIZE), conv(12, 3))


# Weights.


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
    message = rf"end in layer {layer} \[convolutional\], which needs {needed} bytes, and {there} are there"
    with pytest.raises(ModelError, match=rf"weights .*network\.weights {message}"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("more", [1, 4, 1000])
def test_weights_that_are_too_long_are_refused(more, small):
    size = small.weights.stat().st_size
    small.weights.write_bytes(small.weights.read_bytes() + bytes(more))
    with pytest.raises(ModelError, match=rf"have {size + more} bytes, the layers of the cfg need {size}, {more} fewer"):
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
        file.truncate(LARGEST_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=r"larger than an ONNX file can be \(2 GiB\)"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("name", ["missing.weights", "."])
def test_weights_that_cannot_be_read_are_refused(name, small, tmp_path):
    with pytest.raises(ModelError, match=r"weights .* cannot be read: (No such file|Is a directory)"):
        load_darknet(small.cfg, tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 123, 124, 183])
def test_weights_that_are_no_numbers_are_refused(value, position, small):
    """One in the biases, scales, means, variances and kernels of layer 0, one in the biases and kernels of layer 1."""
    numbers = np.frombuffer(small.weights.read_bytes()[20:], np.float32).copy()
    numbers[position * 4 if position < 4 else position] = value
    small.weights.write_bytes(small.weights.read_bytes()[:20] + numbers.tobytes())
    with pytest.raises(ModelError, match=rf"no sensible numbers for layer {int(position > 123)} "):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize(("position", "value"), [(13, -1e-9), (4, 3e38)], ids=["negative variance", "overflow"])
def test_weights_that_cannot_be_folded_are_refused(position, value, small):
    numbers = np.frombuffer(small.weights.read_bytes()[20:], np.float32).copy()
    numbers[12:16] = 1e-4
    numbers[position] = value
    small.weights.write_bytes(small.weights.read_bytes()[:20] + numbers.tobytes())
    with pytest.raises(ModelError, match="no sensible numbers for layer 0 "):
        load_darknet(small.cfg, small.weights)


# The text of a cfg.


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
        ("[net]\nheight=8\nwidth=8\n\nwidth=9", r"line 3: \[net\] width=8 is said again in line 5"),
        ("[net]\nheight=8\nchannels=3\n[yolo]", r"line 1: \[net\] has no width="),
        ("[net]\nheight=8\nwidth=8\n[yolo]", r"line 1: \[net\] has no channels="),
        ("[net]\nwidth=8\nchannels=3\n[yolo]", r"line 1: \[net\] has no height="),
        ("[net]\nheight=eight\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=eight is not a whole number"),
        ("[net]\nheight=8.0\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=8.0 is not a whole number"),
        ("[net]\nheight=8\nwidth=\nchannels=3\n[yolo]", r"line 3: \[net\] width= is not a whole number"),
        ("[net]\nheight=0\nwidth=8\nchannels=3\n[yolo]", r"line 2: \[net\] height=0 must be 1 or more"),
        ("[net]\nheight=9999999999\nwidth=8\nchannels=3\n[yolo]", r".*9 is larger than Darknet can count"),
        (f"[net]\nheight=8\nwidth={LARGEST_SIDE + 1}\n[yolo]", rf"line 3: .* must be {LARGEST_SIDE} or less"),
        (f"[net]\nheight={LARGEST_SIDE + 1}\nwidth=8\n[yolo]", rf"line 2: .* must be {LARGEST_SIDE} or less"),
        ("[net]\ntime_steps=3\n[yolo]", r"line 2: \[net\] time_steps=3 is not supported"),
        ("[net]\n\n[lstm]\n[yolo]", r"line 3: layer 0 \[lstm\] is not supported; these layers are: convol.*, yolo$"),
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
    "content", [b"[net]\0\n", b"#" * (LARGEST_CFG_BYTES + 1), b"\x89PNG\r\n\x1a\n\0\0"], ids=["nul", "long", "picture"]
)
def test_a_file_that_is_no_cfg_is_refused(content, small):
    small.cfg.write_bytes(content)
    with pytest.raises(ModelError, match=r"network\.cfg is not a Darknet \.cfg.*were cfg and weights swapped\?"):
        load_darknet(small.cfg, small.weights)


@pytest.mark.parametrize("name", ["missing.cfg", "."])
def test_a_cfg_that_is_not_there_is_refused(name, small, tmp_path):
    with pytest.raises(ModelError, match=r"cannot be read: (No such file|Is a directory)"):
        load_darknet(tmp_path / name, small.weights)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("convolutional", {}, "has no filters="),
        ("convolutional", {"filters": 0}, "filters=0 must be 1 or more"),
        ("convolutional", {"filters": 3, "size": "3x3"}, "size=3x3 is not a whole number"),
        ("convolutional", {"filters": 3, "stride": "1_0"}, "stride=1_0 is not a whole number"),
        ("convolutional", {"filters": 3, "pad": -1}, "pad=-1 must be 0 or more"),
        ("convolutional", {"filters": 3, "padding": -1}, "padding=-1 must be 0 or more"),
        ("convolutional", {"filters": 3, "batch_normalize": "yes"}, "batch_normalize=yes is not a whole number"),
        ("convolutional", {"filters": 3, "activation": "gelu"}, "activation=gelu is not supported; .*leaky, .*swish$"),
        ("convolutional", {"filters": 4, "groups": 5}, "groups=5 must divide its 12 channels and 4 filters"),
        ("convolutional", {"filters": 10, "groups": 4}, "groups=4 must divide its 12 channels and 10 filters"),
        ("convolutional", {"filters": 5, "size": 3, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 5, "size": 4, "pad": 1, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 5, "size": 2, "pad": 1, "dilation": 2}, "dilation=2 needs an odd size and pad=1"),
        ("convolutional", {"filters": 3, "size": 9}, "would make a map of 3 channels and 0 x 4 cells"),
        ("convolutional", {"filters": 3, "size": 13}, "would make a map of 3 channels and -4 x 0 cells"),
        ("convolutional", {"filters": 3, "stride_x": 2}, "stride_x=2 is not supported; remove it if .* training only"),
        ("convolutional", {"filters": 3, "antialiasing": 1}, "antialiasing=1 is not supported, only antialiasing=0 is"),
        ("convolutional", {"filters": 3, "xnor": 1}, "xnor=1 is not supported"),
        ("convolutional", {"filters": 3, "binary": 1}, "binary=1 is not supported"),
        ("convolutional", {"filters": 3, "dontload": 1}, "dontload=1 is not supported"),
        ("convolutional", {"filters": 3, "share_index": 0}, "share_index=0 is not supported"),
        ("maxpool", {"size": 2, "stride": 0}, "stride=0 must be 1 or more"),
        ("maxpool", {"size": 2, "padding": 3}, "padding=3 is too much for size=2"),
        ("maxpool", {"size": 13, "padding": 0}, "would make a map of 12 channels and -4 x 0 cells"),
        ("maxpool", {"size": 2, "maxpool_depth": 1}, "maxpool_depth=1 is not supported"),
        ("route", {}, "has no layers="),
        ("route", {"layers": "3"}, "layers=3 must name layers before this one"),
        ("route", {"layers": "-4"}, "layers=-4 must name layers before this one"),
        ("route", {"layers": "0,1"}, "layers=0,1 must name layers before this one, and none that only detects"),
        ("route", {"layers": "-1;0"}, "layers=-1;0 is not a list of whole numbers"),
        ("route", {"layers": "-1", "groups": 5}, "groups=5 must divide the 12 channels of layer_02"),
        ("route", {"layers": "-1", "groups": 2, "group_id": 2}, "group_id=2 must be less than groups, which is 2"),
        ("route", {"layers": "-1", "group_id": 1}, "group_id=1 must be less than groups, which is 1"),
        ("reorg", {"stride": 3}, "stride=3 must divide 8 x 12 cells, its square 12 channels"),
        ("reorg", {"stride": 4}, "stride=4 must divide 8 x 12 cells, its square 12 channels"),
        ("reorg", {"stride": 2, "reverse": 1}, "reverse=1 is not supported"),
        ("shortcut", {}, "has no from="),
        ("shortcut", {"from": "-2,-3"}, "from=-2,-3 must name layers before this one"),
        ("shortcut", {"from": "0,2"}, "from=0,2 must name one layer"),
        ("shortcut", {"from": "0", "activation": "tanh"}, "activation=tanh is not supported"),
        ("shortcut", {"from": "0", "weights_type": "per_channel"}, "weights_type=per_channel is not supported"),
        ("upsample", {"stride": 0}, "stride=0 must be 1 or more"),
        ("upsample", {"stride": -2}, "stride=-2 must be 1 or more"),
        ("upsample", {"stride": 2**30}, "would make a map of 12 channels and 8589934592 x 12884901888 cells"),
        ("upsample", {"scale": "two"}, "scale=two is no number"),
        ("dropout", {"filters": 2}, r"filters=2 is not supported; .*\(understood: none\)"),
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
