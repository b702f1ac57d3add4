"""Convert models from half to single precision.

float32 holds every float16 number exactly, so nothing is lost; sums only become more exact.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from shared.model.ordering import subgraphs

HALF_PRECISION = frozenset([TensorProto.FLOAT16, TensorProto.BFLOAT16])

ELEMENT_TYPES = {"Cast": "to", "EyeLike": "dtype", "DequantizeLinear": "output_dtype", "SequenceEmpty": "dtype"}
"""By operator: the name of the attribute with the element type of its output."""


def in_single_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same model with float32 wherever it has float16 or bfloat16, inputs and outputs included."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    _widen(single.graph)
    return single


def _widen(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in HALF_PRECISION:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen_tensor(attribute.t)
            if ELEMENT_TYPES.get(node.op_type) == attribute.name and attribute.i in HALF_PRECISION:
                attribute.i = TensorProto.FLOAT
        for inner in subgraphs(node):
            _widen(inner)


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in HALF_PRECISION:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
