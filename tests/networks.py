"""Networks for tests, made of seeded random weights."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

YOLOV2_FIRST_16: tuple[tuple[int, int] | None, ...] = (
    (32, 3), None, (64, 3), None, (128, 3), (64, 1), (128, 3), None,
    (256, 3), (128, 1), (256, 3), None, (512, 3), (256, 1), (512, 3), (256, 1),
)  # fmt: skip
"""Filters and kernel size of the layers 0-15 of YOLOv2, the ones that the paper fuses."""


def yolov2_first_16(size: int, seed: int = 1) -> onnx.ModelProto:
    """YOLOv2's layers 0-15 at `size` x `size` with He-scaled weights; the last tensor is `layer_15`."""
    random = np.random.default_rng(seed)
    nodes, weights = [], []
    tensor, channels = "image", 3
    for number, layer in enumerate(YOLOV2_FIRST_16):
        name = f"layer_{number:02d}"
        if layer is None:
            nodes.append(helper.make_node("MaxPool", [tensor], [name], name, kernel_shape=[2, 2], strides=[2, 2]))
        else:
            filters, kernel = layer
            shape = (filters, channels, kernel, kernel)
            scale = np.sqrt(2 / (channels * kernel * kernel))
            weight = (random.standard_normal(shape) * scale).astype(np.float32)
            bias = (random.standard_normal(filters) * 0.1).astype(np.float32)
            weights += [
                numpy_helper.from_array(weight, f"{name}.weight"),
                numpy_helper.from_array(bias, f"{name}.bias"),
            ]
            conv = helper.make_node(
                "Conv", [tensor, f"{name}.weight", f"{name}.bias"], [f"{name}.conv"], f"{name}.conv",
                kernel_shape=[kernel, kernel], pads=[kernel // 2] * 4,
            )  # fmt: skip
            nodes += [conv, helper.make_node("LeakyRelu", [f"{name}.conv"], [name], name, alpha=0.1)]
            channels = filters
        tensor = name
    return model_of(nodes, weights, {"image": (1, 3, size, size)}, {tensor: (1, channels, size // 16, size // 16)})


def model_of(nodes, weights, inputs, outputs) -> onnx.ModelProto:
    """A checked model of float32 tensors with known shapes."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)
