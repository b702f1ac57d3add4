"""Find out which part of the preprocessing a network's first layers do, and so which pixel values it expects.

A network that normalises its input, or swaps BGR and RGB, was exported for plain pixels: the usual preprocessing of its
family would be done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

if TYPE_CHECKING:
    from shared.model.arrays import Array
    from shared.model.spec import Preprocessing

PREPARING_LAYERS = frozenset(
    ["Add", "BatchNormalization", "Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Slice", "Split", "Sub"]
)
"""Operators of preprocessing: arithmetic by channel, and reordering of the channels."""

MAX_CHAIN_LAYERS = 16
"""Layers that are examined; exporters write two to six."""

MAX_FACTOR_OF_BYTES = 1 / 16
"""Networks for pixels from 0 to 255 multiply by less than this (1/255, 1/58), those for pixels from 0 to 1 by more
(1/0.229, 2)."""

MIN_OFFSET_OF_BYTES = 10.0
"""Networks for pixels from 0 to 255 subtract more than this (127, 104, 117, 123), those for pixels from 0 to 1 less."""

_GRAPH_NAME = "first layers"


@dataclass(frozen=True, slots=True)
class FirstLayers:
    """The preprocessing that the first layers do.

    `highest_pixel` is the value of a white pixel that they expect, 255 or 1; None if it is unknown. `flips`: they swap
    BGR and RGB.
    """

    highest_pixel: float | None = None
    flips: bool = False

    def adapt(self, usual: Preprocessing) -> Preprocessing:
        """Return a family's usual preprocessing without the part that the network does itself."""
        changes: dict[str, object] = {}
        if self.highest_pixel is not None:
            changes |= {"mean": (0.0,) * 3, "std": (255.0 / self.highest_pixel,) * 3}
        if self.flips:
            changes["channels"] = "bgr" if usual.channels == "rgb" else "rgb"
        return usual.model_copy(update=changes)


def first_layers(model: onnx.ModelProto, picture: str) -> FirstLayers:
    """Analyse the first layers of a model in plain form; `picture` is the name of its input."""
    nodes, last = _chain(model, picture)
    takes_uint8 = any(node.op_type == "Cast" and _cast_to(node) == TensorProto.UINT8 for node in nodes)
    untouched = FirstLayers(255.0 if takes_uint8 else None)
    if not nodes:
        return untouched
    try:
        offset, factors = _affine(model, nodes, picture, last)
    except Exception:  # noqa: BLE001  (the evaluator may raise anything, for example for constants by cell)
        return untouched
    is_permutation = np.array_equal(np.count_nonzero(factors, axis=1), (1, 1, 1))
    flips = is_permutation and np.abs(factors).argmax(axis=1).tolist() == [2, 1, 0]
    strongest = np.abs(factors).max()
    plain = np.allclose(factors.max(axis=1), 1) and np.allclose(offset, 0)
    if takes_uint8 or (not plain and (strongest <= MAX_FACTOR_OF_BYTES or np.abs(offset).max() > MIN_OFFSET_OF_BYTES)):
        return FirstLayers(255.0, flips)
    return FirstLayers(None if plain else 1.0, flips)


def _chain(model: onnx.ModelProto, picture: str) -> tuple[list[onnx.NodeProto], str]:
    """Return the leading preprocessing layers, and the tensor that the first other layer reads."""
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    reached, last = {picture}, picture
    for node in model.graph.node:
        if reached.isdisjoint(node.input):
            continue
        known = reached | constants | {""}
        if node.op_type not in PREPARING_LAYERS or len(nodes) == MAX_CHAIN_LAYERS or not known.issuperset(node.input):
            last = next(name for name in node.input if name in reached)
            break
        nodes.append(node)
        reached.update(node.output)
    return nodes, last


def _affine(model: onnx.ModelProto, nodes: list[onnx.NodeProto], picture: str, last: str) -> tuple[Array, Array]:
    """Return the affine map that the layers compute: the offset (3,), and the factors (3, 3), output by input channel.

    The layers are evaluated for pixels of 0 and 1, because a cast to uint8 does not change integers.
    """
    constants = [tensor for tensor in model.graph.initializer if any(tensor.name in node.input for node in nodes)]
    pixel = helper.make_tensor_value_info(picture, TensorProto.FLOAT, [1, 3, 1, 1])
    graph = helper.make_graph(nodes, _GRAPH_NAME, [pixel], [helper.make_empty_tensor_value_info(last)], constants)
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import))
    values = np.vstack([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)
    runs = [cast("list[Array]", evaluator.run(None, {picture: value.reshape(1, 3, 1, 1)})) for value in values]
    made = [outputs[0].reshape(3) for outputs in runs]
    return np.asarray(made[0], np.float64), np.stack([each - made[0] for each in made[1:]], axis=1).astype(np.float64)


def _cast_to(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "to"), TensorProto.UNDEFINED)
