"""Writes a detector of depthwise convolutions with seeded random weights: MobileNet's layers, and outputs like YOLOX.

Depthwise layers compute little on large maps. An additional step between two of them, such as padding a tile, costs
more in comparison than in other networks. Source of the layers: Howard et al., "MobileNets", 2017, table 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

INPUT_SIDE = 416
"""Width and height of the input, in pixels: those of the small YOLOX networks."""

CLASS_COUNT = 80
"""As in COCO."""

FIRST_FILTERS = 32
"""Filters of the first, ordinary convolution."""

BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip
"""Filters and stride of each pair of a depthwise and a pointwise convolution."""

HEADS = (4, 10, 12)
"""Numbers of the blocks whose maps also go to outputs: at strides 8, 16 and 32."""

EMPTY_BIAS = -4.0
"""Added to objectness before its sigmoid, so that most cells are empty, as they are with trained weights."""


def write_depthwise(folder: Path, seed: int = 1) -> Path:
    """Write depthwise.onnx (17 MB) into the folder, and return its path. Its output is read as YOLOX."""
    graph = _Graph(seed)
    tensor, channels = graph.clip_to_six(graph.conv("image", 3, FIRST_FILTERS, 3, 2)), FIRST_FILTERS
    rows = []
    for number, (filters, stride) in enumerate(BLOCKS):
        tensor = graph.clip_to_six(graph.conv(tensor, channels, channels, 3, stride, group=channels))
        tensor, channels = graph.clip_to_six(graph.conv(tensor, channels, filters, 1)), filters
        if number in HEADS:
            rows.append(graph.head(tensor, channels))
    joined = graph.add("Concat", *rows, axis=2)
    graph.nodes.append(helper.make_node("Transpose", [joined], ["output"], "output", perm=[0, 2, 1]))
    cells = sum((INPUT_SIDE // stride) ** 2 for stride in (8, 16, 32))
    picture = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, INPUT_SIDE, INPUT_SIDE])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, cells, 5 + CLASS_COUNT])
    made = helper.make_graph(graph.nodes, "depthwise", [picture], [output], graph.weights)
    path = folder / "depthwise.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class _Graph:
    """The nodes and weights of the network so far. Methods add nodes, and return the name of the last one's result."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, *sources: str, **attributes: Any) -> str:  # noqa: ANN401  (attributes of any operator)
        name = f"{op.lower()}_{len(self.nodes):02d}"
        self.nodes.append(helper.make_node(op, list(sources), [name], name, **attributes))
        return name

    def conv(self, source: str, channels: int, filters: int, size: int, stride: int = 1, group: int = 1) -> str:
        """Add a convolution. Its weights are scaled so that its results are about as large as its input."""
        fan_in = channels // group * size**2
        kernels = self._random.standard_normal((filters, channels // group, size, size)) * np.sqrt(2 / fan_in)
        weight, bias = self._constant(kernels), self._constant(self._random.normal(0, 0.1, filters))
        sides = {"kernel_shape": [size] * 2, "pads": [size // 2] * 4, "strides": [stride] * 2}
        return self.add("Conv", source, weight, bias, group=group, **sides)

    def clip_to_six(self, source: str) -> str:
        """Add MobileNet's activation, which limits values to the range from 0 to 6."""
        return self.add("Clip", source, self._constant(0.0), self._constant(6.0))

    def head(self, source: str, channels: int) -> str:
        """Add the outputs of one stride: boxes, objectness and classes. Their shape is (1, 5 + CLASS_COUNT, cells)."""
        boxes = self.conv(source, channels, 4, 1)
        objectness = self.add("Add", self.conv(source, channels, 1, 1), self._constant(EMPTY_BIAS))
        classes = self.conv(source, channels, CLASS_COUNT, 1)
        scores = (self.add("Sigmoid", values) for values in (objectness, classes))
        joined = self.add("Concat", boxes, *scores, axis=1)
        shape = numpy_helper.from_array(np.array([1, 5 + CLASS_COUNT, -1], np.int64), f"{joined}.shape")
        self.weights.append(shape)
        return self.add("Reshape", joined, shape.name)

    def _constant(self, value: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | float) -> str:
        name = f"constant_{len(self.weights):02d}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name
