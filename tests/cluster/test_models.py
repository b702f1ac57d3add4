"""A whole cluster with models that people bring."""

from __future__ import annotations

import json

import pytest

from tests.commands import run
from tests.darknet_files import yolov3_tiny, yolov4_tiny

MODELS = [
    pytest.param(yolov3_tiny, id="yolov3_tiny"),
    pytest.param(yolov4_tiny, id="yolov4_tiny", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("make", MODELS)
def test_a_cluster_computes_darknet_s_networks_exactly(make, tmp_path):
    """The first frame, and every tenth, is compared with the whole network while the cluster runs."""
    files = make(tmp_path, size=(224, 224), width=1 / 8, classes=6)
    done = run(
        "demo", "--model", str(files.cfg), "--method", "ftp-wst", "--grid", "2x3", "--edges", "2", "--headless",
        "--frames", "8", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["frames_captured"] == 8
    assert report["frames_published"] + sum(report["frames_dropped"].values()) == 8
    assert report["max_abs_diff"] <= 1e-5
