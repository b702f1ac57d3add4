"""Build the program of a stage: its layers as one ONNX model that computes any of its tiles.

Every padding becomes a Pad node whose amounts are an input of the program: positive for a border, where the tile
touches the edge of the map, negative for a crop, where another layer needs more of the map. So one model, with one copy
of the weights, computes tiles of every kind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.engine.program_manifest import PIXELS_INPUT
from shared.errors import ModelError
from shared.ftp.operators import border_value, cell_constants, slice_starts_and_steps
from shared.model.geometry import drop_attributes
from shared.model.loading import constants_of
from shared.model.network import SLIDING
from shared.model.plain import PLAIN_OPSET, known_shapes, opset_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.stage import Stage
    from shared.model.arrays import Shape
    from shared.model.network import Layer
    from shared.model.spec import Preprocessing

PADS_INPUT = "pads"
"""Program input: the tile's pads, int64 (edges, 8), in the order of the stage's edges.

A row has the cells to add before each of the four axes, then those after each of them, as Pad reads them.
"""

JOINTS_METADATA = "joints"
"""Metadata key of a program: for each joint of the stage the map's name, channels and element type (JSON)."""


def build_program(head: onnx.ModelProto, stage: Stage, preprocessing: Preprocessing | None) -> bytes:
    """Build the program of `stage` from its layers in `head` (see shared.model.cutting), and serialise it.

    Inputs are the tile's pixels or, for a stage behind another one (`preprocessing` None), its parts of the maps
    between the two. Outputs are the maps at the cut, in order, float32 (1, C, h, w).
    """
    program = _Program(head, stage)
    if preprocessing is not None:
        program.add_preprocessing(preprocessing)
    for layer in stage.layers:
        program.add(layer)
    outputs = [program.result(tensor) for tensor in stage.cut]
    program.drop_unread(outputs)
    graph = helper.make_graph(
        program.nodes,
        "stage",
        program.inputs(pixels=preprocessing is not None),
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, program.shapes[tensor][1], None, None])
            for name, tensor in zip(outputs, stage.cut, strict=True)
        ],
        program.used_constants(),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", max(PLAIN_OPSET, opset_version(head)))],
        producer_name="deepthings",
    )
    model.ir_version = 10
    joints = [(name, program.shapes[name][1], program.type_of(name)) for name in stage.joints]
    helper.set_model_props(model, {JOINTS_METADATA: json.dumps(joints)})
    return bytes(model.SerializeToString(deterministic=True))


