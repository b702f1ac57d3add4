"""Cut a model in two: the head, run tile by tile on the edges, and the tail, run on the gateway."""

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
    """Return the part of `model` from the maps `after` (the picture, when empty) to the maps `cut`.

    Raises CutError as Network.head_layers does.
    """
    network.layers_between(after, cut)
    return _between(model, list(after) or [network.input], cut)


def tail_model(model: onnx.ModelProto, network: Network, cut: Sequence[str]) -> onnx.ModelProto:
    """Return the part of `model` from the maps `cut` to its outputs. Raises CutError as Network.head_layers does."""
    network.head_layers(cut)
    return _between(model, cut, network.outputs)


def with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """Return the model, plain or not, with `tensors` as outputs and without the nodes that these do not need."""
    constants = {tensor.name for tensor in model.graph.initializer}  # old files list them among the inputs
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    return _between(model, inputs, tensors)


def _between(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """Return the nodes from `inputs` to `outputs`, with the known shapes of their tensors; unused inputs are dropped.

    ONNX's own extractor overlooks that subgraphs read tensors of the graph around them.
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
