from __future__ import annotations

from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.errors import ModelError
from shared.model.loading import MAX_MODEL_BYTES, describe_network, load_onnx, plain_model
from shared.model.plain import fold_constants
from tests.networks import ModelBuilder, model_of


@pytest.fixture
def small():
    build = ModelBuilder(8, 8)
    return build.model(build.layer("LeakyRelu", build.conv("image", 4, 3, name="conv"), name="relu", alpha=0.1))


def save(model, folder):
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def run(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def test_a_model_is_loaded_with_the_shape_of_every_tensor(small, tmp_path):
    del small.graph.value_info[:]
    network = describe_network(plain_model(load_onnx(save(small, tmp_path)), "small"), "small")
    assert network.shapes == {"image": (1, 3, 8, 8), "conv": (1, 4, 6, 6), "relu": (1, 4, 6, 6)}


def test_a_file_that_leaves_out_the_shapes_of_its_outputs_is_loaded(tmp_path):
    build = ModelBuilder(8, 8)
    model = build.original(build.layer("Relu", "image", name="relu"))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert describe_network(plain_model(load_onnx(save(model, tmp_path)), "small"), "small").shapes["relu"] == (
        1,
        3,
        8,
        8,
    )


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ModelError, match=r"model .*missing\.onnx cannot be read: no such file"):
        load_onnx(tmp_path / "missing.onnx")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        load_onnx(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"# a readme\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99)], ids=["empty", "text", "picture"]
)
def test_a_file_of_another_kind_is_refused(content, tmp_path):
    with pytest.raises(ModelError, match="is not a"):
        load_onnx(save(content, tmp_path))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_that_broke_off_is_refused(small, part, tmp_path):
    whole = small.SerializeToString()
    with pytest.raises(ModelError, match="is not a"):
        load_onnx(save(whole[: int(len(whole) * part)], tmp_path))


def test_a_file_too_large_for_onnx_is_refused_unread(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=r"^[^:]*2 GiB"):
        load_onnx(path)


def test_an_operator_that_nobody_knows_is_refused(small, tmp_path):
    small.graph.node[1].op_type = "Frobnicate"
    with pytest.raises(ModelError, match=r"not a valid ONNX model.*Frobnicate"):
        load_onnx(save(small, tmp_path))


def test_a_layer_whose_input_nobody_makes_is_refused(small, tmp_path):
    small.graph.node[1].input[0] = "nothing"
    with pytest.raises(ModelError, match=r"not a valid ONNX model.*nothing"):
        load_onnx(save(small, tmp_path))


@pytest.mark.parametrize("name", [b"image", b"conv", b"conv.weight", b"relu", b"alpha"])
def test_a_file_with_a_broken_name_is_refused(small, name, tmp_path):
    broken = small.SerializeToString().replace(name, b"\xff" + name[1:])
    with pytest.raises(ModelError):
        load_onnx(save(broken, tmp_path))


def test_a_file_with_weights_of_another_length_is_refused(small, tmp_path):
    small.graph.initializer[0].dims[0] = 2
    with pytest.raises(ModelError, match="small is not a valid ONNX model"):
        plain_model(load_onnx(save(small, tmp_path)), "small")


def loose(*dimensions):
    """Return a model that leaves dimensions of its input open."""
    build = ModelBuilder(8, 8)
    model = build.original(build.layer("Relu", "image"))
    for dimension in dimensions:
        model.graph.input[0].type.tensor_type.shape.dim[dimension].dim_param = "any"
    return model


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_size_that_is_not_fixed_is_refused_by_name(dimension):
    with pytest.raises(ModelError, match="size of image is not fixed; export the model with a fixed input size"):
        describe_network(plain_model(loose(dimension), "loose"), "loose")


def test_a_size_that_is_not_fixed_can_be_given():
    network = describe_network(plain_model(loose(0, 2, 3), "loose", (16, 24)), "loose")
    assert network.shapes == {"image": (1, 3, 16, 24), "relu_0": (1, 3, 16, 24)}


def test_a_batch_that_is_not_fixed_is_one_picture():
    assert describe_network(plain_model(loose(0), "loose"), "loose").shapes["relu_0"] == (1, 3, 8, 8)


