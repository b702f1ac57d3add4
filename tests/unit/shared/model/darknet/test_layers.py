from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from shared.model.darknet import load_darknet
from tests.darknet_files import cfg_text, conv, head_conv, net, pool, random_weights, write, write_weights, yolo
from tests.unit.shared.model.darknet.running import (
    BEFORE,
    CHANNELS,
    SIZE,
    close,
    constants_of,
)


def convolved(source, kernels, biases, stride, padding, dilation, groups):
    """Convolve as Darknet's im2col and gemm do, window by window, in float64."""
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
