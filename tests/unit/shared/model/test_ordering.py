from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.model.loading import load_onnx, plain_model
from shared.model.ordering import sort_nodes, tensors_read_by
from tests.networks import exported_model

SHAPE = (1, 3, 4, 4)


def map_info(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)


def branch(name, op, *sources):
    """Return a graph inside an If, which reads tensors of the outer graph."""
    return helper.make_graph([helper.make_node(op, list(sources), [name])], name, [], [map_info(name)])


def choosing():
    """image -> early -> late, and an If on `late` whose branches read `early` and `image`."""
    return [
        helper.make_node("Relu", ["image"], ["early"], "early"),
        helper.make_node("Neg", ["early"], ["late"], "late"),
        helper.make_node("ReduceMax", ["late"], ["peak"], "peak", keepdims=0),
        helper.make_node("Cast", ["peak"], ["condition"], "condition", to=TensorProto.BOOL),
        helper.make_node(
            "If", ["condition"], ["made"], "if",
            then_branch=branch("yes", "Add", "early", "late"), else_branch=branch("no", "Sub", "image", "late"),
        ),
    ]  # fmt: skip


def test_a_node_reads_what_its_subgraphs_read_of_the_graph_around_them():
    assert sorted(tensors_read_by(choosing()[-1])) == ["condition", "early", "image", "late"]


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [1, 0, 2, 3, 4], [0, 1, 4, 2, 3]])
def test_nodes_are_sorted_by_what_they_read_also_inside_subgraphs(order):
    nodes = choosing()
    graph = exported_model([nodes[place] for place in order], [], {"image": SHAPE}, {"made": SHAPE}).graph
    sort_nodes(graph)
    made = {"image"}
    for node in graph.node:
        assert made.issuperset(tensors_read_by(node))
        made.update(node.output)


def test_nodes_in_order_stay_where_they_are():
    graph = exported_model(choosing(), [], {"image": SHAPE}, {"made": SHAPE}).graph
    before = graph.SerializeToString(deterministic=True)
    sort_nodes(graph)
    assert graph.SerializeToString(deterministic=True) == before


def test_an_unsorted_file_is_loaded(tmp_path):
    model = exported_model(choosing()[::-1], [], {"image": SHAPE}, {"made": SHAPE})
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert [node.name for node in load_onnx(tmp_path / "mine.onnx").graph.node] == [
        "early", "late", "peak", "condition", "if",
    ]  # fmt: skip


def test_a_circle_is_refused_not_run_around(tmp_path):
    nodes = [helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Add", ["a", "image"], ["b"])]
    (tmp_path / "mine.onnx").write_bytes(exported_model(nodes, [], {"image": SHAPE}, {"b": SHAPE}).SerializeToString())
    with pytest.raises(Exception, match="topologically sorted"):
        load_onnx(tmp_path / "mine.onnx")


def test_functions_of_the_file_are_put_where_they_are_called(tmp_path):
    body = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Neg", ["r"], ["y"])]
    function = helper.make_function("local", "Body", ["x"], ["y"], body, [helper.make_opsetid("", 21)])
    model = exported_model([helper.make_node("Body", ["image"], ["made"], domain="local")], [], {"image": SHAPE},
                    {"made": SHAPE})  # fmt: skip
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert [node.op_type for node in load_onnx(tmp_path / "mine.onnx").graph.node] == ["Relu", "Neg"]


def test_constants_that_only_a_subgraph_reads_are_kept():
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    nodes = choosing()
    nodes[-1].attribute[0].g.node[0].input[1] = "half"
    kept = plain_model(exported_model(nodes, [half], {"image": SHAPE}, {"made": SHAPE}), "mine")
    assert [tensor.name for tensor in kept.graph.initializer] == ["half"]
    onnx.checker.check_model(kept, full_check=True)


@pytest.mark.parametrize(("condition", "ops"), [(True, ["Relu", "Neg", "Add"]), (False, ["Relu", "Neg", "Sub"])])
def test_an_if_that_always_takes_one_branch_is_that_branch(condition, ops):
    """Branch on a shape, as exporters write it."""
    always = numpy_helper.from_array(np.array(condition), "condition")
    nodes = choosing()
    model = exported_model([nodes[0], nodes[1], nodes[4]], [always], {"image": SHAPE}, {"made": SHAPE})
    assert [node.op_type for node in plain_model(model, "mine").graph.node if node.op_type != "Identity"] == ops
