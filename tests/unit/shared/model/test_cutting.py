from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gateway.models.catalogue import MODELS
from shared.engine.sessions import NetworkSession
from shared.errors import CutError
from shared.model.cutting import head_model, tail_model
from shared.model.loading import describe_network
from shared.model.normalising import normalise
from shared.model.plain import to_plain_form
from tests.networks import ModelBuilder


@pytest.mark.parametrize(
    "cut", [("concat_28",), ("concat_28", "concat_44", "concat_65"), ("leakyrelu_02",), ("conv_01",)], ids=len
)
def test_head_and_tail_together_are_the_whole_model(nanodet, street, cut):
    image = {"image": normalise(street, nanodet.spec.preprocessing)}
    head = NetworkSession(head_model(nanodet.proto, nanodet.network, cut).SerializeToString())
    tail = NetworkSession(tail_model(nanodet.proto, nanodet.network, cut).SerializeToString())
    whole = NetworkSession(MODELS / "nanodet-g" / "nanodet-g.onnx").run(image)
    made = tail.run(head.run(image))
    assert set(made) == set(whole) == set(nanodet.network.outputs)
    for name, expected in whole.items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-4, atol=1e-5)


def test_head_and_tail_share_no_layer_and_leave_none_out(nanodet):
    parts = [part(nanodet.proto, nanodet.network, ("concat_28",)) for part in (head_model, tail_model)]
    made = [{tensor for node in part.graph.node for tensor in node.output} for part in parts]
    assert not made[0] & made[1]
    assert made[0] | made[1] == set(nanodet.network.producers)


def test_a_head_has_the_weights_of_its_layers_only(nanodet):
    head = head_model(nanodet.proto, nanodet.network, ("leakyrelu_02",))
    assert [node.name for node in head.graph.node] == ["conv_01", "leakyrelu_02"]
    assert len(head.graph.initializer) == 2


def test_a_head_makes_the_maps_in_the_order_of_the_cut(nanodet):
    head = head_model(nanodet.proto, nanodet.network, ("concat_44", "concat_28"))
    assert [value.name for value in head.graph.output] == ["concat_44", "concat_28"]


@pytest.mark.parametrize("part", [head_model, tail_model])
def test_a_cut_across_a_branch_is_refused(part):
    build = ModelBuilder(8, 8)
    left = build.layer("Relu", "image", name="left")
    right = build.layer("Sigmoid", left, name="right")
    model = build.model(build.layer("Add", left, right))
    with pytest.raises(CutError, match="also need left"):
        part(model, describe_network(model, "test"), (right,))


def test_a_head_is_a_valid_model(nanodet):
    onnx.checker.check_model(head_model(nanodet.proto, nanodet.network, ("concat_28",)), full_check=True)


def test_the_part_between_two_cuts_begins_with_the_maps_of_the_first(nanodet, street):
    image = {"image": normalise(street, nanodet.spec.preprocessing)}
    first, second = ("concat_28",), ("concat_28", "concat_44", "concat_65")
    begin = NetworkSession(head_model(nanodet.proto, nanodet.network, first).SerializeToString())
    between = head_model(nanodet.proto, nanodet.network, second, after=first)
    assert [value.name for value in between.graph.input] == list(first)
    layers = [layer.outputs for layer in nanodet.network.layers_between(first, second)]
    assert [tuple(node.output) for node in between.graph.node] == layers
    whole = NetworkSession(head_model(nanodet.proto, nanodet.network, second).SerializeToString()).run(image)
    made = NetworkSession(between.SerializeToString()).run(begin.run(image))
    assert list(made) == list(second)
    for name, expected in whole.items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-4, atol=1e-5)


def test_a_part_cannot_begin_with_maps_beside_which_others_leak(nanodet):
    with pytest.raises(CutError, match="also need"):
        head_model(nanodet.proto, nanodet.network, ("concat_28", "concat_44", "concat_65"), after=("concat_44",))


def test_maps_that_only_a_branch_of_the_tail_reads_are_read_by_it():
    """An If behind the cut, whose branches name a map that is made of one from before it, and nobody else does."""
    build = ModelBuilder(8, 8)
    build.layer("Relu", build.conv("image", 3, 1, name="early"), name="late")
    model = build.original("late")
    shape = (1, 3, 8, 8)
    info = helper.make_tensor_value_info
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, ["late", "side"], [name])], name, [], [info(name, TensorProto.FLOAT, shape)]
        )
        for name, op in (("then", "Add"), ("else", "Sub"))
    }
    model.graph.node.extend([
        helper.make_node("Neg", ["early"], ["side"], "side"),
        helper.make_node("ReduceMax", ["late"], ["peak"], "peak", keepdims=0),
        helper.make_node("Cast", ["peak"], ["condition"], "condition", to=TensorProto.BOOL),
        helper.make_node("If", ["condition"], ["made"], "if", **branches),
    ])  # fmt: skip
    model.graph.output[0].CopyFrom(info("made", TensorProto.FLOAT, shape))
    plain = to_plain_form(model)
    network = describe_network(plain, "branching")
    with pytest.raises(CutError, match="layers behind the cut late also need early"):
        tail_model(plain, network, ["late"])
    tail = tail_model(plain, network, ["late", "early"])
    assert [value.name for value in tail.graph.input] == ["late", "early"]
    onnx.checker.check_model(tail, full_check=True)
