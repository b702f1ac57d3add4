from __future__ import annotations

from itertools import product

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from shared.errors import CutError
from shared.ftp.operators import POINTWISE, check_tileable, required_region
from shared.ftp.region import Region
from shared.model.network import Layer
from tests.extent import examples
from tests.networks import ModelBuilder, model_of

HEIGHT, WIDTH = 8, 9
SHAPES = {"image": (1, 1, HEIGHT, WIDTH)}


def influence(op, attributes):
    """For each cell of the output, (rows, columns, input rows, input columns): does the input cell change it?

    Every input cell is set alone, in a batch of one image for each, and onnxruntime computes the layer.
    """
    weights = []
    if op == "Conv":
        weights = [numpy_helper.from_array(np.ones((1, 1, *attributes["kernel_shape"]), np.float32), "weight")]
    count = HEIGHT * WIDTH
    node = helper.make_node(op, ["image", *(tensor.name for tensor in weights)], ["made"], "layer", **attributes)
    model = model_of([node], weights, {"image": (count, 1, HEIGHT, WIDTH)}, {"made": None})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.eye(count, dtype=np.float32).reshape(count, 1, HEIGHT, WIDTH)
    (made,) = session.run(None, {"image": images})
    return np.moveaxis(made[:, 0] > 0, 0, -1).reshape(*made.shape[2:], HEIGHT, WIDTH)


@st.composite
def axes(draw, longest_dilation):
    """Kernel, stride, dilation and pads of one axis, such that every window touches the map."""
    kernel, stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, longest_dilation))
    return kernel, stride, dilation, draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))


@st.composite
def layers_and_regions(draw, longest_dilation=2):
    """Return a layer, a region of its output, and the input cells (N, 2) that change it."""
    rows, columns = draw(axes(longest_dilation)), draw(axes(longest_dilation))
    attributes = {
        "kernel_shape": [rows[0], columns[0]], "strides": [rows[1], columns[1]], "dilations": [rows[2], columns[2]],
        "pads": [rows[3], columns[3], rows[4], columns[4]],
    }  # fmt: skip
    op = draw(st.sampled_from(["Conv", "MaxPool"]))
    influences = influence(op, attributes)
    layer = Layer("layer", op, ("image",), ("made",), {name: tuple(value) for name, value in attributes.items()}, {})
    top, left = draw(st.integers(0, influences.shape[0] - 1)), draw(st.integers(0, influences.shape[1] - 1))
    region = Region(
        top, left, draw(st.integers(top + 1, influences.shape[0])), draw(st.integers(left + 1, influences.shape[1]))
    )
    return layer, region, np.argwhere(influences[region.slices].any(axis=(0, 1)))


@settings(max_examples=examples(60))
@given(layers_and_regions())
def test_demand_holds_every_cell_that_changes_the_output(case):
    layer, region, cells = case
    needed = required_region(layer, region, SHAPES)
    assert (cells >= (needed.top, needed.left)).all()
    assert (cells < (needed.bottom, needed.right)).all()


@settings(max_examples=examples(60))
@given(layers_and_regions(longest_dilation=1))
def test_demand_without_holes_is_no_larger_than_what_changes_the_output(case):
    layer, region, cells = case
    hull = Region(*cells.min(axis=0).tolist(), *(cells.max(axis=0) + 1).tolist())
    assert required_region(layer, region, SHAPES).clip(HEIGHT, WIDTH) == hull


@pytest.mark.parametrize(("stride", "dilation"), list(product((1, 2, 3), (1, 2))))
def test_demand_reaches_over_the_border_by_the_padding_of_each_side(stride, dilation):
    build = ModelBuilder(20, 20)
    conv = build.conv("image", 2, 3, strides=[stride] * 2, dilations=[dilation] * 2, pads=[0, 1, 2, 2])
    network = build.network(conv)
    whole = Region.whole(*network.shapes[conv][2:])
    needed = required_region(network.layers[0], whole, network.shapes)
    assert (needed.top, needed.left) == (0, -1)
    reach = (whole.height - 1) * stride + 2 * dilation + 1
    assert (needed.height, needed.width) == (reach, (whole.width - 1) * stride + 2 * dilation + 1)


@pytest.mark.parametrize("op", ["LeakyRelu", "Sigmoid", "Identity"])
def test_a_pointwise_layer_needs_the_same_cells(op):
    build = ModelBuilder(6, 6)
    network = build.network(build.layer(op, "image"))
    assert required_region(network.layers[0], Region(1, 2, 3, 5), network.shapes) == Region(1, 2, 3, 5)


UNTILEABLE = [
    ("GlobalAveragePool", 1, {}, "tile by tile"),
    ("Softmax", 1, {"axis": 3}, "axis 1"),
    ("Transpose", 1, {"perm": [0, 1, 3, 2]}, "tile by tile"),
    ("InstanceNormalization", 1, {"constants": {"scale": np.ones(3), "bias": np.zeros(3)}}, "tile by tile"),
    ("Concat", 2, {"axis": 2}, "axis 1"),
]


@pytest.mark.parametrize(("op", "sources", "attributes", "reason"), UNTILEABLE, ids=[row[0] for row in UNTILEABLE])
def test_a_layer_that_needs_more_than_a_region_is_refused_by_name(op, sources, attributes, reason):
    build = ModelBuilder(8, 8)
    network = build.network(build.layer(op, *["image"] * sources, name="culprit", **attributes))
    with pytest.raises(CutError, match=rf"layer culprit \({op}\) .*{reason}.*; cut the network before it"):
        check_tileable(network.layers[0], network.shapes)


def test_a_layer_that_does_not_work_on_maps_is_refused():
    build = ModelBuilder(8, 8)
    flat = build.layer("Flatten", "image")
    network = build.network(build.layer("Relu", flat, name="culprit"))
    with pytest.raises(CutError, match=r"culprit \(Relu\) does not work on feature maps"):
        check_tileable(network.layers[1], network.shapes)


def test_a_convolution_whose_weights_are_computed_from_the_picture_is_refused():
    build = ModelBuilder(8, 8)
    network = build.network(build.layer("Conv", "image", "image", name="culprit"))
    with pytest.raises(CutError, match=r"culprit \(Conv\) has weights or a geometry that are computed"):
        check_tileable(network.layers[0], network.shapes)


@pytest.mark.parametrize("constant", [np.float32(2.0), np.ones(1), np.ones((3, 1, 1)), np.ones((1, 3, 1, 1))])
def test_a_constant_by_channel_does_not_hinder_tiling(constant):
    build = ModelBuilder(8, 8)
    network = build.network(build.layer("Mul", "image", constants={"factor": constant}))
    check_tileable(network.layers[0], network.shapes)


@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_a_layer_that_spreads_one_cell_over_the_map_is_refused(op):
    build = ModelBuilder(8, 8)
    squeezed = build.conv("image", 3, 8)
    network = build.network(build.layer(op, "image", squeezed, name="excite"))
    with pytest.raises(CutError, match="excite"):
        check_tileable(network.layers[1], network.shapes)


@pytest.mark.parametrize("op", sorted(POINTWISE))
def test_every_pointwise_layer_needs_the_cells_that_it_makes(op):
    shapes = dict.fromkeys(("image", "made"), (1, 3, 8, 8))
    attributes = {"axis": 1} if op in {"Concat", "Split"} else {}
    layer = Layer("layer", op, ("image",), ("made",), attributes, {})
    check_tileable(layer, shapes)
    assert required_region(layer, Region(1, 2, 3, 5), shapes) == Region(1, 2, 3, 5)
