from __future__ import annotations

from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.model.plain import PLAIN_OPSET, known_shapes, opset_version, to_plain_form
from tests.networks import ModelBuilder, exported_model


def run(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def noise(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


POOLS = [
    (op, length, kernel, stride, before, after, dilation, include)
    for op, length, kernel, stride, before, after, dilation, include in product(
        ("MaxPool", "AveragePool"), (5, 6, 7), (1, 2, 3), (1, 2, 3), (0, 1, 2), (0, 1), (1, 2), (0, 1)
    )
    if before < kernel and after < kernel and (op == "AveragePool" or not include)
    and length + before + after >= (kernel - 1) * dilation + 1 and (dilation == 1 or not before + after)
]  # fmt: skip


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools_that_round_up_become_pools_that_round_down_and_compute_the_same(op):
    """As onnxruntime does it, also where ONNX's own shape inference counts a window more."""
    for pool in (case for case in POOLS if case[0] == op):
        _, length, kernel, stride, before, after, dilation, include = pool
        attributes = {
            "kernel_shape": [1, kernel], "strides": [1, stride], "pads": [0, before, 0, after],
            "dilations": [1, dilation], "ceil_mode": 1, **({"count_include_pad": include} if op[0] == "A" else {}),
        }  # fmt: skip
        build = ModelBuilder(2, length)
        original = build.original(build.layer(op, "image", **attributes))
        image = noise(1, 3, 2, length)
        expected = run(original, image)
        if not np.isfinite(expected).all():
            continue  # a window that has no cell of the map
        plain = to_plain_form(original)
        assert not any(part.name == "ceil_mode" and part.i for node in plain.graph.node for part in node.attribute)
        assert known_shapes(plain)[plain.graph.output[0].name] == expected.shape, pool
        np.testing.assert_allclose(run(plain, image), expected, rtol=0, atol=1e-5, err_msg=str(pool))


def test_layers_behind_a_pool_that_rounds_up_have_the_shapes_that_they_have():
    build = ModelBuilder(6, 6)
    pool = build.layer("MaxPool", "image", kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1)
    last = build.layer("Relu", pool)
    assert known_shapes(to_plain_form(build.original(last)))[last] == (1, 3, 3, 3)


def test_shape_arithmetic_is_folded():
    """Enlarge a map to the size of another, as exporters write it."""
    build = ModelBuilder(8, 12)
    small = build.layer("MaxPool", "image", kernel_shape=[2, 2], strides=[2, 2])
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"], "shape"),
        helper.make_node("Slice", ["shape", "two", "four"], ["size"], "size"),
        helper.make_node("Shape", [small], ["small_shape"], "small_shape"),
        helper.make_node("Slice", ["small_shape", "zero", "two"], ["channels"], "channels"),
        helper.make_node("Concat", ["channels", "size"], ["sizes"], "sizes", axis=0),
        helper.make_node("Resize", [small, "", "", "sizes"], ["made"], "resize", mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ]  # fmt: skip
    numbers = {"zero": [0], "two": [2], "four": [4]}
    original = build.original(small)
    original.graph.node.extend(nodes)
    original.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), name) for name, value in numbers.items()
    )
    original.graph.output[0].CopyFrom(helper.make_tensor_value_info("made", TensorProto.FLOAT, None))
    plain = to_plain_form(original)
    assert [node.op_type for node in plain.graph.node] == ["MaxPool", "Resize"]
    assert known_shapes(plain)["made"] == (1, 3, 8, 12)
    resize = plain.graph.node[1]
    (scales,) = (tensor for tensor in plain.graph.initializer if tensor.name == resize.input[2])
    np.testing.assert_array_equal(numpy_helper.to_array(scales), [1, 1, 2, 2])
    np.testing.assert_array_equal(run(plain, noise(1, 3, 8, 12)), run(original, noise(1, 3, 8, 12)))


def test_a_constant_without_dimensions_keeps_none():
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    nodes = [
        helper.make_node("Add", ["half", "half"], ["one"], "one"),
        helper.make_node("Mul", ["image", "one"], ["made"], "made"),
    ]
    plain = to_plain_form(exported_model(nodes, [half], {"image": (1, 3, 2, 2)}, {"made": None}))
    (one,) = plain.graph.initializer
    assert list(one.dims) == []


def test_weights_of_a_quantised_layer_stay_quantised():
    weights = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.int8), "weights")
    scale = numpy_helper.from_array(np.array(0.5, np.float32), "scale")
    nodes = [
        helper.make_node("DequantizeLinear", ["weights", "scale"], ["floats"], "floats"),
        helper.make_node("Conv", ["image", "floats"], ["made"], "conv"),
    ]
    plain = to_plain_form(exported_model(nodes, [weights, scale], {"image": (1, 3, 2, 2)}, {"made": None}))
    assert [node.op_type for node in plain.graph.node] == ["DequantizeLinear", "Conv"]


@pytest.mark.parametrize("version", [9, 11, 13, 17])
def test_models_of_older_opsets_are_brought_up_to_one_and_compute_the_same(version):
    weights = numpy_helper.from_array(noise(4, 3, 3, 3), "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["conv"], "conv", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("LeakyRelu", ["conv"], ["leaky"], "leaky", alpha=0.1),
        helper.make_node("MaxPool", ["leaky"], ["made"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, [1, 4, 4, 4])
    graph = helper.make_graph(nodes, "old", [image], [made], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    plain = to_plain_form(model)
    assert opset_version(plain) == PLAIN_OPSET
    onnx.checker.check_model(plain, full_check=True)
    np.testing.assert_allclose(run(plain, noise(1, 3, 8, 8)), run(model, noise(1, 3, 8, 8)), rtol=0, atol=1e-5)
