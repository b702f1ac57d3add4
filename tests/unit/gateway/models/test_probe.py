from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from gateway.models.catalogue import open_model
from gateway.models.probe import probe_picture, run_probe
from shared.errors import ModelError
from tests.networks import ModelBuilder, detector_of


def test_the_picture_is_always_the_same_and_shows_something_everywhere():
    picture = probe_picture((40, 56))
    assert picture.shape == (40, 56, 3)
    np.testing.assert_array_equal(picture, probe_picture((40, 56)))
    assert picture.reshape(-1, 3).min() < 32
    assert picture.reshape(-1, 3).max() > 200
    assert picture[:8, :8].std() > 1


def test_outputs_come_by_name(nanodet):
    outputs = run_probe(nanodet.proto, nanodet.network, nanodet.spec.preprocessing)
    assert {name: value.shape for name, value in outputs.items()} == dict(nanodet.outputs)


def test_a_network_that_fails_when_it_runs_is_refused_by_name(tmp_path):
    """A Reshape to a size that is computed, and does not fit."""
    model = detector_of({"output0": np.zeros((1, 6, 84))})
    model.graph.node.extend([
        helper.make_node("Cast", ["flat"], ["sizes"], "sizes", to=7),
        helper.make_node("Reshape", ["output0", "sizes"], ["wrong"], "wrong"),
    ])  # fmt: skip
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("wrong", 1, ["a"]))
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    opened = open_model(str(tmp_path / "mine.onnx"))
    assert "model mine fails when it is run: " in opened.unreadable
    with pytest.raises(ModelError, match="fails when it is run"):
        run_probe(opened.proto, opened.network, opened.spec.preprocessing)


def test_an_operator_that_nobody_runs_is_told_before_anything_is_detected(tmp_path):
    build = ModelBuilder(32, 32)
    model = build.original(build.conv("image", 4, 3, name="conv"))
    model.graph.node.append(helper.make_node("Frobnicate", ["conv"], ["made"], "made", domain="somebody"))
    model.opset_import.append(helper.make_opsetid("somebody", 1))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("made", 1, [1, 4, 30, 30]))
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert "onnxruntime cannot load the model" in open_model(str(tmp_path / "mine.onnx")).unreadable
