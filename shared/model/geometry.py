"""Make the geometry of sliding and resizing layers explicit: numbers instead of rules such as SAME_UPPER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared.errors import ModelError
from shared.model.network import SLIDING
from shared.model.ordering import replace_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Shape

POOLS = frozenset(["AveragePool", "MaxPool"])

_COUNTED_PADS = "counted_pads"
"""A temporary attribute of an AveragePool: the part of its pads that the average counts as cells."""


def round_down_first_pool(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> bool:
    """Replace the ceil_mode of the first pool that has it by padding; return whether there was one.

    With ceil_mode, ONNX's shape inference also counts windows that begin behind the map and its padding, which no
    runtime computes. So the inferred shapes of later layers are right only without it.
    """
    for node in model.graph.node:
        attributes = _attributes(node)
        if node.op_type not in POOLS or not attributes.get("ceil_mode", 0):
            continue
        drop_attributes(node, "ceil_mode")
        size = shapes.get(node.input[0], ())[2:]
        if size and attributes.get("auto_pad", b"NOTSET") == b"NOTSET":
            _pad_for_last_window(model, node, attributes, size)
        return True
    return False


def _pad_for_last_window(
    model: onnx.ModelProto, node: onnx.NodeProto, attributes: Mapping[str, Any], size: Shape
) -> None:
    """Pad a pool of a map of `size` so that, rounded down, it has as many windows as with ceil_mode."""
    rank = len(size)
    given = list(attributes.get("pads", (0,) * 2 * rank))
    pads = given.copy()
    for axis, length in enumerate(size):
        stride = attributes.get("strides", (1,) * rank)[axis]
        reach = (attributes["kernel_shape"][axis] - 1) * attributes.get("dilations", (1,) * rank)[axis] + 1
        before, after = given[axis], given[rank + axis]
        last_start = length + before + after - reach
        count = -(-last_start // stride) + 1
        # Rounding up must add a window, and runtimes compute that window only when it begins on the map.
        if (count - 1) * stride < length + before and count > last_start // stride + 1:
            pads[rank + axis] = (count - 1) * stride + reach - length - before
    counted = given if attributes.get("count_include_pad", 0) else [0] * 2 * rank
    # Pools do not accept a pad as long as their kernel, which a dilated window may need: a Pad layer adds it.
    needs_pad_layer = any(pad >= kernel for pad, kernel in zip(pads, [*attributes["kernel_shape"]] * 2, strict=True))
    if needs_pad_layer:
        counted = [cells - pad for cells, pad in zip(counted, pads, strict=True)]
    _set(node, pads=[0] * 2 * rank if needs_pad_layer else pads)
    if node.op_type == "AveragePool":
        _set(node, **{_COUNTED_PADS: counted})
    if needs_pad_layer:
        _insert_pad_layer(model, node, pads)


def _insert_pad_layer(model: onnx.ModelProto, pool: onnx.NodeProto, pads: list[int]) -> None:
    """Insert a Pad layer with these pads before a pool."""
    rank, name = len(pads) // 2, f"{pool.output[0]}.padded"
    border = np.array(-np.inf if pool.op_type == "MaxPool" else 0, np.float32)
    amounts = np.array([0, 0, *pads[:rank], 0, 0, *pads[rank:]], np.int64)
    constants: dict[str, np.ndarray] = {f"{name}.amounts": amounts, f"{name}.border": border}
    model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    place = list(model.graph.node).index(pool)
    model.graph.node.insert(place, helper.make_node("Pad", [pool.input[0], *constants], [name], name))
    model.graph.node[place + 1].input[0] = name


def make_geometry_explicit(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Write paddings, kernels and factors as numbers. Raises ModelError where runtimes interpret a rule differently."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        known = node.input and node.input[0] in shapes and node.output[0] in shapes
        if node.op_type in SLIDING and known:
            nodes += _spell_out_sliding(model, node, shapes)
        elif node.op_type == "Resize" and known and len(node.input) > 3 and node.input[3]:
            _spell_out_resize(model, node, shapes)
    replace_nodes(model.graph, nodes)


def _spell_out_resize(model: onnx.ModelProto, node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> None:
    """Replace the output sizes of a Resize by factors."""
    if {"axes", "keep_aspect_ratio_policy"} & set(_attributes(node)):
        return
    before, after = shapes[node.input[0]], shapes[node.output[0]]
    factors = np.array([new / old for new, old in zip(after, before, strict=True)], np.float32)
    name, source = f"{node.output[0]}.scales", node.input[0]
    model.graph.initializer.append(numpy_helper.from_array(factors, name))
    del node.input[:]
    node.input.extend([source, "", name])


def _spell_out_sliding(
    model: onnx.ModelProto, node: onnx.NodeProto, shapes: Mapping[str, Shape]
) -> list[onnx.NodeProto]:
    """Write the geometry into `node`; return nodes that must follow it."""
    attributes = _attributes(node)
    size, made = shapes[node.input[0]][2:], shapes[node.output[0]][2:]
    rank = len(size)
    kernel = tuple(attributes.get("kernel_shape", ())) or shapes[node.input[1]][2:]
    strides = tuple(attributes.get("strides", (1,) * rank))
    dilations = tuple(attributes.get("dilations", (1,) * rank))
    pads = tuple(attributes.get("pads", (0,) * 2 * rank))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto.startswith("SAME"):
        pads = _same_pads(node, auto, size, made, (kernel, strides, dilations))
    elif auto == "VALID":
        pads = (0,) * 2 * rank
    _set(node, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)
    drop_attributes(node, "auto_pad", "output_shape", _COUNTED_PADS)
    if node.op_type != "AveragePool":
        return []
    if set(dilations) == {1}:
        drop_attributes(node, "dilations")  # onnxruntime's integer form of the pool does not take them
    counted = tuple(attributes.get(_COUNTED_PADS, pads if attributes.get("count_include_pad", 0) else (0,) * 2 * rank))
    _set(node, count_include_pad=1)
    return [] if counted == pads else _averages(model, node, size, made, counted)


def _same_pads(
    node: onnx.NodeProto, auto: str, size: Shape, made: Shape, geometry: tuple[Shape, Shape, Shape]
) -> tuple[int, ...]:
    """Return the pads that SAME_UPPER or SAME_LOWER means for these sizes."""
    kernel, strides, dilations = geometry
    if any(dilation != 1 for dilation in dilations):
        raise ModelError(
            f"layer {node.name or node.output[0]} has auto_pad {auto} and dilations {dilations}, which runtimes "
            "interpret differently; export it with explicit pads"
        )
    transposed = node.op_type == "ConvTranspose"
    spare = _attributes(node).get("output_padding", (0,) * len(size))
    totals = []
    for length, count, reach, stride, more in zip(size, made, kernel, strides, spare, strict=True):
        full = (length - 1) * stride + reach + more - count if transposed else (count - 1) * stride + reach - length
        totals.append(max(0, full))
    halves, others = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (*halves, *others) if auto == "SAME_UPPER" else (*others, *halves)


def _averages(
    model: onnx.ModelProto, node: onnx.NodeProto, size: Shape, made: Shape, counted: tuple[int, ...]
) -> list[onnx.NodeProto]:
    """Return the node that corrects the averages at the border of the map.

    The pool divides every sum by the size of its kernel. A Mul with a factor for each output cell corrects the cells
    whose windows contain fewer cells that count.
    """
    attributes = _attributes(node)
    factors = []
    for axis, (length, count) in enumerate(zip(size, made, strict=True)):
        kernel, stride = attributes["kernel_shape"][axis], attributes["strides"][axis]
        first = np.arange(count)[:, None] * stride - attributes["pads"][axis]
        cells = first + np.arange(kernel) * attributes.get("dilations", (1,) * len(size))[axis]
        inside = (cells >= -counted[axis]) & (cells < length + counted[len(size) + axis])
        factors.append(kernel / np.maximum(inside.sum(axis=1), 1))
    output = node.output[0]
    node.output[0] = f"{output}.sums"
    name = f"{output}.factor"
    factor = np.multiply.outer(*factors)[None, None].astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(factor, name))
    return [helper.make_node("Mul", [node.output[0], name], [output], f"{node.name or output}.factor")]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _set(node: onnx.NodeProto, **attributes: object) -> None:
    drop_attributes(node, *attributes)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())


def drop_attributes(node: onnx.NodeProto, *names: str) -> None:
    """Remove the attributes with these names, if the node has them."""
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)
