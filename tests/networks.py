"""Networks for tests, made of seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.model.loading import describe_network
from shared.model.plain import to_plain_form

if TYPE_CHECKING:
    from shared.model.network import Network

YOLOV2_FIRST_16: tuple[tuple[int, int] | None, ...] = (
    (32, 3), None, (64, 3), None, (128, 3), (64, 1), (128, 3), None,
    (256, 3), (128, 1), (256, 3), None, (512, 3), (256, 1), (512, 3), (256, 1),
)  # fmt: skip
"""Filters and kernel size of the layers 0-15 of YOLOv2, the ones that the paper fuses."""


def yolov2_first_16(size: int, seed: int = 1) -> onnx.ModelProto:
    """Return YOLOv2's layers 0-15 at `size` x `size` with He-scaled weights; the last tensor is `layer_15`."""
    build = ModelBuilder(size, size, seed=seed)
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


class ModelBuilder:
    """Puts a network together layer by layer. Every layer makes one tensor of its own name, which is returned."""

    def __init__(self, height: int, width: int, channels: int = 3, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._input = (1, channels, height, width)
        self._channels = {"image": channels, "": 0}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    @property
    def count(self) -> int:
        """Constants and layers so far: a number for the next name."""
        return len(self._weights) + len(self._nodes)

    def constant(self, name: str, value) -> str:
        """Add a constant that layers can name among their sources."""
        self._weights.append(numpy_helper.from_array(np.asarray(value), name))
        self._channels[name] = 0
        return name

    def conv(
        self, source, filters, kernel, *, name: str | None = None, bias=True, group=1, op="Conv", **attributes
    ) -> str:
        """Add a convolution (or a transposed one) with a square or (rows, columns) kernel and He-scaled weights."""
        name = name or f"conv_{len(self._nodes)}"
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shape = (filters, self._channels[source] // group, height, width)
        if op == "ConvTranspose":
            shape = (self._channels[source], filters // group, height, width)
        scale = np.sqrt(2 / (shape[1] * height * width))
        constants = {f"{name}.weight": self._random.standard_normal(shape) * scale}
        if bias:
            constants[f"{name}.bias"] = self._random.standard_normal(filters) * 0.1
        self._channels[name] = filters
        return self.layer(
            op, source, name=name, constants=constants, kernel_shape=[height, width], group=group, **attributes
        )

    def layer(self, op, *sources: str, name: str | None = None, constants=None, channels=0, **attributes) -> str:
        """Add any other layer; `constants` (by name) are inputs behind the sources, `channels` those of the output."""
        name = name or f"{op.lower()}_{len(self._nodes)}"
        constants = constants or {}
        for key, value in constants.items():
            array = np.asarray(value)
            kind = np.float32 if array.dtype == np.float64 else array.dtype
            self._weights.append(numpy_helper.from_array(array.astype(kind), key))
        self._nodes.append(helper.make_node(op, [*sources, *constants], [name], name, **attributes))
        known = [self._channels[source] for source in sources]
        self._channels.setdefault(name, channels or (sum(known) if op == "Concat" else known[0]))
        return name

    def model(self, *outputs: str) -> onnx.ModelProto:
        """Return the model with these outputs, checked, in plain form."""
        return model_of(self._nodes, self._weights, {"image": self._input}, dict.fromkeys(outputs))

    def original(self, *outputs: str) -> onnx.ModelProto:
        """Return the model with these outputs as an exporter would write it."""
        return exported_model(self._nodes, self._weights, {"image": self._input}, dict.fromkeys(outputs))

    def network(self, *outputs: str) -> Network:
        """Describe the model with these outputs as pure data."""
        return describe_network(self.model(*outputs), "test")


def model_of(nodes, weights, inputs, outputs) -> onnx.ModelProto:
    """Return a checked model in plain form with float32 tensors of known shapes; outputs may have none (None)."""
    plain = to_plain_form(exported_model(nodes, weights, inputs, outputs))
    onnx.checker.check_model(plain, full_check=True)
    return plain


def exported_model(nodes, weights, inputs, outputs) -> onnx.ModelProto:
    """Return a model of float32 tensors with known shapes, as an exporter would write it."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    return model


def detector_of(tables, size=(64, 64), metadata=None) -> onnx.ModelProto:
    """Return a network of one convolution with these arrays as outputs, by name, for every picture."""
    random = np.random.default_rng(1)
    constants: dict[str, np.ndarray] = {
        "kernel": (random.standard_normal((4, 3, 3, 3)) * 0.1).astype(np.float32),
        "nothing": np.array(0, np.float32),
        "all": np.array([-1], np.int64),
        "one": np.array(0, np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], "conv", kernel_shape=[3, 3], strides=[4, 4],
                         pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["map"], "map"),
        helper.make_node("Reshape", ["map", "all"], ["flat"], "flat"),
        helper.make_node("Gather", ["flat", "one"], ["cell"], "cell"),
        helper.make_node("Mul", ["cell", "nothing"], ["zero"], "zero"),
    ]  # fmt: skip
    outputs = []
    for name, table in tables.items():
        array = np.asarray(table)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        constants[f"{name}.table"] = array
        nodes.append(helper.make_node("Cast", ["zero"], [f"{name}.zero"], f"{name}.zero", to=kind))
        nodes.append(helper.make_node("Add", [f"{name}.table", f"{name}.zero"], [name], name))
        outputs.append(helper.make_tensor_value_info(name, kind, array.shape))
    graph = helper.make_graph(
        nodes, "detector", [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, *size))], outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    return model
