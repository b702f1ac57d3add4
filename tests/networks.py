"""Networks for tests, made of seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.model.loading import describe

if TYPE_CHECKING:
    from shared.model.network import Network

YOLOV2_FIRST_16: tuple[tuple[int, int] | None, ...] = (
    (32, 3), None, (64, 3), None, (128, 3), (64, 1), (128, 3), None,
    (256, 3), (128, 1), (256, 3), None, (512, 3), (256, 1), (512, 3), (256, 1),
)  # fmt: skip
"""Filters and kernel size of the layers 0-15 of YOLOv2, the ones that the paper fuses."""


def yolov2_first_16(size: int, seed: int = 1) -> onnx.ModelProto:
    """YOLOv2's layers 0-15 at `size` x `size` with He-scaled weights; the last tensor is `layer_15`."""
    build = Builder(size, size, seed=seed)
    tensor = "image"
    for number, layer in enumerate(YOLOV2_FIRST_16):
        name = f"layer_{number:02d}"
        if layer is None:
            tensor = build.layer("MaxPool", tensor, name=name, kernel_shape=[2, 2], strides=[2, 2])
        else:
            filters, kernel = layer
            conv = build.conv(tensor, filters, kernel, name=f"{name}.conv", pads=[kernel // 2] * 4)
            tensor = build.layer("LeakyRelu", conv, name=name, alpha=0.1)
    return build.model(tensor)


class Builder:
    """Puts a network together layer by layer. Every layer makes one tensor of its own name, which is returned."""

    def __init__(self, height: int, width: int, channels: int = 3, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._input = (1, channels, height, width)
        self._channels = {"image": channels}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def conv(self, source, filters, kernel, *, name: str | None = None, bias=True, group=1, **attributes) -> str:
        """A convolution with a square or (rows, columns) kernel and He-scaled weights."""
        name = name or f"conv_{len(self._nodes)}"
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shape = (filters, self._channels[source] // group, height, width)
        scale = np.sqrt(2 / (shape[1] * height * width))
        constants = {f"{name}.weight": self._random.standard_normal(shape) * scale}
        if bias:
            constants[f"{name}.bias"] = self._random.standard_normal(filters) * 0.1
        self._channels[name] = filters
        return self.layer(
            "Conv", source, name=name, constants=constants, kernel_shape=[height, width], group=group, **attributes
        )

    def layer(self, op, *sources: str, name: str | None = None, constants=None, **attributes) -> str:
        """Any other layer; `constants` (by name) are inputs behind the sources."""
        name = name or f"{op.lower()}_{len(self._nodes)}"
        constants = constants or {}
        for key, value in constants.items():
            self._weights.append(numpy_helper.from_array(np.asarray(value, np.float32), key))
        self._nodes.append(helper.make_node(op, [*sources, *constants], [name], name, **attributes))
        channels = [self._channels[source] for source in sources]
        self._channels.setdefault(name, sum(channels) if op == "Concat" else channels[0])
        return name

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model with these outputs, checked."""
        return model_of(self._nodes, self._weights, {"image": self._input}, dict.fromkeys(outputs))

    def network(self, *outputs: str) -> Network:
        """The model with these outputs, as pure data."""
        return describe(self.model(*outputs), "test")


def model_of(nodes, weights, inputs, outputs) -> onnx.ModelProto:
    """A checked model of float32 tensors with known shapes; those of outputs may be left to be inferred (None)."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(inferred, full_check=True)
    return inferred
