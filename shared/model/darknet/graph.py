"""Write an ONNX model node by node, with the shape of every tensor."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper

from shared.model.plain import PLAIN_OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

NodeAttribute = int | float | str | list[int]

IR_VERSION = 10
"""Version of ONNX's file format in the models that are made of Darknet's files."""


@dataclass(frozen=True, slots=True)
class DarknetMap:
    """A feature map, float32 (1, channels, height, width); `stride` is the distance of two cells in image pixels."""

    tensor: str
    channels: int
    height: int
    width: int
    stride: Fraction = Fraction(1)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, self.channels, self.height, self.width


class OnnxGraph:
    """The ONNX model that is being built. Weights are written directly into its message: copies would be large."""

    def __init__(self, image: DarknetMap) -> None:
        self._model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="deepthings")
        self._model.opset_import.append(helper.make_opsetid("", PLAIN_OPSET))
        self._graph = self._model.graph
        self._graph.name = "darknet"
        self._graph.input.append(_value(image.tensor, image.shape))
        self._shapes: dict[str, Sequence[int]] = {}

    def add_constant(self, name: str, array: np.ndarray[Any, Any]) -> str:
        """Add an initialiser, float32 or int64; return its name."""
        self._graph.initializer.add(
            name=name,
            dims=array.shape,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            raw_data=array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(),
        )
        return name

    def add_node(
        self,
        op: str,
        inputs: Sequence[str],
        output: str,
        shape: Sequence[int],
        attributes: Mapping[str, NodeAttribute],
    ) -> None:
        """Add an operation with the output `output` and the same name."""
        node = helper.make_node(op, inputs, [output], output)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in sorted(attributes.items()))
        self._graph.node.append(node)
        self._shapes[output] = shape

    def to_model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        """Return the model with these tensors as outputs."""
        self._graph.output.extend(_value(name, self._shapes[name]) for name in outputs)
        self._graph.value_info.extend(
            _value(name, shape) for name, shape in self._shapes.items() if name not in set(outputs)
        )
        return self._model


def _value(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
