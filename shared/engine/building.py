"""Building the program of a stage: its layers as one ONNX model that computes any of its tiles.

Every padding becomes a Pad node whose amounts are an input of the run: a border where the tile touches the edge of
the map (positive), a crop where another consumer needed more of it (negative). So one session, with one copy of the
weights, serves tiles of every kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.ftp.windows import BORDER_VALUE

if TYPE_CHECKING:
    from shared.ftp.tiles import Edge, Stage
    from shared.model.spec import Preprocessing

OPSET = 21
"""Pad takes its axes as an input since 18; 21 is what onnxruntime 1.20 and everything later runs."""

PIXELS = "pixels"
"""Program input: one tile, uint8 (1, h, w, 3)."""

PADS = "pads"
"""Program input: int64 (edges, 4), the tile's pads in the stage's edge order."""


def build_program(head: onnx.ModelProto, stage: Stage, preprocessing: Preprocessing) -> bytes:
    """Serialise the program of `stage` from its layers in `head` (as shared.model.cutting makes it).

    The program's outputs are the maps at the cut, in order, float32 (1, C, h, w).
    """
    source = onnx.version_converter.convert_version(head, OPSET) if _opset(head) < OPSET else head
    initializers = {tensor.name: tensor for tensor in source.graph.initializer}
    nodes = _preparation(stage.input, preprocessing, initializers)
    edge_of = {(edge.layer, edge.position): number for number, edge in enumerate(stage.edges)}
    if stage.edges:
        initializers |= {tensor.name: tensor for tensor in _pad_constants()}
    for layer, node in zip(stage.layers, _in_order(source, stage), strict=True):
        activations = [at for at, name in enumerate(node.input) if name and name not in initializers]
        node.name = layer.name
        for position, at in enumerate(activations):
            number = edge_of.get((layer.name, position))
            if number is not None:
                nodes += _pad(stage.edges[number], number, layer.op, initializers)
                node.input[at] = _padded(number)
        _drop_padding(node)
        nodes.append(node)
    outputs = []
    for position, tensor in enumerate(stage.cut):
        number = edge_of.get((None, position))
        if number is not None:
            nodes += _pad(stage.edges[number], number, "", initializers)
        outputs.append(tensor if number is None else _padded(number))
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "stage",
        _inputs(stage),
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in outputs],
        [tensor for name, tensor in initializers.items() if name in used],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", max(OPSET, _opset(source)))], producer_name="deepthings"
    )
    model.ir_version = 10
    return bytes(model.SerializeToString(deterministic=True))


def _opset(model: onnx.ModelProto) -> int:
    return int(next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}))


def _inputs(stage: Stage) -> list[onnx.ValueInfoProto]:
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, [1, None, None, 3])
    pads = helper.make_tensor_value_info(PADS, TensorProto.INT64, [len(stage.edges), 4])
    return [pixels, pads] if stage.edges else [pixels]


def _in_order(source: onnx.ModelProto, stage: Stage) -> list[onnx.NodeProto]:
    """Copies of the stage's nodes; they are known by what they make, as a node need not have a name."""
    made_by = {name: node for node in source.graph.node for name in node.output}
    nodes = []
    for layer in stage.layers:
        node = onnx.NodeProto()
        node.CopyFrom(made_by[layer.outputs[0]])
        nodes.append(node)
    return nodes


def _preparation(
    tensor: str, preprocessing: Preprocessing, initializers: dict[str, onnx.TensorProto]
) -> list[onnx.NodeProto]:
    """From uint8 (1, h, w, 3) to the network's normalised float32 (1, 3, h, w)."""
    for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        array = np.array(values, np.float32).reshape(1, 3, 1, 1)
        initializers[f"prepare.{name}"] = numpy_helper.from_array(array, f"prepare.{name}")
    return [
        helper.make_node("Transpose", [PIXELS], ["prepare.planes"], "prepare.planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["prepare.planes"], ["prepare.float"], "prepare.float", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["prepare.float", "prepare.mean"], ["prepare.centred"], "prepare.centred"),
        helper.make_node("Div", ["prepare.centred", "prepare.std"], [tensor], "prepare.normalised"),
    ]


def _pad_constants() -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(np.array([2, 3], np.int64), "pad.axes"),
        numpy_helper.from_array(np.array(0.0, np.float32), "pad.zero"),
        numpy_helper.from_array(np.array(-np.inf, np.float32), "pad.lowest"),
    ]


def _padded(number: int) -> str:
    return f"edge_{number:03d}"


def _pad(edge: Edge, number: int, op: str, initializers: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Take row `number` of the pads and apply it to the edge's map."""
    row, amounts = f"{_padded(number)}.row", f"{_padded(number)}.pads"
    initializers[row] = numpy_helper.from_array(np.array(number, np.int64), row)
    border = "pad.lowest" if BORDER_VALUE.get(op, 0.0) < 0 else "pad.zero"
    return [
        helper.make_node("Gather", [PADS, row], [amounts], amounts, axis=0),
        helper.make_node("Pad", [edge.tensor, amounts, border, "pad.axes"], [_padded(number)], _padded(number)),
    ]


def _drop_padding(node: onnx.NodeProto) -> None:
    """The Pad before the layer does it all."""
    kept = [attribute for attribute in node.attribute if attribute.name not in {"pads", "auto_pad"}]
    if len(kept) != len(node.attribute):
        del node.attribute[:]
        node.attribute.extend(kept)
