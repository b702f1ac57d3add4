"""Specialise the program of a stage, whose pads are an input, for a single kind of tile with fixed pads.

Paddings move back into convolutions and pools, so that onnxruntime uses the kernels of an ordinary model; crops become
slices. At the joints of a stage with reuse, strips that the form takes become inputs, which are concatenated with the
tile's own part of the map; strips that it gives become outputs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared.engine.building import JOINTS_METADATA, PADS_INPUT
from shared.ftp.reuse import ABOVE, BELOW, LEFT, RIGHT
from shared.model.ordering import replace_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Form, Pads

_SIDE_NAMES = {ABOVE: "above", BELOW: "below", LEFT: "left", RIGHT: "right"}


def specialise(program: onnx.ModelProto, form: Form) -> onnx.ModelProto:
    """Return the program for tiles of this form. Inputs are the tile's parts, then its strips.

    Outputs are the maps at the cut, then the strips that the form gives.
    """
    special = onnx.ModelProto()
    special.CopyFrom(program)
    graph = special.graph
    _Joints(special).apply(form)
    edit = _Specialisation(graph, form.pads)
    nodes = [made for node in graph.node for made in edit.rewrite(node)]
    nodes += [edit.result(value.name) for value in graph.output if edit.source(value.name) != value.name]
    replace_nodes(graph, nodes)
    for value in [value for value in graph.input if value.name == PADS_INPUT]:
        graph.input.remove(value)
    used = {name for node in graph.node for name in node.input}
    constants = [tensor for tensor in (*graph.initializer, *edit.constants) if tensor.name in used]
    fresh = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in constants]
    del graph.initializer[:]
    graph.initializer.extend(fresh)
    return special


class _Joints:
    """Adds the inputs and outputs for strips at the joints of a program."""

    def __init__(self, program: onnx.ModelProto) -> None:
        metadata = {entry.key: entry.value for entry in program.metadata_props}
        self._graph = program.graph
        self._joints: list[tuple[str, int, int]] = json.loads(metadata.get(JOINTS_METADATA, "[]"))

    def apply(self, form: Form) -> None:
        taken: dict[int, dict[int, tuple[int, ...]]] = {}
        for joint, side, *size in form.taken:
            taken.setdefault(joint, {})[side] = tuple(size)
        made = {self._joints[joint][0]: self._concatenate(joint, sides) for joint, sides in taken.items()}
        nodes = []
        for node in self._graph.node:
            nodes.append(node)
            for at, name in enumerate(node.output):
                if name in made:
                    node.output[at] = f"{name}.own"
                    nodes += made[name]
        nodes += [node for number, given in enumerate(form.given) for node in self._cut_out(number, given)]
        replace_nodes(self._graph, nodes)

    def _concatenate(self, joint: int, sides: Mapping[int, tuple[int, ...]]) -> list[onnx.NodeProto]:
        """Concatenate the tile's own part with the strips left and right of it, then above and below."""
        name, channels, kind = self._joints[joint]
        strips = {}
        for side, size in sorted(sides.items()):
            strips[side] = f"{name}.{_SIDE_NAMES[side]}"
            self._graph.input.append(helper.make_tensor_value_info(strips[side], kind, [1, channels, *size]))
        wide = [part for part in (strips.get(LEFT), f"{name}.own", strips.get(RIGHT)) if part]
        tall = [part for part in (strips.get(ABOVE), f"{name}.wide", strips.get(BELOW)) if part]
        return [
            helper.make_node("Concat", wide, [f"{name}.wide"], f"{name}.wide", axis=3),
            helper.make_node("Concat", tall, [name], f"{name}.joined", axis=2),
        ]

    def _cut_out(self, number: int, given: tuple[int, ...]) -> list[onnx.NodeProto]:
        """Return the node that makes a strip an output of the program."""
        joint, _, top, left, bottom, right = given
        name, channels, kind = self._joints[joint]
        result = f"given_{number:03d}"
        rows = {"starts": [top, left], "ends": [bottom, right], "axes": [2, 3]}
        for role, values in rows.items():
            tensor = numpy_helper.from_array(np.array(values, np.int64), f"{result}.{role}")
            self._graph.initializer.append(tensor)
        shape = [1, channels, bottom - top, right - left]
        self._graph.output.append(helper.make_tensor_value_info(result, kind, shape))
        return [helper.make_node("Slice", [name, *(f"{result}.{role}" for role in rows)], [result], result)]


