from __future__ import annotations

import json

import pytest

from shared.errors import ConfigurationError
from shared.model.spec import ModelSpec, read_spec


def write(folder, content):
    path = folder / "model.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_description_of_name_and_file_is_enough(tmp_path):
    spec = read_spec(write(tmp_path, {"name": "mine", "file": "mine.onnx"}))
    assert spec == ModelSpec(name="mine", file="mine.onnx", decoder=None, preprocessing=None)


def test_a_description_keeps_what_it_says(tmp_path):
    said = {
        "name": "mine", "file": "mine.onnx", "input": [416, 640], "decoder": "nanodet",
        "score_threshold": 0.25, "iou_threshold": 0.5,
        "preprocessing": {"channels": "bgr", "mean": [1, 2, 3], "std": [4, 5, 6], "fill": 114, "align": "top-left"},
        "heads": [{"output": "layer_9", "kind": "yolo", "anchors": [[10, 13], [16.5, 30]], "scale_x_y": 1.05}],
        "cut": ["a", "b"], "labels": ["cat", "dog"],
    }  # fmt: skip
    assert json.loads(read_spec(write(tmp_path, said)).model_dump_json()) == said


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": 5}, "name"),
        ({"score_threshold": 0}, "score_threshold"),
        ({"score_threshold": 1}, "score_threshold"),
        ({"iou_threshold": 1.1}, "iou_threshold"),
        ({"preprocessing": {"channels": "grey"}}, "preprocessing.channels"),
        ({"preprocessing": {"mean": [1, 2]}}, "preprocessing.mean"),
        ({"preprocessing": {"fill": 256}}, "preprocessing.fill"),
        ({"preprocessing": {"align": "bottom"}}, "preprocessing.align"),
        ({"preprocessing": {"scale": 2}}, "preprocessing.scale"),
        ({"heads": [{"output": "a", "kind": "yolo", "anchors": []}]}, "heads.0.anchors"),
        ({"heads": [{"output": "a", "kind": "yolo", "anchors": [[1, 0]]}]}, "heads.0.anchors.0.1"),
        ({"heads": [{"output": "a", "kind": "ssd", "anchors": [[1, 1]]}]}, "heads.0.kind"),
        ({"heads": [{"output": "a", "kind": "yolo", "anchors": [[1, 1]], "mask": 1}]}, "heads.0.mask"),
        ({"labels": [1]}, "labels.0"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path, change, place):
    with pytest.raises(ConfigurationError, match=f"model.json, {place}"):
        read_spec(write(tmp_path, {"name": "mine", "file": "mine.onnx", **change}))


@pytest.mark.parametrize("missing", ["name", "file"])
def test_a_description_without_name_or_file_is_refused(tmp_path, missing):
    said = {"name": "mine", "file": "mine.onnx"}
    del said[missing]
    with pytest.raises(ConfigurationError, match=f"{missing}: Field required"):
        read_spec(write(tmp_path, said))


@pytest.mark.parametrize("content", ["", "{", "[]", "name: mine"])
def test_text_that_is_no_description_is_refused(tmp_path, content):
    with pytest.raises(ConfigurationError, match=r"model\.json"):
        read_spec(write(tmp_path, content))


def test_a_missing_description_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.json cannot be read: no such file"):
        read_spec(tmp_path / "nowhere.json")


def test_a_deviation_of_zero_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="std"):
        read_spec(write(tmp_path, {"name": "mine", "file": "mine.onnx", "preprocessing": {"std": [1, 0, 1]}}))
