"""Reading ONNX files into one plain form: constants folded, shapes known, paddings explicit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from shared.errors import ModelError
from shared.model.network import Attribute, Layer, Network, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST_MODEL_BYTES = 2**31 - 1
"""Protocol buffers hold no more; a larger file cannot be an ONNX model."""


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file, fold its constants and infer its shapes.

    Raises ModelError: no such file, not ONNX, or shapes that are not fixed.
    """
    try:
        size = path.stat().st_size
        model = onnx.load(path) if size <= LARGEST_MODEL_BYTES else None
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror or error}") from error
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX model") from error
    except onnx.checker.ValidationError as error:  # weights in a file of their own that is not there
        raise ModelError(f"model {path} is not complete: {_first_line(error)}") from error
    if model is None:
        raise ModelError(f"{path} is larger than an ONNX file can be (2 GiB)")
    if any(isinstance(name, bytes) for node in model.graph.node for name in (*node.input, *node.output, node.name)):
        raise ModelError(f"{path} is not a valid ONNX model: it has names that are not UTF-8")
    try:
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(fold_constants(model), strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ModelError(f"{path} is not a valid ONNX model: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute once whatever depends on constants only, such as weights kept in half precision."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    remaining = []
    for node in graph.node:
        if node.op_type != "Constant" and not all(name in constants for name in node.input if name):
            remaining.append(node)
            continue
        inputs = {name: constants[name] for name in node.input if name}
        try:
            values = ReferenceEvaluator(node).run(None, inputs)
        except NotImplementedError:  # an operator of somebody's own stays as it is
            remaining.append(node)
            continue
        constants.update(zip(node.output, (np.asarray(value) for value in values), strict=True))
    used = {name for node in remaining for name in node.input} | {output.name for output in graph.output}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(remaining)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items() if name in used
    )
    return folded


def describe(model: onnx.ModelProto, name: str) -> Network:
    """The layers of a loaded model, as pure data. Raises ModelError when it has no single image input."""
    graph = model.graph
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes = {value.name: _shape(value, name) for value in (*graph.input, *graph.value_info, *graph.output)}
    inputs = [value.name for value in graph.input if value.name not in constants]
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    if len(inputs) != 1 or not _is_picture(shapes[inputs[0]]) or types[inputs[0]] != onnx.TensorProto.FLOAT:
        raise ModelError(
            f"{name} must have one image input, float32 (1, 3, H, W); it has "
            + ", ".join(f"{tensor} {shapes[tensor]}" for tensor in inputs)
        )
    return Network(
        name=name,
        input=inputs[0],
        outputs=tuple(value.name for value in graph.output),
        layers=tuple(_layer(node, index, constants, shapes) for index, node in enumerate(graph.node)),
        shapes=shapes,
    )


def _is_picture(shape: Shape) -> bool:
    return len(shape) == 4 and shape[:2] == (1, 3)


def _shape(value: onnx.ValueInfoProto, name: str) -> Shape:
    dimensions = value.type.tensor_type.shape.dim
    if any(not dimension.HasField("dim_value") for dimension in dimensions):
        raise ModelError(f"{name}: the size of {value.name} is not fixed; export the model with a fixed input size")
    return tuple(dimension.dim_value for dimension in dimensions)


def _layer(node: onnx.NodeProto, index: int, constants: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> Layer:
    inputs = tuple(tensor for tensor in node.input if tensor and tensor not in constants)
    attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
    layer_constants = {position: constants[tensor] for position, tensor in enumerate(node.input) if tensor in constants}
    if node.op_type in {"Conv", "MaxPool"}:
        attributes = _explicit_sliding(node, attributes, layer_constants, shapes)
    return Layer(
        name=node.name or f"{node.op_type.lower()}_{index:02d}",
        op=node.op_type,
        inputs=inputs,
        outputs=tuple(node.output),
        attributes=attributes,
        constants=layer_constants,
    )


def _attribute(attribute: onnx.AttributeProto) -> Attribute:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int | float):
        return value
    return tuple(value) if hasattr(value, "__iter__") else str(value)


def _explicit_sliding(
    node: onnx.NodeProto,
    attributes: Mapping[str, Attribute],
    constants: Mapping[int, Shape],
    shapes: Mapping[str, Shape],
) -> dict[str, Attribute]:
    """Kernel, strides, dilations and pads spelled out, whatever `auto_pad` says."""
    kernel = attributes.get("kernel_shape") or (constants.get(1) or shapes[node.input[1]])[2:]
    assert isinstance(kernel, tuple)
    rank = len(kernel)
    strides = attributes.get("strides", (1,) * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    assert isinstance(strides, tuple)
    assert isinstance(dilations, tuple)
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        if any(dilation != 1 for dilation in dilations):
            raise ModelError(
                f"layer {node.name or node.output[0]} has auto_pad {auto} and dilations {dilations}, which runtimes "
                "read differently; export it with explicit pads"
            )
        before, after = [], []
        sizes = zip(shapes[node.input[0]][2:], kernel, strides, dilations, strict=True)
        for size, length, stride, dilation in sizes:
            total = max(0, (-(-size // stride) - 1) * stride + (length - 1) * dilation + 1 - size)
            less, more = total // 2, total - total // 2
            before.append(less if auto == "SAME_UPPER" else more)
            after.append(more if auto == "SAME_UPPER" else less)
        pads = (*before, *after)
    return {**attributes, "kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
