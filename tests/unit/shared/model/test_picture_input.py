from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.errors import ModelError
from shared.model.loading import describe_network, plain_model
from shared.model.picture_input import picture_form

PIXELS = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 12)).astype(np.float32)
CHANNELS_LAST = [1, 8, 12, 3]


def model_of(*before, kind=TensorProto.FLOAT, shape=(1, 3, 8, 12), others=(), last="ready", after=(), constants=(),
             weights=np.float32):  # fmt: skip
    """Return a file that prepares its picture `image` with nodes `before`, and convolves the tensor `last`."""
    random = np.random.default_rng(2)
    kernel = numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(weights), "kernel")
    nodes = [*before, helper.make_node("Conv", [last, "kernel"], ["made"], "conv", kernel_shape=[3, 3]), *after]
    graph = helper.make_graph(
        nodes, "file",
        [helper.make_tensor_value_info("image", kind, shape), *others],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
        [kernel, *(numpy_helper.from_array(np.asarray(value), name) for name, value in constants)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def transpose(source="image", made="ready"):
    return helper.make_node("Transpose", [source], [made], "turn", perm=[0, 3, 1, 2])


def scaled(source, made):
    return helper.make_node("Div", [source, "white"], [made], "scale")


def cast(source, made, kind=TensorProto.FLOAT):
    return helper.make_node("Cast", [source], [made], f"cast_{made}", to=kind)


WHITE = ("white", np.float32(255))
MEANS = ("means", np.array([100, 110, 120], np.float32))

FORMS = {
    "uint8": model_of(cast("image", "f"), scaled("f", "ready"), kind=TensorProto.UINT8, constants=[WHITE]),
    "uint8, channels last": model_of(
        cast("image", "f"), helper.make_node("Sub", ["f", "means"], ["s"]), transpose("s"),
        kind=TensorProto.UINT8, shape=CHANNELS_LAST, constants=[MEANS],
    ),
    "uint8, quantised": model_of(
        helper.make_node("DequantizeLinear", ["image", "white"], ["ready"]), kind=TensorProto.UINT8, constants=[WHITE]
    ),
    "channels last": model_of(transpose(), shape=CHANNELS_LAST),
    "channels last, open batch": model_of(transpose(), shape=["N", 8, 12, 3]),
    "channels last, flipped": model_of(
        helper.make_node("Gather", ["image", "order"], ["f"], axis=3), transpose("f"), shape=CHANNELS_LAST,
        constants=[("order", np.array([2, 1, 0]))],
    ),
    "channels last, flipped by a slice": model_of(
        helper.make_node("Slice", ["image", "last", "first", "axis", "back"], ["f"]), transpose("f"),
        shape=CHANNELS_LAST,
        constants=[("last", np.array([-1])), ("first", np.array([-100])), ("axis", np.array([-1])),
                   ("back", np.array([-1]))],
    ),
    "four at once": model_of(last="image", shape=(4, 3, 8, 12)),
    "four at once, reshaped": model_of(
        last="image", shape=(4, 3, 8, 12), after=[helper.make_node("Reshape", ["made", "rows"], ["table"])],
        constants=[("rows", np.array([4, 4, -1]))],
    ),
    "the picture's size besides": model_of(
        last="image", others=[helper.make_tensor_value_info("im_shape", TensorProto.FLOAT, [1, 2])],
        after=[helper.make_node("ReduceSum", ["im_shape"], ["sum"]), helper.make_node("Add", ["made", "sum"], ["t"])],
    ),
    "the size and what it was scaled by": model_of(
        last="image", others=[helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]),
                              helper.make_tensor_value_info("scale_factor", TensorProto.FLOAT, ["N", 2])],
        after=[cast("orig_target_sizes", "sizes"), helper.make_node("Mul", ["sizes", "scale_factor"], ["both"]),
               helper.make_node("Concat", ["both", "sizes"], ["four"], axis=1),
               helper.make_node("Unsqueeze", ["four", "two"], ["cells"]),
               helper.make_node("Mul", ["made", "first"], ["same"]), helper.make_node("Slice",
               ["cells", "none", "one", "one"], ["a"]), helper.make_node("Add", ["same", "a"], ["t"])],
        constants=[("two", np.array([2, 3])), ("first", np.float32(1)), ("none", np.array([0])),
                   ("one", np.array([1]))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_plain_form_takes_one_picture_and_computes_the_same_as_the_file(name):
    model = FORMS[name]
    form = picture_form(model, (8, 12))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, form.make_feeds(PIXELS))
    plain = plain_model(model, name)
    network = describe_network(plain, name)
    assert (network.input, network.shapes["image"]) == ("image", (1, 3, 8, 12))
    session = onnxruntime.InferenceSession(plain.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"image": PIXELS})
    assert expected.std() > 1e-3
    np.testing.assert_allclose(made, expected[:1], rtol=1e-6, atol=1e-5)
    assert "Transpose" not in {layer.op for layer in network.layers}


@pytest.mark.parametrize("keeps_inputs", [False, True])
def test_half_precision_becomes_single_and_computes_the_same_but_for_its_rounding(keeps_inputs):
    before = [cast("image", "half", TensorProto.FLOAT16)] if keeps_inputs else []
    kind = TensorProto.FLOAT if keeps_inputs else TensorProto.FLOAT16
    model = model_of(*before, kind=kind, last="half" if keeps_inputs else "image", weights=np.float16)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = PIXELS / 255
    (expected,) = session.run(None, {"image": image if keeps_inputs else image.astype(np.float16)})
    plain = plain_model(model, "half")
    assert describe_network(plain, "half").types["made"] == "float32"
    session = onnxruntime.InferenceSession(plain.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=np.abs(expected).max() / 256)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            model_of(helper.make_node("MaxPool", ["image"], ["p"], "pool", kernel_shape=[1, 1]), transpose("p"),
                     shape=[1, 8, 3, 3]),
            r"channels last \(NHWC\), and layer pool \(MaxPool\) depends on that; export it with channels first",
        ),
        (
            model_of(helper.make_node("Add", ["image", "noise"], ["n"], "noisy"), transpose("n"),
                     shape=CHANNELS_LAST, constants=[("noise", np.ones((12, 3), np.float32))]),
            "layer noisy has a constant for each pixel; export it with channels first",
        ),
        (
            model_of(last="image", shape=(4, 3, 8, 12), constants=[("rows", np.ones((4, 4, 1, 1), np.float32))],
                     after=[helper.make_node("Add", ["made", "rows"], ["t"])]),
            "batch size is 4 and cannot be reduced to 1; export it with a batch size of 1",
        ),
        (
            model_of(last="image", others=[helper.make_tensor_value_info("prompt", TensorProto.FLOAT, [1, 2])],
                     after=[helper.make_node("ReduceSum", ["prompt"], ["sum"]),
                            helper.make_node("Add", ["made", "sum"], ["t"])]),
            r"must have one image input, float32 \(1, 3, H, W\); it has .*prompt float32 \(1, 2\)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_the_reason_in_one_short_line(model, message):
    with pytest.raises(ModelError, match=message) as refusal:
        describe_network(plain_model(model, "mine"), "mine")
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


def test_a_picture_of_open_size_is_what_is_refused_not_the_inputs_besides_it():
    sizes = helper.make_tensor_value_info("im_shape", TensorProto.FLOAT, ["N", 2])
    model = model_of(last="image", shape=["N", 3, "H", "W"], others=[sizes], after=[
        helper.make_node("ReduceSum", ["im_shape"], ["sum"]), helper.make_node("Add", ["made", "sum"], ["t"]),
    ])  # fmt: skip
    with pytest.raises(ModelError, match="the size of image is not fixed"):
        describe_network(plain_model(model, "mine"), "mine")
    assert describe_network(plain_model(model, "mine", (8, 12)), "mine").input_size == (8, 12)


@pytest.mark.parametrize(
    ("name", "shape", "value"),
    [
        ("im_shape", ["N", 2], [[8, 12]]),
        ("image_shape", [1, 2], [[8, 12]]),
        ("orig_target_sizes", [1, 2], [[12, 8]]),
        ("scale_factor", [1, 2], [[1, 1]]),
        ("pixel_mask", [1, 8, 12], np.ones((1, 8, 12))),
        ("pixel_mask", ["N", "H", "W"], np.ones((1, 8, 12))),
    ],
)
def test_inputs_besides_the_picture_get_what_they_mean(name, shape, value):
    other = helper.make_tensor_value_info(name, TensorProto.INT64, shape)
    form = picture_form(model_of(last="image", others=[other], after=[helper.make_node("Abs", [name], ["made_too"])]))
    assert form is not None
    np.testing.assert_array_equal(form.others[name], value)
    assert form.others[name].dtype == np.int64
