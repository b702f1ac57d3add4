"""Imported Darknet networks against another reader of the same files, that of OpenCV 4."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from shared.detection.decoding.anchors import decode
from shared.model.darknet import load_darknet
from shared.model.spec import ModelSpec
from tests import darknet_files

REFERENCE = Path(__file__).parents[2] / ".venv" / "reference"

FORWARD = """
import sys
import cv2
import numpy as np
cfg, weights, image, result = sys.argv[1:]
network = cv2.dnn.readNetFromDarknet(cfg, weights)
network.enableFusion(False)
network.enableWinograd(False)
network.setInput(np.load(image))
raw = [name for name in network.getLayerNames() if name.startswith("permute")]
decoded = list(network.getUnconnectedOutLayersNames())
found = network.forward(raw + decoded)
np.savez(result, **{f"raw_{n}": found[n] for n in range(len(raw))},
         **{f"decoded_{n}": found[len(raw) + n] for n in range(len(decoded))})
"""
"""What an OpenCV of another major version than ours does, in a process of its own."""

NETWORKS = {
    "yolov2": {"size": (352, 288), "width": 1 / 8, "classes": 6},  # 11 x 9 cells: odd, as are those of 416 and 608
    "yolov3_tiny": {"size": (416, 416), "width": 1 / 8, "classes": 6},
    "yolov4_tiny": {"size": (224, 416), "width": 1 / 8, "classes": 6},
    "everything": {},
}


@pytest.fixture
def reference(tmp_path):
    """OpenCV's raw maps (1, H, W, C) and decoded rows, each in the order of the cfg."""
    if not (REFERENCE / "cv2").is_dir():
        pytest.skip("OpenCV 4 is not in .venv/reference; scripts/setup dev installs it")

    def forward(files, image):
        cfg, picture, result = tmp_path / "reference.cfg", tmp_path / "image.npy", tmp_path / "result.npz"
        cfg.write_text(everything_decoded(files.cfg.read_text()))
        np.save(picture, image)
        subprocess.run(
            [sys.executable, "-c", FORWARD, cfg, files.weights, picture, result],
            env={**os.environ, "PYTHONPATH": str(REFERENCE)},
            check=True,
            timeout=100,
        )
        arrays = np.load(result)
        heads = len(arrays.files) // 2
        return [arrays[f"raw_{n}"] for n in range(heads)], [arrays[f"decoded_{n}"] for n in range(heads)]

    return forward


def everything_decoded(cfg):
    """The cfg without OpenCV's own thresholds, by which it would drop the lower scores."""
    lines = [line for line in cfg.splitlines() if not line.startswith("thresh")]
    return "\n".join(
        f"{line}\nthresh = 0\nnms_threshold = 0" if line in {"[yolo]", "[region]"} else line for line in lines
    )


@pytest.mark.parametrize(("network", "arguments"), NETWORKS.items(), ids=list(NETWORKS))
def test_an_imported_network_sees_what_opencv_sees(network, arguments, reference, tmp_path):
    files = getattr(darknet_files, network)(tmp_path, **arguments)
    imported = load_darknet(files.cfg, files.weights)
    session = onnxruntime.InferenceSession(imported.model.SerializeToString(), providers=["CPUExecutionProvider"])
    (picture,) = session.get_inputs()
    image = np.random.default_rng(7).random(picture.shape, np.float32)
    outputs = dict(
        zip([output.name for output in session.get_outputs()], session.run(None, {"image": image}), strict=True)
    )
    raw, decoded = reference(files, image)
    assert len(imported.heads) == len(raw) == len(decoded)
    clear = 0
    for head, raw_map, rows in zip(imported.heads, raw, decoded, strict=True):
        np.testing.assert_allclose(outputs[head.output].transpose(0, 2, 3, 1), raw_map, rtol=1e-3, atol=2e-3)
        spec = ModelSpec(name=network, file=files.weights.name, heads=(head,), score_threshold=1e-30)
        boxes, scores = decode(outputs, picture.shape[2:], spec)
        expected_boxes, expected_scores = by_anchor(rows, raw_map.shape[1:3], len(head.anchors), picture.shape[2:])
        np.testing.assert_allclose(boxes, expected_boxes, rtol=0, atol=1)
        shown = expected_scores > 0
        np.testing.assert_allclose(scores[shown], expected_scores[shown], rtol=0, atol=1e-3)
        assert shown.all() or (head.kind == "region" and shown.mean() > 0.3)  # there OpenCV always suppresses overlaps
        clear += np.count_nonzero(expected_scores.max(axis=1) > 0.3)
    assert clear > 3


def by_anchor(rows, cells, anchors, input_size):
    """From OpenCV's rows, cell by cell, to boxes (N, 4) in input pixels and scores (N, classes), anchor by anchor."""
    values = rows.reshape(*cells, anchors, -1).transpose(2, 0, 1, 3).reshape(len(rows), -1)
    scale = np.array([input_size[1], input_size[0]])
    centres, sizes = values[:, :2] * scale, values[:, 2:4] * scale
    return np.hstack([centres - sizes / 2, centres + sizes / 2]), values[:, 5:]
