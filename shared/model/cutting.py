"""Cutting a model in two: the head, run tile by tile on the edges, and the tail, run on the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

from shared.model.ordering import tensors_read_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.network import Network


def head_model(
    model: onnx.ModelProto, network: Network, cut: Sequence[str], after: Sequence[str] = ()
) -> onnx.ModelProto:
    """The part of `model` that makes the maps `cut`, of those `after` which it begins (the picture, when empty).

    Raises CutError as Network.head_layers does.
    """
    network.layers_between(after, cut)
    return _between(model, list(after) or [network.input], cut)


def tail_model(model: onnx.ModelProto, network: Network, cut: Sequence[str]) -> onnx.ModelProto:
    """The part of `model` that turns the maps `cut` into its outputs. Raises CutError as Network.head_layers does."""
    network.head_layers(cut)
    return _between(model, cut, network.outputs)


def with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The same model, in whatever form it is, with `tensors` for outputs; what they do not need is left out."""
    constants = {tensor.name for tensor in model.graph.initializer}  # old files list them as inputs, to be changed
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    return _between(model, inputs, tensors)


def _between(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """The nodes that make `outputs` of `inputs`, with what is known of their tensors; inputs nobody needs are dropped.

    Subgraphs read tensors of the graph around them, which ONNX's own extractor overlooks.
    """
    graph = model.graph
    known = {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}
    wanted, nodes = set(outputs), []
    for node in reversed(graph.node):
        if not wanted.isdisjoint(set(node.output) - set(inputs)):
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            wanted.update(tensors_read_by(node))
    made = {name for node in nodes for name in node.output}
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = graph.name or "part"
    part.graph.node.extend(reversed(nodes))
    part.graph.input.extend(_described(name, known) for name in inputs if name in wanted)
    part.graph.output.extend(_described(name, known) for name in outputs)
    part.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in wanted)
    part.graph.value_info.extend(value for value in graph.value_info if value.name in made.difference(outputs))
    return part


def _described(name: str, known: dict[str, onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    return known.get(name) or helper.make_empty_tensor_value_info(name)
