"""Convert every model to one plain form.

A model in plain form has one picture as input, float32 (1, 3, H, W), the opset PLAIN_OPSET, folded constants and shape
arithmetic, and explicit paddings. The ONNX project's own tools do the work: version converter, shape inference and
reference evaluator.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from shared.errors import ModelError
from shared.model.channels_last import put_channels_first
from shared.model.geometry import make_geometry_explicit, round_down_first_pool
from shared.model.ordering import subgraphs, tensors_read_by
from shared.model.picture_input import picture_form, reduce_reshapes_to_one, set_single_picture_input
from shared.model.precision import in_single_precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Shape

PLAIN_OPSET = 21
"""Opset of the plain form; onnxruntime 1.20 and later run it."""

MAX_FOLDING_PASSES = 8
"""Passes of folding: shapes may depend on other shapes, and exporters nest them two or three deep."""

NEVER_FOLDED = frozenset(["Bernoulli", "DequantizeLinear", "RandomNormalLike", "RandomUniformLike"])
"""DequantizeLinear of a weight marks a quantised convolution; the others give random results."""

MAX_FOLDED_CELLS = 2**24
"""A constant that would be larger is not folded."""


def to_plain_form(model: onnx.ModelProto, size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """Return a new model that computes the same, in plain form, with all shapes that can be inferred.

    `size` is the (height, width) of the image input where the file leaves it open.
    Raises ModelError, and the errors of the ONNX tools for an invalid model.
    """
    plain = in_single_precision(model)
    form = picture_form(plain, size)
    if form is not None:
        set_single_picture_input(plain, form, size)
    if opset_version(plain) < PLAIN_OPSET:
        plain = onnx.version_converter.convert_version(plain, PLAIN_OPSET)
    _drop_shapes(plain)
    plain = fold_constants(plain)
    _drop_empty_inputs(plain)
    if form is not None and form.channels_last:
        put_channels_first(plain, form.input)
    if form is None or form.batch == 1:
        return _with_shapes(plain)
    reduce_reshapes_to_one(plain, form.batch)
    refusal = f"its batch size is {form.batch} and cannot be reduced to 1; export it with a batch size of 1"
    try:
        plain = _with_shapes(plain)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ModelError(refusal) from error
    if any(shape[:1] == (form.batch,) for output in plain.graph.output if (shape := fixed_shape(output))):
        raise ModelError(refusal)
    return plain


def _with_shapes(plain: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with inferred shapes, folded shape arithmetic and explicit paddings."""
    plain = _infer(plain)
    while round_down_first_pool(plain, known_shapes(plain)):
        _drop_shapes(plain)
        plain = _infer(plain)
    for _ in range(MAX_FOLDING_PASSES):
        if not _fold_shapes(plain):
            break
        plain = _infer(fold_constants(plain))
    make_geometry_explicit(plain, known_shapes(plain))
    return _infer(plain, strict=True)


def opset_version(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that the model uses."""
    return int(next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), PLAIN_OPSET))


def fixed_shape(value: onnx.ValueInfoProto) -> Shape | None:
    """Return the shape of a tensor, None when it is not fixed."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    dimensions = value.type.tensor_type.shape.dim
    fixed = all(dimension.HasField("dim_value") and dimension.dim_value >= 0 for dimension in dimensions)
    return tuple(dimension.dim_value for dimension in dimensions) if fixed else None


def known_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shapes of all tensors and constants of the model that have a fixed one."""
    graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {value.name: shape for value in values if (shape := fixed_shape(value)) is not None}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace all nodes that depend on constants only, such as casts of half-precision weights, by their results."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    remaining = []
    waiting = deque(graph.node)
    while waiting:
        node = waiting.popleft()
        values = _value(node, constants)
        if node.op_type == "If" and node.input[0] in constants:
            waiting.extendleft(reversed(_branch(node, taken=bool(constants[node.input[0]].item()), model=folded)))
            constants |= {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        elif values is None:
            remaining.append(node)
        else:
            constants.update(zip(node.output, values, strict=True))
    used = {name for node in remaining for name in tensors_read_by(node)} | {output.name for output in graph.output}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(remaining)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, order="C"), name) for name, value in constants.items() if name in used
    )
    return folded


def _branch(node: onnx.NodeProto, *, taken: bool, model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes of the branch that an If always takes; move its constants to the model."""
    name = "then_branch" if taken else "else_branch"
    graph = next(attribute.g for attribute in node.attribute if attribute.name == name)
    model.graph.initializer.extend(graph.initializer)
    ends = zip(graph.output, node.output, strict=True)
    return [*graph.node, *(helper.make_node("Identity", [inner.name], [outer], outer) for inner, outer in ends)]


def _value(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> list[np.ndarray] | None:
    """Return the results of a node with constant inputs; None when it has other inputs, or is not folded."""
    foldable = node.op_type == "Constant" or (any(node.input) and all(name in constants for name in node.input if name))
    if not foldable or node.op_type in NEVER_FOLDED or subgraphs(node):
        return None
    if node.op_type in {"ConstantOfShape", "Expand", "Tile"}:
        shape = constants[node.input[0] if node.op_type == "ConstantOfShape" else node.input[1]]
        if math.prod(shape.tolist()) > MAX_FOLDED_CELLS:
            return None
    inputs = {name: constants[name] for name in node.input if name}
    try:
        return [np.asarray(value) for value in ReferenceEvaluator(node).run(None, inputs)]
    except (NotImplementedError, RuntimeError):  # custom operators stay as they are
        return None


def _fold_shapes(model: onnx.ModelProto) -> bool:
    """Replace every Shape and Size of a tensor of known shape by a constant; return whether there were any."""
    shapes = known_shapes(model)
    found = False
    for node in model.graph.node:
        if node.op_type not in {"Shape", "Size"} or node.input[0] not in shapes:
            continue
        shape = np.array(shapes[node.input[0]], np.int64)
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        value = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
        value = np.array(shape.prod(), np.int64) if node.op_type == "Size" else value
        node.CopyFrom(
            helper.make_node("Constant", [], list(node.output), node.name, value=numpy_helper.from_array(value))
        )
        found = True
    return found


def _infer(model: onnx.ModelProto, *, strict: bool = False) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(model, strict_mode=strict, data_prop=True)


def _drop_empty_inputs(model: onnx.ModelProto) -> None:
    """Remove empty constants from Resize: before opset 13 they stood for missing inputs."""
    empty = {tensor.name for tensor in model.graph.initializer if list(tensor.dims) == [0]}
    for node in model.graph.node:
        if node.op_type == "Resize":
            kept = ["" if name in empty else name for name in node.input]
            del node.input[:]
            node.input.extend(kept)


def _drop_shapes(model: onnx.ModelProto) -> None:
    """Remove the shapes that the file gives, which may be those of another batch size; they are inferred again."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.type.tensor_type.elem_type:
            value.type.tensor_type.ClearField("shape")