def test_a_size_that_is_fixed_stays():
    assert describe_network(plain_model(loose(), "loose", (16, 24)), "loose").input_size == (8, 8)


def test_a_model_of_two_inputs_is_refused_with_what_it_has():
    node = helper.make_node("Add", ["left", "right"], ["sum"], "sum")
    model = model_of([node], [], {"left": (1, 3, 8, 8), "right": (1, 3, 8, 8)}, {"sum": None})
    with pytest.raises(ModelError, match=r"one image input.*left float32 \(1, 3, 8, 8\), right"):
        describe_network(model, "pair")


def test_a_model_whose_input_is_no_image_is_refused():
    model = model_of([helper.make_node("Relu", ["words"], ["out"], "relu")], [], {"words": (1, 77)}, {"out": None})
    with pytest.raises(ModelError, match=r"words float32 \(1, 77\)"):
        describe_network(model, "text")


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 4, 8, 8)])
def test_a_model_whose_input_is_no_picture_of_three_channels_is_refused(shape):
    model = model_of([helper.make_node("Relu", ["image"], ["out"], "relu")], [], {"image": shape}, {"out": None})
    with pytest.raises(ModelError):
        describe_network(model, "unusual")


def test_a_convolution_with_computed_weights_is_described():
    nodes = [
        helper.make_node("Relu", ["image"], ["weights"], "relu"),
        helper.make_node("Conv", ["image", "weights"], ["made"], "conv"),
    ]
    conv = describe_network(model_of(nodes, [], {"image": (1, 3, 8, 8)}, {"made": None}), "dynamic").layers[1]
    assert (conv.inputs, conv.attributes["kernel_shape"]) == (("image", "weights"), (8, 8))


def test_weights_listed_as_inputs_too_are_no_inputs(small):
    for tensor in small.graph.initializer:
        small.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
    assert describe_network(small, "old").input == "image"


def half_precision():
    """Return a convolution whose weights are float16 behind a Cast."""
    weights = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["half"], ["weights"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Conv", ["image", "weights"], ["made"], "conv", kernel_shape=[3, 3]),
    ]
    model = model_of(nodes, [numpy_helper.from_array(weights, "half")], {"image": (1, 3, 8, 8)}, {"made": None})
    return model, weights


def test_weights_in_half_precision_become_float32_of_the_same_values():
    model, weights = half_precision()
    folded = fold_constants(model).graph
    assert [node.op_type for node in folded.node] == ["Conv"]
    (tensor,) = folded.initializer
    made = numpy_helper.to_array(tensor)
    assert tensor.name == "weights"
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, weights)


def test_a_folded_model_computes_the_same():
    model, _ = half_precision()
    image = np.random.default_rng(2).standard_normal((1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run(fold_constants(model), image), run(model, image), rtol=0, atol=1e-6)


def test_folding_leaves_the_model_it_was_given_as_it_is():
    model, _ = half_precision()
    before = model.SerializeToString(deterministic=True)
    fold_constants(model)
    assert model.SerializeToString(deterministic=True) == before


def test_constant_nodes_and_what_follows_from_them_alone_are_folded():
    two = numpy_helper.from_array(np.array(2, np.float32))
    nodes = [
        helper.make_node("Constant", [], ["two"], "two", value=two),
        helper.make_node("Add", ["two", "two"], ["four"], "four"),
        helper.make_node("Mul", ["image", "four"], ["made"], "made"),
    ]
    model = model_of(nodes, [], {"image": (1, 3, 2, 2)}, {"made": None})
    folded = fold_constants(model).graph
    assert [node.op_type for node in folded.node] == ["Mul"]
    assert {tensor.name: numpy_helper.to_array(tensor).item() for tensor in folded.initializer} == {"four": 4.0}


def test_constants_that_nothing_uses_any_more_are_dropped(small):
    small.graph.initializer.append(numpy_helper.from_array(np.ones(1000, np.float32), "forgotten"))
    assert {tensor.name for tensor in fold_constants(small).graph.initializer} == {"conv.weight", "conv.bias"}


def test_the_built_in_model_has_no_half_precision_after_loading(nanodet):
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in nanodet.proto.graph.initializer}
    assert "Cast" not in {layer.op for layer in nanodet.network.layers}


