from __future__ import annotations

import json

import cv2
import pytest

from tests.commands import run


@pytest.mark.slow
def test_plan_prints_cuts_memory_and_what_was_measured():
    done = run("plan", "--grid", "3x3")
    assert done.returncode == 0, done.stderr
    for words in ("* concat_28", "deepest", "fastest", "against the whole", "an edge, 3x3", "onnxruntime as it comes"):
        assert words in done.stdout


@pytest.mark.slow
def test_plan_reports_everything_as_json():
    done = run("plan", "--grid", "2x2", "--cut", "concat_13", "--json")
    report = json.loads(done.stdout)
    assert (report["model"], report["grid"]) == ("nanodet-g", "2x2")
    (chosen,) = [cut for cut in report["cuts"] if cut["chosen"]]
    assert chosen["maps"] == ["concat_13"]
    assert {"1x1", "2x2", "3x3", "5x5"} == set(report["memory"]["measured"]["grids"])
    assert report["memory"]["measured"]["default_bytes"] > report["memory"]["measured"]["grids"]["3x3"] > 0


@pytest.mark.parametrize("grid", ["3x3", "5x5"])
def test_plan_draws_the_tiles_over_a_frame(grid, tmp_path):
    done = run("plan", "--quick", "--grid", grid, "--png", str(tmp_path / "plan.png"))
    assert done.returncode == 0, done.stderr
    assert "Measured" not in done.stdout
    assert cv2.imread(str(tmp_path / "plan.png")).shape == (1060, 1600, 3)
