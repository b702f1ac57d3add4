from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from onnx import helper, numpy_helper

from gateway.models.catalogue import DEFAULT_MODEL, MODELS, built_in_models, choose_cut, open_model, why_whole_only
from shared.errors import ConfigurationError, CutError, ModelError
from shared.ftp.grid import Grid
from shared.model.spec import Preprocessing
from tests.networks import ModelBuilder, exported_model, model_of


def write(folder, description=None):
    """A small model of one convolution and a pooling over the whole map, with or without a description."""
    build = ModelBuilder(16, 16)
    conv = build.conv("image", 4, 3, name="conv")
    pooled = build.layer("GlobalAveragePool", conv, name="pooled")
    path = folder / "mine.onnx"
    path.write_bytes(build.model(pooled).SerializeToString())
    if description is not None:
        path.with_suffix(".json").write_text(json.dumps(description))
    return path


def write_yolov8(folder, description=None):
    """A model with the output of YOLOv8 for an input of 32x32: (1, 4 + 2 classes, 21 cells)."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], "conv", kernel_shape=[12, 32]),
        helper.make_node("Reshape", ["conv", "shape"], ["output"], "output"),
    ]
    constants = [
        numpy_helper.from_array(np.zeros((6, 3, 12, 32), np.float32), "kernel"),
        numpy_helper.from_array(np.array([1, 6, 21], np.int64), "shape"),
    ]
    path = folder / "yolo.onnx"
    model = model_of(nodes, constants, {"image": (1, 3, 32, 32)}, {"output": None})
    path.write_bytes(model.SerializeToString())
    if description is not None:
        path.with_suffix(".json").write_text(json.dumps({"name": "yolo", "file": "yolo.onnx", **description}))
    return str(path)


def test_the_default_model_is_built_in():
    assert DEFAULT_MODEL in built_in_models()


@pytest.mark.parametrize("name", built_in_models())
def test_every_built_in_model_can_be_opened(name):
    model = open_model(name)
    assert model.spec.name == model.network.name == name
    assert model.spec.labels


@pytest.mark.parametrize("name", built_in_models())
def test_every_built_in_model_is_the_file_whose_origin_is_told(name):
    told = (MODELS / name / "PROVENANCE.md").read_text()
    content = (MODELS / name / open_model(name).spec.file).read_bytes()
    row = re.search(rf"`{name}\.onnx` \(([\d ]+) bytes\) \| `([0-9a-f]{{64}})`", told)
    assert row is not None
    assert int(row[1].replace(" ", "")) == len(content)
    assert row[2] == hashlib.sha256(content).hexdigest()


def test_a_file_without_description_is_named_after_itself(tmp_path):
    model = open_model(str(write(tmp_path)))
    assert (model.spec.name, model.network.name, model.spec.decoder) == ("mine", "mine", None)


def test_a_description_beside_the_file_is_read(tmp_path):
    path = write(tmp_path, {"name": "cats", "file": "mine.onnx", "labels": ["cat"]})
    assert open_model(str(path)).spec.labels == ("cat",)


def test_a_mistake_in_the_description_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"mine\.json, colour"):
        open_model(str(write(tmp_path, {"name": "cats", "file": "mine.onnx", "colour": "red"})))


def test_decoder_and_preparation_are_recognised_by_the_outputs(tmp_path):
    spec = open_model(write_yolov8(tmp_path)).spec
    assert (spec.decoder, spec.preprocessing) == ("yolov8", Preprocessing(channels="rgb", fill=114))


def test_what_the_description_says_stays(tmp_path):
    said = {"preprocessing": {"fill": 5}, "labels": ["cat", "dog"], "score_threshold": 0.25, "cut": ["conv"]}
    spec = open_model(write_yolov8(tmp_path, said)).spec
    assert (spec.decoder, spec.preprocessing) == ("yolov8", Preprocessing(fill=5))
    assert (spec.labels, spec.score_threshold, spec.cut) == (("cat", "dog"), 0.25, ("conv",))


def test_a_named_decoder_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"yolo: .* not those of decoder yolox: expected .* found output \[1, 6, 21\]"):
        open_model(write_yolov8(tmp_path, {"decoder": "yolox"}))


def test_heads_that_do_not_fit_are_refused(tmp_path):
    heads = [{"output": "conv", "kind": "yolo", "anchors": [[1, 1]]}]
    with pytest.raises(ModelError, match="not those of decoder darknet"):
        open_model(write_yolov8(tmp_path, {"heads": heads}))


@pytest.mark.parametrize("labels", [[], ["cat"]])
def test_a_model_that_nobody_can_decode_can_be_opened(tmp_path, labels):
    path = write(tmp_path, {"name": "cats", "file": "mine.onnx", "labels": labels})
    spec = open_model(str(path)).spec
    assert (spec.decoder, spec.preprocessing) == (None, Preprocessing())


@pytest.mark.parametrize("name", ["yolo", "model.pt", "nanodet-g.json", ""])
def test_an_unknown_name_is_refused_with_those_that_exist(name):
    with pytest.raises(ConfigurationError, match=rf"unknown model {name!r}.*nanodet-g"):
        open_model(name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"missing\.onnx cannot be read"):
        open_model(str(tmp_path / "missing.onnx"))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    with pytest.raises(ModelError, match="is not an ONNX model"):
        open_model(str(path))


def test_the_cut_that_was_asked_for_wins(nanodet):
    assert choose_cut(nanodet, "conv_01", Grid(3, 3)) == ("conv_01",)


@pytest.mark.parametrize("asked", ["conv_01,concat_28", " conv_01 , concat_28 ", "conv_01,,concat_28,"])
def test_several_maps_are_separated_by_commas(nanodet, asked):
    assert choose_cut(nanodet, asked, Grid(3, 3)) == ("conv_01", "concat_28")


@pytest.mark.parametrize("asked", [None, ""])
def test_the_models_own_cut_is_the_default(nanodet, asked):
    assert choose_cut(nanodet, asked, Grid(3, 3)) == nanodet.spec.cut


def test_a_model_without_a_cut_is_cut_as_deep_as_possible(tmp_path):
    assert choose_cut(open_model(str(write(tmp_path))), None, Grid(3, 3)) == ("conv",)


def test_a_model_that_cannot_be_cut_is_refused(tmp_path):
    build = ModelBuilder(16, 16)
    path = tmp_path / "mine.onnx"
    pooled = build.layer("GlobalAveragePool", "image", name="pooled")
    path.write_bytes(build.model(build.conv(pooled, 4, 1)).SerializeToString())
    with pytest.raises(CutError, match="cannot be tiled: layer pooled"):
        choose_cut(open_model(str(path)), None, Grid(3, 3))


def test_a_model_without_a_convolution_is_opened_but_not_cut(tmp_path):
    build = ModelBuilder(16, 16)
    path = tmp_path / "mine.onnx"
    path.write_bytes(build.model(build.layer("GlobalAveragePool", "image")).SerializeToString())
    model = open_model(str(path))
    assert why_whole_only(model) == "mine has no convolution, so it cannot be computed tile by tile"
    with pytest.raises(ModelError, match="mine has no convolution"):
        choose_cut(model, None, Grid(1, 1))


def test_a_model_runs_whole_only_for_the_reason_why_it_cannot_be_cut(nanodet, tmp_path):
    build = ModelBuilder(16, 16)
    path = tmp_path / "mine.onnx"
    pooled = build.layer("GlobalAveragePool", "image", name="pooled")
    path.write_bytes(build.model(build.conv(pooled, 4, 1)).SerializeToString())
    assert "layer pooled (GlobalAveragePool) cannot be computed tile by tile" in why_whole_only(open_model(str(path)))
    assert why_whole_only(nanodet) == ""


def dynamically_quantised(source):
    """A convolution as onnxruntime's quantize_dynamic writes it."""
    return [
        helper.make_node("DynamicQuantizeLinear", [source], ["q", "scale", "zero"]),
        helper.make_node("ConvInteger", ["q", "kernel", "zero"], ["sums"], kernel_shape=[1, 1]),
        helper.make_node("Cast", ["sums"], ["floats"], to=1),
        helper.make_node("Mul", ["floats", "scale"], ["made"]),
    ]