class _Specialisation:
    """Rewrites the nodes of a program: a Pad becomes the padding of a layer, a Pad or Slice with constants, or nothing.

    `_layer_pads` has the pads that layers take over, by the layer's first output. `_renamed` has the tensors that
    disappear, and for each the one that replaces it.
    """

    def __init__(self, graph: onnx.GraphProto, pads: Sequence[Pads]) -> None:
        self.constants: list[onnx.TensorProto] = []
        self._rows = {
            node.output[0]: pads[int(numpy_helper.to_array(row))]
            for node in graph.node
            if node.op_type == "Gather" and node.input[0] == PADS_INPUT
            for row in graph.initializer
            if row.name == node.input[1]
        }
        self._values = {tensor.name: tensor for tensor in graph.initializer if _is_scalar(tensor)}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        self._makers = {name: node for node in graph.node for name in node.output}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._renamed: dict[str, str] = {}
        self._layer_pads: dict[str, Pads] = {}
        for node in graph.node:
            if node.op_type == "Pad" and len(node.input) > 1 and node.input[1] in self._rows:
                self._merge_into_layer(node, self._rows[node.input[1]])

    def _merge_into_layer(self, pad: onnx.NodeProto, amounts: Pads) -> None:
        """Move the amounts of a Pad node into the layer before or behind it, if that layer can do its work."""
        maker = self._makers.get(pad.input[0])
        crops_output = pad.input[0] == f"{pad.output[0]}.uncropped"  # of the layer; else it crops for one reader only
        if crops_output and maker is not None and maker.op_type == "ConvTranspose" and max(amounts) <= 0:
            self._layer_pads[maker.output[0]] = tuple(-amount for amount in amounts)  # type: ignore[assignment]
            self._renamed[maker.output[0]] = pad.output[0]
        elif not any(amounts):
            self._renamed[pad.output[0]] = pad.input[0]
        elif min(amounts) >= 0 and (layer := self._layer_behind(pad)) is not None and _can_pad_by(layer, amounts):
            self._layer_pads[layer.output[0]] = amounts
            self._renamed[pad.output[0]] = pad.input[0]

    def _layer_behind(self, pad: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the only reader of a Pad, also behind a DequantizeLinear, if its own padding has the same value."""
        (reader, *others) = self._readers.get(pad.output[0], [None])
        if reader is not None and reader.op_type == "DequantizeLinear":
            (reader, *others) = self._readers.get(reader.output[0], [None])
        return reader if not others and reader is not None and self._has_border_of(reader, pad) else None

    def _has_border_of(self, layer: onnx.NodeProto, pad: onnx.NodeProto) -> bool:
        """Return whether the layer's own padding has the value that the Pad node has."""
        if self._readers[pad.output[0]][0].op_type == "DequantizeLinear":
            return True
        expected = -np.inf if layer.op_type == "MaxPool" else 0
        return bool(numpy_helper.to_array(self._values[pad.input[2]]) == expected)

    def rewrite(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the nodes that replace one node of the program."""
        if node.output[0] in self._rows:
            return []
        if node.op_type == "Pad" and len(node.input) > 1 and node.input[1] in self._rows:
            if node.output[0] in self._renamed or self._renamed.get(node.input[0]) == node.output[0]:
                return []
            return self._pad(node, self._rows[node.input[1]])
        made = onnx.NodeProto()
        made.CopyFrom(node)
        for at, name in enumerate(node.input):
            made.input[at] = self.source(name)
        layer_pads = self._layer_pads.get(node.output[0])
        if layer_pads is not None:
            made.attribute.append(helper.make_attribute("pads", list(layer_pads)))
        if node.op_type == "ConvTranspose" and layer_pads is not None:
            made.output[0] = self._renamed[node.output[0]]
        return [made]

    def source(self, name: str) -> str:
        """Return the tensor that replaces `name`."""
        while name in self._renamed:
            name = self._renamed[name]
        return name

    def result(self, name: str) -> onnx.NodeProto:
        """Return a node that gives an output of the program its name again."""
        return helper.make_node("Identity", [self.source(name)], [name], f"{name}.result")

    def _pad(self, node: onnx.NodeProto, amounts: Pads) -> list[onnx.NodeProto]:
        """Return a Pad where cells are added, and a Slice where cells are cropped."""
        source, name = self.source(node.input[0]), node.output[0]
        cropped = tuple(min(amount, 0) for amount in amounts)
        added = tuple(max(amount, 0) for amount in amounts)
        nodes = []
        if any(added):  # first, because the crop may leave no cell that could be padded
            made = f"{name}.added" if any(cropped) else name
            amounts_name = self._constant(f"{name}.amounts", [0, 0, added[0], added[1], 0, 0, added[2], added[3]])
            nodes.append(helper.make_node("Pad", [source, amounts_name, node.input[2]], [made], node.name))
            source = made
        if any(cropped):
            last = np.iinfo(np.int64).max
            rows = {
                "starts": [-cropped[0], -cropped[1]],
                "ends": [cropped[2] or last, cropped[3] or last],
                "axes": [2, 3],
            }
            inputs = [self._constant(f"{name}.{role}", values) for role, values in rows.items()]
            nodes.append(helper.make_node("Slice", [source, *inputs], [name], f"{node.name}.crop"))
        return nodes

    def _constant(self, name: str, values: list[int]) -> str:
        self.constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name


def _can_pad_by(layer: onnx.NodeProto, amounts: Pads) -> bool:
    """Return whether the layer can pad its input by these amounts; a pool only by less than its kernel."""
    if layer.op_type == "Conv":
        return True
    if layer.op_type not in {"MaxPool", "AveragePool"}:
        return False
    (kernel,) = (attribute.ints for attribute in layer.attribute if attribute.name == "kernel_shape")
    return all(amount < length for amount, length in zip(amounts, (*kernel, *kernel), strict=True))


def _is_scalar(tensor: onnx.TensorProto) -> bool:
    return all(length == 1 for length in tensor.dims)