def test_layers_are_described_with_inputs_constants_and_attributes(small):
    network = describe_network(small, "small")
    conv, relu = network.layers
    assert (conv.name, conv.op, conv.inputs, conv.outputs) == ("conv", "Conv", ("image",), ("conv",))
    assert conv.constants == {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,)}
    assert conv.attributes["kernel_shape"] == (3, 3)
    assert (relu.inputs, relu.constants) == (("conv",), {})
    assert (network.input, network.outputs, network.input_size) == ("image", ("relu",), (8, 8))


def test_layers_without_names_get_one_each(small):
    for node in small.graph.node:
        node.name = ""
    names = [layer.name for layer in describe_network(small, "small").layers]
    assert all(names)
    assert len(set(names)) == 2


def test_a_kernel_that_only_the_weights_tell_is_spelled_out():
    build = ModelBuilder(8, 8)
    model = build.original(build.conv("image", 4, (3, 5)))
    kept = [part for part in model.graph.node[0].attribute if part.name != "kernel_shape"]
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.extend(kept)
    attributes = describe_network(plain_model(model, "terse"), "terse").layers[0].attributes
    assert {name: attributes[name] for name in ("kernel_shape", "strides", "dilations", "pads")} == {
        "kernel_shape": (3, 5), "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("op", "auto_pad", "kernel", "stride"),
    [
        (op, auto_pad, kernel, stride)
        for op, auto_pad, kernel, stride in product(
            ("Conv", "ConvTranspose", "MaxPool"), ("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2, 3, 4, 5), (1, 2, 3)
        )
        if kernel >= stride  # onnxruntime itself fails on others
    ],
)
def test_automatic_padding_is_resolved_as_onnxruntime_does_it(op, auto_pad, kernel, stride):
    def model(**padding):
        build = ModelBuilder(7, 10)
        if op in {"Conv", "ConvTranspose"}:
            return build.original(build.conv("image", 2, kernel, op=op, strides=[stride] * 2, **padding))
        layer = build.layer(op, "image", kernel_shape=[kernel] * 2, strides=[stride] * 2, **padding)
        return build.original(layer)

    automatic = model(auto_pad=auto_pad)
    pads = describe_network(plain_model(automatic, "auto"), "auto").layers[0].attributes["pads"]
    image = np.random.default_rng(3).standard_normal((1, 3, 7, 10)).astype(np.float32)
    np.testing.assert_allclose(run(model(pads=list(pads)), image), run(automatic, image), rtol=0, atol=1e-6)


def test_a_file_with_weights_beside_it_is_loaded(small, tmp_path):
    path = tmp_path / "model.onnx"
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
    onnx.save(small, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    loaded = {tensor.name: numpy_helper.to_array(tensor) for tensor in load_onnx(path).graph.initializer}
    for name, expected in weights.items():
        np.testing.assert_array_equal(loaded[name], expected)


def test_a_file_whose_weights_are_lost_is_refused(small, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(small, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights\.bin"):
        load_onnx(path)


def test_a_constant_behind_an_operator_of_somebody_is_left_as_it_is():
    nodes = [
        helper.make_node("Frobnicate", ["seed"], ["made"], "frobnicate", domain="somebody"),
        helper.make_node("Add", ["image", "made"], ["sum"], "sum"),
    ]
    value = numpy_helper.from_array(np.zeros(1, np.float32), "seed")
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, (1, 3, 8, 8))],
        [value],
    )
    folded = fold_constants(helper.make_model(graph))
    assert [node.op_type for node in folded.graph.node] == ["Frobnicate", "Add"]
    assert [tensor.name for tensor in folded.graph.initializer] == ["seed"]


def test_automatic_padding_of_a_dilated_kernel_is_refused_by_name():
    build = ModelBuilder(8, 8)
    build.conv("image", 2, 3, name="wide", auto_pad="SAME_UPPER", dilations=[2, 2])
    with pytest.raises(ModelError, match=r"layer wide .*export it with explicit pads"):
        build.network("wide")
