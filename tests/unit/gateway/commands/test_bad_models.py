"""Whatever a user brings as a model: one clear line, exit code 1 or 2, and no traceback."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.darknet_files import yolov3_tiny
from tests.networks import ModelBuilder


def exported(build, output):
    """As exporters write it: with the shape of every output."""
    return onnx.shape_inference.infer_shapes(build.original(output))


def convolution():
    build = ModelBuilder(32, 32)
    return exported(build, build.conv("image", 8, 3, name="conv"))


def not_onnx(folder):
    (folder / "bad.onnx").write_bytes(b"PK\x03\x04 surely no model")


def broken_off(folder):
    (folder / "bad.onnx").write_bytes(convolution().SerializeToString()[:-100])


def external_data_missing(folder):
    onnx.save(convolution(), folder / "bad.onnx", save_as_external_data=True, location="bad.bin", size_threshold=0)
    (folder / "bad.bin").unlink()


def dynamic_size(folder):
    model = convolution()
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "any"
    onnx.save(model, folder / "bad.onnx")


def eight_pictures_at_once(folder):
    build = ModelBuilder(32, 32)
    build.conv("image", 8, 3, name="conv")
    by_picture = build.constant("by_picture", np.ones((8, 1, 1, 1), np.float32))
    model = exported(build, build.layer("Mul", "conv", by_picture))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 8
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 8
    onnx.save(model, folder / "bad.onnx")


def nothing_local(folder):
    build = ModelBuilder(32, 32)
    squeezed = build.layer("GlobalAveragePool", "image", name="squeeze")
    onnx.save(exported(build, build.conv(squeezed, 8, 1)), folder / "bad.onnx")


def unknown_operator(folder):
    build = ModelBuilder(32, 32)
    model = exported(build, build.layer("Relu", build.conv("image", 8, 3)))
    model.graph.node[1].op_type = "Frobnicate"
    onnx.save(model, folder / "bad.onnx")


def no_convolution(folder):
    build = ModelBuilder(32, 32)
    onnx.save(exported(build, build.layer("Relu", "image")), folder / "bad.onnx")


def doubles(folder):
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3)), "weights")
    node = helper.make_node("Conv", ["image", "weights"], ["made"], "conv", kernel_shape=[3, 3])
    image = helper.make_tensor_value_info("image", TensorProto.DOUBLE, [1, 3, 32, 32])
    made = helper.make_tensor_value_info("made", TensorProto.DOUBLE, [1, 4, 30, 30])
    graph = helper.make_graph([node], "doubles", [image], [made], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / "bad.onnx")


def a_map_for_an_output(folder):
    onnx.save(convolution(), folder / "bad.onnx")


BAD = [
    (not_onnx, "is not an ONNX model"),
    (broken_off, "is not a"),
    (external_data_missing, "is not complete: .*bad.bin"),
    (dynamic_size, "the size of image is not fixed; export the model with a fixed input size, or give"),
    (eight_pictures_at_once, "its batch size is 8 and cannot be reduced to 1; export it with a batch size of 1"),
    (unknown_operator, "is not a valid ONNX model: .*Frobnicate"),
    (doubles, r"must have one image input, float32 \(1, 3, H, W\); it has image float64"),
    (a_map_for_an_output, "no decoder reads its outputs, conv"),
]


@pytest.mark.parametrize(("make", "reason"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_a_bad_model_is_refused_in_one_line(make, reason, deepthings, tmp_path):
    make(tmp_path)
    (tmp_path / "picture.png").write_bytes(_picture())
    done = deepthings("detect", "--model", "bad.onnx", "picture.png")
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert re.search(reason, line), line


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (nothing_local, r"cannot be tiled: layer squeeze \(GlobalAveragePool\)"),
        (no_convolution, "bad has no convolution"),
    ],
)
def test_a_model_that_runs_whole_only_is_refused_for_tiles(make, reason, deepthings, tmp_path):
    make(tmp_path)
    done = deepthings("verify", "--model", "bad.onnx", "--grid", "2x2")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.search(reason, line), line


@pytest.mark.parametrize("make", [nothing_local, no_convolution])
def test_a_model_that_runs_whole_only_is_planned_and_verified_as_a_whole(make, deepthings, tmp_path):
    make(tmp_path)
    done = deepthings("verify", "--model", "bad.onnx", "--method", "whole", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["max_abs_diff"] == 0
    planned = deepthings("plan", "--model", "bad.onnx", "--quick")
    assert planned.returncode == 0, planned.stderr
    assert "It runs whole only, because bad " in planned.stdout


def test_a_cut_that_cannot_be_names_the_layer_and_the_deepest_cut_that_can(deepthings, tmp_path):
    build = ModelBuilder(32, 32)
    conv = build.conv("image", 8, 3, name="conv")
    build.conv(build.layer("GlobalAveragePool", conv, name="squeeze"), 4, 1, name="last")
    onnx.save(exported(build, "last"), tmp_path / "bad.onnx")
    done = deepthings("verify", "--model", "bad.onnx", "--cut", "last")
    (line,) = done.stderr.splitlines()
    assert "layer squeeze (GlobalAveragePool) cannot be computed tile by tile" in line
    assert "the deepest possible cut is conv" in line


def test_weights_that_broke_off_are_refused_with_layer_and_bytes(deepthings, tmp_path):
    files = yolov3_tiny(tmp_path, size=(96, 96), width=1 / 8, classes=6)
    whole = files.weights.read_bytes()
    files.weights.write_bytes(whole[:-100])
    done = deepthings("verify", "--model", str(files.cfg))
    (line,) = done.stderr.splitlines()
    assert "layer" in line
    assert "bytes" in line


def test_a_cfg_without_weights_is_refused_by_the_name_of_the_file_that_is_missing(deepthings, tmp_path):
    files = yolov3_tiny(tmp_path, size=(96, 96), width=1 / 8, classes=6)
    files.weights.unlink()
    done = deepthings("verify", "--model", str(files.cfg))
    (line,) = done.stderr.splitlines()
    assert files.weights.name in line


def _picture():
    return cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
