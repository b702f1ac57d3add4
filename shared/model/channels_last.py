"""Convert models whose input has channels last (NHWC, as in TensorFlow) to channels first (NCHW)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared.errors import ModelError
from shared.model.ordering import replace_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Array

TO_CHANNELS_FIRST = [0, 3, 1, 2]
"""The axes of the Transpose by which TensorFlow graphs themselves change to channels first."""

LAYOUT_INDEPENDENT = frozenset(["Add", "Cast", "DequantizeLinear", "Div", "Identity", "Mul", "QuantizeLinear", "Sub"])
"""Operators allowed before that Transpose: pointwise, with a constant for all cells or one for each channel."""

_REMEDY = "export it with channels first (tf2onnx: --inputs-as-nchw with the input's name)"


def put_channels_first(model: onnx.ModelProto, name: str) -> None:
    """Change the input to (1, 3, H, W), and remove the graph's own Transpose. Constants must be folded before.

    Raises ModelError, naming the layer, when layers that are not pointwise come before the Transpose.
    """
    graph = model.graph
    value = next(value for value in graph.input if value.name == name)
    dimensions = value.type.tensor_type.shape.dim
    lengths = [dimension.dim_value for dimension in dimensions]
    for dimension, axis in zip(dimensions, TO_CHANNELS_FIRST, strict=True):
        dimension.dim_value = lengths[axis]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    turned, nodes = {name: name}, []  # tensors with channels last, and their names with channels first
    for node in graph.node:
        sources = [source for source in node.input if source in turned]
        if not sources:
            nodes.append(node)
        elif node.op_type == "Transpose" and _permutation(node) == TO_CHANNELS_FIRST:
            nodes.append(helper.make_node("Identity", [turned[node.input[0]]], list(node.output), node.name))
        else:
            nodes.append(_turn(node, turned, constants, graph))
            turned[node.output[0]] = nodes[-1].output[0]
    if any(output.name in turned for output in graph.output):
        raise ModelError(f"input {name} has its channels last (NHWC), and so does an output; {_REMEDY}")
    replace_nodes(graph, nodes)


def _turn(
    node: onnx.NodeProto, turned: dict[str, str], constants: Mapping[str, Array], graph: onnx.GraphProto
) -> onnx.NodeProto:
    """Return the same layer for channels first; its output has another name."""
    name = node.name or node.output[0]
    slices_channels = node.op_type == "Slice" and _only_channels(node, constants)
    if not (node.op_type in LAYOUT_INDEPENDENT | {"Gather"} or slices_channels) or len(node.output) != 1:
        raise ModelError(
            f"its input has its channels last (NHWC), and layer {name} ({node.op_type}) depends on that; {_REMEDY}"
        )
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.output[0] = f"{node.output[0]}.nchw"
    for at, source in enumerate(node.input):
        if source in turned:
            made.input[at] = turned[source]
        elif node.op_type in {"Add", "Div", "Mul", "Sub"}:
            made.input[at] = _by_channel(f"{made.output[0]}.{at}", constants.get(source), name, graph)
    if slices_channels:
        made.input[3] = f"{made.output[0]}.axes"
        graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), made.input[3]))
    for attribute in made.attribute:
        if attribute.name == "axis":
            if attribute.i not in {3, -1}:
                raise ModelError(
                    f"its input has its channels last (NHWC), and layer {name} works along another axis; {_REMEDY}"
                )
            attribute.i = 1
    return made


def _only_channels(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """Return whether a Slice is along the last axis only, as one that swaps BGR and RGB."""
    axes = constants.get(node.input[3]) if len(node.input) > 3 else None
    return axes is not None and axes.tolist() in ([3], [-1])


def _by_channel(made: str, values: Array | None, layer: str, graph: onnx.GraphProto) -> str:
    """Reshape a constant by channel from the last axis to axis 1 (C, 1, 1), and return its name."""
    if values is None or (values.size > 1 and values.size != values.shape[-1]):
        raise ModelError(
            f"its input has its channels last (NHWC), and layer {layer} has a constant for each pixel; {_REMEDY}"
        )
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values.reshape(-1, 1, 1)), made))
    return made


def _permutation(node: onnx.NodeProto) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])
