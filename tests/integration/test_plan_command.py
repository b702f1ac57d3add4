from __future__ import annotations

import json

import cv2
import pytest

from tests.commands import run


def test_plan_prints_cuts_memory_and_what_was_measured():
    done = run("plan", "--grid", "3x3")
    assert done.returncode == 0, done.stderr
    for words in ("* concat_28", "deepest", "fastest", "against the whole", "an edge, 3x3", "onnxruntime as it comes"):
        assert words in done.stdout


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


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--cut", "nowhere"], 1, "has no layer 'nowhere' to cut behind"),
        (["--grid", "60x60"], 2, "grid 60x60 is larger than the map it divides (52x52 cells)"),
        (["--png", "plan.doc"], 1, "is no picture file name; end it in .png or .jpg"),
        (["--image", "somewhere.jpg"], 2, "--png"),
        (["--model", "nothing.onnx"], 1, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(arguments, code, reason, tmp_path):
    done = run("plan", "--quick", *arguments, cwd=tmp_path)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert reason in line