class _Program:
    """The nodes and constants of a program that is being built."""

    def __init__(self, head: onnx.ModelProto, stage: Stage) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.shapes: dict[str, Shape] = known_shapes(head)
        self._stage = stage
        self._constants: dict[str, onnx.TensorProto] = {tensor.name: tensor for tensor in head.graph.initializer}
        self._made_by = {name: node for node in head.graph.node for name in node.output}
        self._layers = {name: layer for layer in stage.layers for name in layer.outputs}
        self._constant_names = set(constants_of(head))
        self._types = {value.name: value.type.tensor_type.elem_type for value in head.graph.value_info}
        self._edges = {(edge.tensor, edge.layer): number for number, edge in enumerate(stage.edges)}
        self._placed: set[str] = set()

    def inputs(self, *, pixels: bool) -> list[onnx.ValueInfoProto]:
        """Return the descriptions of the program's inputs."""
        maps = [
            helper.make_tensor_value_info(name, self.type_of(name), [1, self.shapes[name][1], None, None])
            for name in self._stage.inputs
        ]
        sources = [helper.make_tensor_value_info(PIXELS_INPUT, TensorProto.UINT8, [1, "height", "width", 3])]
        pads = [helper.make_tensor_value_info(PADS_INPUT, TensorProto.INT64, [len(self._stage.edges), 8])]
        return [*(sources if pixels else maps), *(pads if self._stage.edges else ())]

    def add_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Add the conversion of uint8 (1, h, w, 3) to the network's normalised float32 (1, 3, h, w)."""
        for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
            self._constant(f"prepare.{name}", np.array(values, np.float32).reshape(3, 1))
        self._constant("prepare.rows", np.array([3, -1], np.int64))
        self.nodes += [
            helper.make_node("Transpose", [PIXELS_INPUT], ["prepare.planes"], "prepare.planes", perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["prepare.planes"], ["prepare.float"], "prepare.float", to=TensorProto.FLOAT),
            # Sub and Div work on (3, h * w): onnxruntime cannot move the Transpose behind them, where they would take
            # a third of the time of an int8 tile.
            helper.make_node("Shape", ["prepare.planes"], ["prepare.shape"], "prepare.shape"),
            helper.make_node("Reshape", ["prepare.float", "prepare.rows"], ["prepare.flat"], "prepare.flat"),
            helper.make_node("Sub", ["prepare.flat", "prepare.mean"], ["prepare.centred"], "prepare.centred"),
            helper.make_node("Div", ["prepare.centred", "prepare.std"], ["prepare.scaled"], "prepare.scaled"),
            helper.make_node(
                "Reshape", ["prepare.scaled", "prepare.shape"], [*self._stage.inputs], "prepare.normalised"
            ),
        ]

    def add(self, layer: Layer) -> None:
        """Add a layer with the pads and crops of its inputs, and the crop of its output."""
        node = onnx.NodeProto()
        node.CopyFrom(self._made_by[layer.outputs[0]])
        node.name = layer.name
        cells = cell_constants(layer)
        for at, name in enumerate(node.input):
            if name in cells:
                self._place_constant(name)
                self._expand_to_four_dimensions(name)
            if name in cells or name in layer.inputs:
                node.input[at] = self.read(name, layer)
            elif name:
                self._place_constant(name)
        self._remove_absolute_geometry(node, layer)
        self.nodes.append(node)
        crop = self._edges.get((layer.outputs[0], layer.name))
        if crop is not None:
            node.output[0] = f"{layer.outputs[0]}.uncropped"
            self._pad(node.output[0], layer.outputs[0], crop, 0.0, self.type_of(layer.outputs[0]))

    def read(self, tensor: str, layer: Layer | None) -> str:
        """Return the name under which `layer` reads `tensor`, after the pads of this edge of the graph are applied.

        `layer` is None for a result at the cut.
        """
        number = self._edges.get((tensor, layer.name if layer else None))
        if number is None:
            return tensor
        made = f"edge_{number:03d}"
        if made in self._placed:  # a layer may read a map twice
            return made
        self._placed.add(made)
        border = border_value(layer) if layer else 0.0
        producer = self._made_by.get(tensor)
        if producer is None or not self._can_pad_quantised(producer, border):
            self._pad(tensor, made, number, border, self.type_of(tensor))
            return made
        # Pad before DequantizeLinear: with a Pad behind it, onnxruntime would not compute the layer in integers.
        source, rest = self._read_of(tensor, producer.input[0]), list(producer.input)[1:]
        dequantize = onnx.NodeProto()
        dequantize.CopyFrom(producer)
        dequantize.name, dequantize.input[0], dequantize.output[0] = f"{made}.float", f"{made}.quantised", made
        zero = rest[1] if len(rest) > 1 and rest[1] else None
        element_type = self.type_of(producer.input[0])
        self._pad(source, f"{made}.quantised", number, border, element_type, zero if border == 0 else None)
        self.nodes.append(dequantize)
        return made

    def _read_of(self, made: str, tensor: str) -> str:
        """Return the name under which the layer that makes the tensor `made` reads `tensor`."""
        layer = self._layers.get(made)
        return self.read(tensor, layer) if layer else tensor

    def result(self, tensor: str) -> str:
        """Return the output name of a map at the cut; a map that is also an input gets another name."""
        made = self.read(tensor, None)
        if made in self._made_by or made != tensor:
            return made
        self.nodes.append(helper.make_node("Identity", [tensor], [f"{tensor}.result"], f"{tensor}.result"))
        return f"{tensor}.result"

    def drop_unread(self, outputs: Sequence[str]) -> None:
        """Remove the nodes that no output needs, which onnxruntime would run.

        An example is a DequantizeLinear whose readers all have a copy of their own, behind a Pad.
        """
        read, kept = set(outputs), []
        for node in reversed(self.nodes):
            if read.intersection(node.output):
                kept.append(node)
                read.update(node.input)
        self.nodes = kept[::-1]

    def type_of(self, tensor: str) -> int:
        """Return the element type of a map or constant, as a number of onnx.TensorProto."""
        if tensor in self._constants:
            return int(self._constants[tensor].data_type)
        return int(self._types.get(tensor, TensorProto.FLOAT))

    def used_constants(self) -> list[onnx.TensorProto]:
        """Return the constants that the nodes read."""
        used = {name for node in self.nodes for name in node.input}
        return [tensor for name, tensor in self._constants.items() if name in used]

    def _pad(
        self, source: str, made: str, number: int, border: float, element_type: int, zero: str | None = None
    ) -> None:
        """Add a Pad of `source` with row `number` of the pads; `zero` names a constant to use as the border value."""
        row, amounts = f"edge_{number:03d}.row", f"edge_{number:03d}.pads"
        self._constant(row, np.array(number, np.int64))
        border_name = zero or self._border(border, element_type)
        self.nodes += [
            helper.make_node("Gather", [PADS_INPUT, row], [amounts], amounts, axis=0),
            helper.make_node("Pad", [source, amounts, border_name], [made], f"edge_{number:03d}.pad"),
        ]

    def _border(self, border: float, element_type: int) -> str:
        """Add the constant for a border value; return its name."""
        dtype = helper.tensor_dtype_to_np_dtype(element_type)
        lowest = border == float("-inf")
        value = np.iinfo(dtype).min if lowest and np.issubdtype(dtype, np.integer) else border
        name = f"pad.{dtype.name}.{'lowest' if lowest else border}"
        self._constant(name, np.array(value).astype(dtype))
        return name

    def _can_pad_quantised(self, producer: onnx.NodeProto, border: float) -> bool:
        """Return whether a map can be padded before it is dequantised: one scale, and a border of 0 or -inf."""
        quantised = producer.op_type == "DequantizeLinear" and self._is_scalar(producer.input[1])
        return quantised and border in {0.0, float("-inf")}

    def _is_scalar(self, constant: str) -> bool:
        return constant in self._constants and np.prod(self._constants[constant].dims, initial=1) == 1

    def _constant(self, name: str, value: np.ndarray) -> None:
        self._constants[name] = numpy_helper.from_array(value, name)

    def _expand_to_four_dimensions(self, name: str) -> None:
        """Add leading axes to a constant with a value for each cell, so that it can be cropped like a map."""
        if name not in self._constants:
            if len(self.shapes.get(name, ())) != 4:
                raise ModelError(f"{name}, a quantised constant by cell, must have four dimensions; export it that way")
            return
        value = numpy_helper.to_array(self._constants[name])
        self._constant(name, value.reshape((1,) * (4 - value.ndim) + value.shape))

    def _place_constant(self, name: str) -> None:
        """Add the nodes that compute a constant from constants, such as a dequantised weight, once."""
        if name in self._constants or name in self._placed or name not in self._constant_names:
            return
        node = self._made_by[name]
        self._placed.update(node.output)
        for source in node.input:
            self._place_constant(source)
        self.nodes.append(node)

    def _remove_absolute_geometry(self, node: onnx.NodeProto, layer: Layer) -> None:
        """Remove from a layer the geometry that depends on the tile's position; the pads of its edges replace it."""
        if layer.op in SLIDING:
            drop_attributes(node, "pads", "auto_pad", "output_shape", "output_padding")
        if layer.op == "Pad":
            node.CopyFrom(helper.make_node("Identity", [node.input[0]], list(node.output), node.name))
        if layer.op == "Slice":
            self._slice(node, layer)
        if layer.op == "Resize":
            del node.input[3:]

    def _slice(self, node: onnx.NodeProto, layer: Layer) -> None:
        """Let a Slice of rows and columns begin at the tile's first cell; channels stay."""
        placed = slice_starts_and_steps(layer, self.shapes[layer.inputs[0]])
        starts = [0 if axis in {2, 3} else start for axis, (start, _) in placed.items()]
        given = layer.attributes["ends"]
        assert isinstance(given, tuple)
        ends = [np.iinfo(np.int64).max if axis in {2, 3} else end for axis, end in zip(placed, given, strict=True)]
        rows = {"starts": starts, "ends": ends, "axes": list(placed), "steps": [step for _, step in placed.values()]}
        source = node.input[0]
        del node.input[:]
        node.input.append(source)
        for role, values in rows.items():
            name = f"{layer.name}.{role}"
            self._constant(name, np.array(values, np.int64))
            node.input.append(name)
