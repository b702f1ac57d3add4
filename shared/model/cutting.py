"""Cutting a model in two: the head, run tile by tile on the edges, and the tail, run on the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper
from onnx.utils import Extractor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.network import Network


def head_model(
    model: onnx.ModelProto, network: Network, cut: Sequence[str], after: Sequence[str] = ()
) -> onnx.ModelProto:
    """The part of `model` that makes the maps `cut`, of those `after` which it begins (the picture, when empty).

    Raises CutError as Network.head does.
    """
    network.between(after, cut)
    return Extractor(model).extract_model(list(after) or [network.input], list(cut))


def tail_model(model: onnx.ModelProto, network: Network, cut: Sequence[str]) -> onnx.ModelProto:
    """The part of `model` that turns the maps `cut` into its outputs. Raises CutError as Network.head does."""
    network.head(cut)
    return Extractor(model).extract_model(list(cut), list(network.outputs))


def with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The same model, in whatever form it is, with float32 `tensors` for outputs; what they do not need is left out."""
    wanted = set(tensors)
    nodes = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(node.input)
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(nodes)]
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in wanted]
    constants = {tensor.name for tensor in initializers}  # old files list them as inputs, so that they may be changed
    inputs = [value for value in model.graph.input if value.name in wanted and value.name not in constants]
    del cut.graph.node[:], cut.graph.output[:], cut.graph.initializer[:], cut.graph.input[:]
    cut.graph.node.extend(kept)
    cut.graph.input.extend(inputs)
    cut.graph.initializer.extend(initializers)
    cut.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors)
    return cut