def of_onnxruntime(op, domain):
    return [helper.make_node(op, ["image", "floats_kernel"], ["made"], domain=domain, kernel_shape=[1, 1])]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (dynamically_quantised("image"), "is quantised dynamically: .*use the float model, or make an int8 one of it"),
        (of_onnxruntime("FusedConv", "com.microsoft"), "was optimised by onnxruntime, .*use the original file"),
        (of_onnxruntime("Conv", "com.microsoft.nchwc"), "was optimised by onnxruntime"),
    ],
)
def test_a_model_of_convolutions_that_are_not_tiled_is_not_cut_and_says_the_reason(tmp_path, nodes, reason):
    constants = [
        numpy_helper.from_array(np.ones((4, 3, 1, 1), np.uint8), "kernel"),
        numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "floats_kernel"),
    ]
    model = exported_model(nodes, constants, {"image": (1, 3, 8, 8)}, {"made": ("a", "b", "c", "d")})
    for domain in ("com.microsoft", "com.microsoft.nchwc"):
        model.opset_import.append(helper.make_opsetid(domain, 1))
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    opened = open_model(str(tmp_path / "mine.onnx"))
    with pytest.raises(ModelError, match=f"mine {reason}") as refusal:
        choose_cut(opened, None, Grid(3, 3))
    assert len(str(refusal.value)) < 250


def test_a_network_that_is_quantised_dynamically_from_some_layer_on_is_cut_before_it(tmp_path):
    conv = helper.make_node("Conv", ["image", "first_kernel"], ["first"], "first", kernel_shape=[1, 1])
    constants = [
        numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "first_kernel"),
        numpy_helper.from_array(np.ones((4, 3, 1, 1), np.uint8), "kernel"),
    ]
    nodes = [conv, *dynamically_quantised("first")]
    model = exported_model(nodes, constants, {"image": (1, 3, 8, 8)}, {"made": ("a", "b", "c", "d")})
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert choose_cut(open_model(str(tmp_path / "mine.onnx")), None, Grid(2, 2)) == ("first",)


def test_a_cut_may_be_named_by_its_layer(nanodet):
    layer = nanodet.network.producers["concat_28"]
    assert choose_cut(nanodet, layer.name, Grid(3, 3)) == ("concat_28",)


def test_a_cut_that_names_no_layer_is_refused_with_an_example():
    with pytest.raises(ConfigurationError, match="names no layer; write for example concat_28"):
        choose_cut(open_model("nanodet-g"), " , ", Grid(3, 3))
