"""Read ONNX files, and describe a model as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from shared.errors import ModelError
from shared.model.network import Attribute, Layer, Network
from shared.model.ordering import sort_nodes, subgraphs, tensors_read_by
from shared.model.plain import PLAIN_OPSET, fixed_shape, known_shapes, opset_version, to_plain_form
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.model.arrays import Shape

MAX_MODEL_BYTES = 2**31 - 1
"""The limit of protocol buffers; a larger file cannot be an ONNX model."""

GEOMETRY_INPUTS = {
    "Pad": ("", "pads", "constant_value", "axes"),
    "ReduceMax": ("", "axes"),
    "ReduceMean": ("", "axes"),
    "ReduceMin": ("", "axes"),
    "ReduceSum": ("", "axes"),
    "Resize": ("", "roi", "scales", "sizes"),
    "Slice": ("", "starts", "ends", "axes", "steps"),
    "Split": ("", "split"),
}
"""Names of inputs with geometry, by operator and position: constants there become attributes of the layer."""


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file; its nodes are sorted, and its local functions are inlined.

    Raises ModelError for a file that is missing, not ONNX, or not complete.
    """
    try:
        size = path.stat().st_size
        model = onnx.load(path) if size <= MAX_MODEL_BYTES else None
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {system_reason(error)}") from error
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX model") from error
    except onnx.checker.ValidationError as error:  # a separate file of weights is missing
        raise ModelError(f"model {path} is not complete: {_first_line(error)}") from error
    if model is None:
        raise ModelError(f"{path} is larger than an ONNX file can be (2 GiB)")
    if model.graph.sparse_initializer:
        raise ModelError(f"model {path} has sparse weights; export it with dense ones")
    if any(isinstance(name, bytes) for node in model.graph.node for name in (*node.input, *node.output, node.name)):
        raise ModelError(f"{path} is not a valid ONNX model: it has names that are not UTF-8")
    try:
        sort_nodes(model.graph)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
            sort_nodes(model.graph)
        if not all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
            model = onnx.shape_inference.infer_shapes(model)  # graph editors leave them out, and runtimes accept that
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} is not a valid ONNX model: {_first_line(error)}") from error
    return model


def plain_model(model: onnx.ModelProto, name: str, size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """Return the model in plain form, see shared.model.plain. `size` is the (height, width) that the file leaves open.

    Raises ModelError, with the `name`, when the model is not valid or cannot be converted.
    """
    try:
        return to_plain_form(model, size)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    except onnx.version_converter.ConvertError as error:
        raise ModelError(
            f"{name}: opset {opset_version(model)} cannot be converted to {PLAIN_OPSET}: {_first_line(error)}; "
            "export it with opset 13 or later"
        ) from error
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ModelError(f"{name} is not a valid ONNX model: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["unknown reason"])[0]


def describe_network(model: onnx.ModelProto, name: str) -> Network:
    """Describe a model in plain form as pure data. Raises ModelError when it has no single image input."""
    graph = model.graph
    constants = constants_of(model)
    shapes = known_shapes(model)
    types = {
        value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type
    }
    read = {tensor for node in graph.node for tensor in tensors_read_by(node)}
    inputs = [value.name for value in graph.input if value.name not in constants and value.name in read]
    unsized = [value.name for value in graph.input if value.name in inputs and _is_unsized_picture(value)]
    if unsized:
        raise ModelError(
            f"{name}: the size of {unsized[0]} is not fixed; export the model with a fixed input size, or give the "
            'height and width in its description, as "input": [416, 416]'
        )
    if len(inputs) != 1 or not _is_picture(shapes[inputs[0]]) or types[inputs[0]] != "float32":
        raise ModelError(
            f"{name} must have one image input, float32 (1, 3, H, W); it has "
            + ", ".join(f"{tensor} {types.get(tensor)} {shapes.get(tensor)}" for tensor in inputs)
            + "; export it that way"
        )
    layers = []
    names: set[str] = set()
    for index, node in enumerate(graph.node):
        if node.output[0] not in constants:
            layers.append(_layer(node, _unique(node, index, names), constants, shapes))
    return Network(
        name=name,
        input=inputs[0],
        outputs=tuple(value.name for value in graph.output),
        layers=tuple(layers),
        shapes={tensor: shape for tensor, shape in shapes.items() if tensor not in constants},
        types={tensor: kind for tensor, kind in types.items() if tensor not in constants},
    )


def constants_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto | None]:
    """Return all constants by name: initializers with their tensor, results of other constants with None.

    Such a result is, for example, a dequantised weight.
    """
    constants: dict[str, onnx.TensorProto | None] = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.input and not subgraphs(node) and all(name in constants for name in node.input if name):
            constants.update(dict.fromkeys(node.output))
    return constants


def _is_unsized_picture(value: onnx.ValueInfoProto) -> bool:
    """Return whether an input may be a picture (four axes, or unknown ones) whose size is not fixed."""
    tensor = value.type.tensor_type
    return fixed_shape(value) is None and (not tensor.HasField("shape") or len(tensor.shape.dim) == 4)


def _is_picture(shape: Shape) -> bool:
    return len(shape) == 4 and shape[:2] == (1, 3)


def _unique(node: onnx.NodeProto, index: int, names: set[str]) -> str:
    """Return the node's name, or a new one when it has none or another node has it."""
    name = node.name or f"{node.op_type.lower()}_{index:02d}"
    if name in names:
        name = f"{name}_{index:02d}"
    names.add(name)
    return name


def _layer(
    node: onnx.NodeProto, name: str, constants: Mapping[str, onnx.TensorProto | None], shapes: Mapping[str, Shape]
) -> Layer:
    attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
    roles = GEOMETRY_INPUTS.get(node.op_type, ())
    weights: dict[str, Shape] = {}
    for position, tensor in enumerate(node.input):
        if tensor not in constants:
            continue
        constant = constants[tensor]
        role = roles[position] if position < len(roles) else ""
        if role and constant is not None:
            attributes[role] = _numbers(constant)
        else:
            weights[tensor] = tuple(constant.dims) if constant is not None else shapes.get(tensor, ())
    if node.op_type == "Pad" and "pads" in attributes:
        attributes["pads"] = _pads_of_all_axes(attributes)
    return Layer(
        name=name,
        op=node.op_type,
        inputs=tuple(tensor for tensor in tensors_read_by(node) if tensor not in constants),
        outputs=tuple(tensor for tensor in node.output if tensor),
        attributes=attributes,
        constants=weights,
    )


def _numbers(constant: onnx.TensorProto) -> Attribute:
    values = numpy_helper.to_array(constant)
    return values.item() if values.ndim == 0 else tuple(values.ravel().tolist())


def _pads_of_all_axes(attributes: Mapping[str, Attribute]) -> tuple[int, ...]:
    """Return a Pad's amounts for all four axes, begin and end; it may name only some axes."""
    pads, axes = attributes["pads"], attributes.get("axes", (0, 1, 2, 3))
    assert isinstance(pads, tuple)
    assert isinstance(axes, tuple)
    full = [0] * 8
    for number, axis in enumerate(axes):
        full[int(axis) % 4], full[4 + int(axis) % 4] = int(pads[number]), int(pads[len(axes) + number])
    return tuple(full)


def _attribute(attribute: onnx.AttributeProto) -> Attribute:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int | float):
        return value
    return tuple(value) if hasattr(value, "__iter__") else str(value)
