"""A small detector of Darknet to put layers into, and running what is made of it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.darknet_files import head_conv, net, yolo

SIZE = (8, 12)
CHANNELS = 12
BEFORE = [net(SIZE), head_conv(CHANNELS), yolo("0,1", "4,4, 8,8", 1), ("route", {"layers": "0"})]
"""A whole detector and, as layer 2, its map of CHANNELS x SIZE cells; what follows may make maps of any size of it."""

EVERY_NETWORK = pytest.mark.parametrize("network", ["yolov2", "yolov3_tiny", "yolov4_tiny", "everything"])


def run(model, image):
    """All tensors by name."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    names = {output.name for output in model.graph.output}
    opened.graph.output.extend(value for value in model.graph.value_info if value.name not in names)
    session = onnxruntime.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def image_of(size, channels=3):
    return np.random.default_rng(5).standard_normal((1, channels, *size), np.float32)


def shape_of(value):
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def constants_of(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def close(made, expected):
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)
