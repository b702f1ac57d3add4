"""Spelling out the geometry of layers that slide or resize: in numbers, whatever they leave to a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared.errors import ModelError
from shared.model.network import SLIDING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Shape

POOLS = frozenset(["AveragePool", "MaxPool"])

_COUNTED_PADS = "counted_pads"
"""A note on an AveragePool until its averages are spelled out: how much of its padding counts as cells."""


def round_down_first_pool(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> bool:
    """Give the first pool that rounds its size up the padding with which it need not; whether there was one.

    ONNX's shape inference counts windows that begin behind the map and its padding, which no runtime computes: what
    it says of the layers that follow is right only after this.
    """
    for node in model.graph.node:
        said = _attributes(node)
        if node.op_type not in POOLS or not said.get("ceil_mode", 0):
            continue
        _unset(node, "ceil_mode")
        size = shapes.get(node.input[0], ())[2:]
        if size and said.get("auto_pad", b"NOTSET") == b"NOTSET":
            _pad_for_last_window(model, node, said, size)
        return True
    return False


def _pad_for_last_window(model: onnx.ModelProto, node: onnx.NodeProto, said: Mapping[str, Any], size: Shape) -> None:
    rank = len(size)
    given = list(said.get("pads", (0,) * 2 * rank))
    pads = given.copy()
    for axis, length in enumerate(size):
        stride = said.get("strides", (1,) * rank)[axis]
        reach = (said["kernel_shape"][axis] - 1) * said.get("dilations", (1,) * rank)[axis] + 1
        before, after = given[axis], given[rank + axis]
        room = length + before + after - reach
        count = -(-room // stride) + 1
        if (count - 1) * stride < length + before and count > room // stride + 1:
            pads[rank + axis] = (count - 1) * stride + reach - length - before
    counted = given if said.get("count_include_pad", 0) else [0] * 2 * rank
    # Only a dilated window reaches further than its kernel is long, and pools do not take it: a layer of its own pads.
    apart = any(pad >= kernel for pad, kernel in zip(pads, [*said["kernel_shape"]] * 2, strict=True))
    if apart:
        counted = [cells - pad for cells, pad in zip(counted, pads, strict=True)]
    _set(node, pads=[0] * 2 * rank if apart else pads)
    if node.op_type == "AveragePool":
        _set(node, **{_COUNTED_PADS: counted})
    if apart:
        _pad_before(model, node, pads)


def _pad_before(model: onnx.ModelProto, pool: onnx.NodeProto, pads: list[int]) -> None:
    rank, name = len(pads) // 2, f"{pool.output[0]}.padded"
    border = np.array(-np.inf if pool.op_type == "MaxPool" else 0, np.float32)
    amounts = np.array([0, 0, *pads[:rank], 0, 0, *pads[rank:]], np.int64)
    constants: dict[str, np.ndarray] = {f"{name}.amounts": amounts, f"{name}.border": border}
    model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    place = list(model.graph.node).index(pool)
    model.graph.node.insert(place, helper.make_node("Pad", [pool.input[0], *constants], [name], name))
    model.graph.node[place + 1].input[0] = name


def make_geometry_explicit(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Paddings, kernels and factors in numbers. Raises ModelError for a rule that runtimes read differently."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        known = node.input and node.input[0] in shapes and node.output[0] in shapes
        if node.op_type in SLIDING and known:
            nodes += _spell_out_sliding(model, node, shapes)
        elif node.op_type == "Resize" and known and len(node.input) > 3 and node.input[3]:
            _spell_out_resize(model, node, shapes)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _spell_out_resize(model: onnx.ModelProto, node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> None:
    """Factors in the place of sizes."""
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
    """Write the geometry into `node`; returns nodes that must follow it."""
    said = _attributes(node)
    size, made = shapes[node.input[0]][2:], shapes[node.output[0]][2:]
    rank = len(size)
    kernel = tuple(said.get("kernel_shape", ())) or shapes[node.input[1]][2:]
    strides = tuple(said.get("strides", (1,) * rank))
    dilations = tuple(said.get("dilations", (1,) * rank))
    pads = tuple(said.get("pads", (0,) * 2 * rank))
    auto = said.get("auto_pad", b"NOTSET").decode()
    if auto.startswith("SAME"):
        pads = _same_pads(node, auto, size, made, (kernel, strides, dilations))
    elif auto == "VALID":
        pads = (0,) * 2 * rank
    _set(node, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)
    _unset(node, "auto_pad", "output_shape", _COUNTED_PADS)
    if node.op_type != "AveragePool":
        return []
    if set(dilations) == {1}:
        _unset(node, "dilations")  # onnxruntime's integer form of the pool does not take them
    counted = tuple(said.get(_COUNTED_PADS, pads if said.get("count_include_pad", 0) else (0,) * 2 * rank))
    _set(node, count_include_pad=1)
    return [] if counted == pads else _averages(model, node, size, made, counted)


def _same_pads(
    node: onnx.NodeProto, auto: str, size: Shape, made: Shape, geometry: tuple[Shape, Shape, Shape]
) -> tuple[int, ...]:
    """What SAME_UPPER and SAME_LOWER mean for these sizes."""
    kernel, strides, dilations = geometry
    if any(dilation != 1 for dilation in dilations):
        raise ModelError(
            f"layer {node.name or node.output[0]} has auto_pad {auto} and dilations {dilations}, which runtimes "
            "read differently; export it with explicit pads"
        )
    transposed = node.op_type == "ConvTranspose"
    spare = _attributes(node).get("output_padding", (0,) * len(size))
    totals = []
    for length, count, reach, stride, more in zip(size, made, kernel, strides, spare, strict=True):
        full = (length - 1) * stride + reach + more - count if transposed else (count - 1) * stride + reach - length
        totals.append(max(0, full))
    less, rest = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (*less, *rest) if auto == "SAME_UPPER" else (*rest, *less)


def _averages(
    model: onnx.ModelProto, node: onnx.NodeProto, size: Shape, made: Shape, counted: tuple[int, ...]
) -> list[onnx.NodeProto]:
    """An average over fewer cells at the border: a factor for every cell, behind a pool that counts all."""
    said = _attributes(node)
    factors = []
    for axis, (length, count) in enumerate(zip(size, made, strict=True)):
        kernel, stride = said["kernel_shape"][axis], said["strides"][axis]
        first = np.arange(count)[:, None] * stride - said["pads"][axis]
        cells = first + np.arange(kernel) * said.get("dilations", (1,) * len(size))[axis]
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
    _unset(node, *attributes)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())


def _unset(node: onnx.NodeProto, *names: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)
