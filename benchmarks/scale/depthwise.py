"""Writes a detector of depthwise convolutions, as small devices often have, with seeded random weights.

It has the shape of a MobileNet with YOLOX's outputs at three strides, and few objects are found.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save_model

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, NodeProto

DEPTHWISE_SIZE = 416
_CLASSES = 80
_BLOCKS = ((64, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 2), *[(384, 1)] * 4, (768, 2), (768, 1))
"""Filters and stride of each block: a depthwise convolution and a pointwise one."""

_HEADS = {4: "stride_8", 9: "stride_16", 11: "stride_32"}
_OBJECTNESS_BIAS = -5.0
_PIXEL_SCALE = 1 / 64
"""Pixels are from 0 to 255; maps should be about 1."""


def write_depthwise(folder: Path, seed: int = 1) -> Path:
    """Write depthwise.onnx and its description into the folder; return the former."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "depthwise.onnx"
    save_model(_Builder(seed).build(), str(path))
    description = {"name": "depthwise", "file": path.name, "decoder": "yolox"}
    path.with_suffix(".json").write_text(json.dumps(description))
    return path


class _Builder:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def build(self) -> ModelProto:
        tensor = self._convolution("image", 3, 32, 3, stride=2, name="stem", scale=_PIXEL_SCALE)
        channels, heads = 32, []
        for number, (filters, stride) in enumerate(_BLOCKS):
            block = f"block_{number:02d}"
            tensor = self._convolution(tensor, channels, channels, 3, stride=stride, group=channels, name=f"{block}.dw")
            tensor = self._convolution(tensor, channels, filters, 1, name=block)
            channels = filters
            if number in _HEADS:
                heads.append(self._head(tensor, channels, _HEADS[number]))
        self._add("Concat", heads, "cells", axis=2)
        self._add("Transpose", ["cells"], "output", perm=[0, 2, 1])
        count = sum((DEPTHWISE_SIZE // stride) ** 2 for stride in (8, 16, 32))
        graph = helper.make_graph(
            self._nodes,
            "depthwise",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, DEPTHWISE_SIZE, DEPTHWISE_SIZE])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, count, 5 + _CLASSES])],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        checker.check_model(model, full_check=True)
        return model

    def _head(self, tensor: str, channels: int, name: str) -> str:
        """Add the outputs of one stride: box, objectness and classes of each cell, (1, 85, cells)."""
        parts = []
        for kind, filters, bias in (("box", 4, 0.0), ("object", 1, _OBJECTNESS_BIAS), ("class", _CLASSES, 0.0)):
            plain = self._weigh(tensor, channels, filters, 1, name=f"{name}.{kind}", bias=bias, scale=0.3)
            parts.append(plain if kind == "box" else self._add("Sigmoid", [plain], f"{plain}.sigmoid"))
        joined = self._add("Concat", parts, f"{name}.joined", axis=1)
        self._weights.append(numpy_helper.from_array(np.array([1, 5 + _CLASSES, -1], np.int64), f"{name}.shape"))
        return self._add("Reshape", [joined, f"{name}.shape"], f"{name}.cells")

    def _convolution(
        self, source: str, channels: int, filters: int, size: int, *, name: str,
        stride: int = 1, group: int = 1, scale: float = 1.0,
    ) -> str:  # fmt: skip
        plain = self._weigh(
            source, channels, filters, size, name=f"{name}.conv", stride=stride, group=group, scale=scale
        )
        return self._add("Relu", [plain], name)

    def _weigh(
        self, source: str, channels: int, filters: int, size: int, *, name: str,
        stride: int = 1, group: int = 1, bias: float = 0.0, scale: float = 1.0,
    ) -> str:  # fmt: skip
        shape = (filters, channels // group, size, size)
        kernels = self._random.standard_normal(shape) * scale * np.sqrt(2 / (shape[1] * size * size))
        biases = self._random.normal(0, 0.1, filters) + bias
        for suffix, values in (("weight", kernels), ("bias", biases)):
            self._weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name}.{suffix}"))
        return self._add(
            "Conv", [source, f"{name}.weight", f"{name}.bias"], name, kernel_shape=[size, size],
            strides=[stride, stride], pads=[size // 2] * 4, group=group,
        )  # fmt: skip

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:  # noqa: ANN401  (as onnx takes them)
        self._nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output
