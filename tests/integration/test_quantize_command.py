"""`deepthings quantize`, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import run

pytestmark = pytest.mark.slow

PHOTOS = Path(__file__).parents[1] / "photos"


@pytest.fixture(scope="module")
def int8(tmp_path_factory):
    """The built-in model in int8, and what the command said of it."""
    out = tmp_path_factory.mktemp("int8") / "home.onnx"
    done = run("quantize", "nanodet-g", str(PHOTOS), "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_the_built_in_model_gets_smaller_and_finds_the_same(int8):
    out, report = int8
    agreement = report.pop("agreement")
    assert report["model"] == str(out)
    assert (report["pictures"], report["more_pictures"]) == (2, False)
    assert report["bytes_after"] == pytest.approx(out.stat().st_size, rel=0.01)
    assert report["bytes_after"] < 0.6 * report["bytes_before"]
    assert report["cut"] == json.loads(out.with_suffix(".json").read_text())["cut"]
    assert agreement["pictures"] == 1
    assert 0 < agreement["by_both"] <= min(agreement["by_float"], agreement["by_int8"])
    assert agreement["score_difference"] < 0.1


def test_its_tiles_equal_its_whole_run_exactly(int8):
    done = run("verify", "--model", str(int8[0]), "--grid", "2x2", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["max_abs_diff"] == 0
    assert report["engine"] == "prepared"
    assert report["map_std"] > 0.05
    assert report["cut"] == int8[1]["cut"]


def test_it_detects_as_the_float_model_does(int8):
    picture = str(PHOTOS / "astronaut.jpg")
    answers = [json.loads(run("detect", picture, "--json", *model).stdout) for model in ((), ("--model", str(int8[0])))]
    (by_float,), (by_int8,) = (answer["objects"] for answer in answers)
    assert by_float["label"] == by_int8["label"] == "person"
    assert abs(by_float["score"] - by_int8["score"]) < 0.15


def test_in_words_it_says_what_it_used_and_what_came_of_it(tmp_path):
    shutil.copy(PHOTOS / "astronaut.jpg", tmp_path)
    done = run("quantize", "nanodet-g", str(tmp_path), "--out", "home.onnx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "home.onnx: 7.6 MB before, 4.0 MB in int8",
        "pictures used: 1",
        "not compared with the float model: there is no second picture",
        "use it with --model home.onnx",
    ]


def bad_inputs(folder, int8):
    """Arguments, exit code, and words that the one line of the error must have."""
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "one.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (folder / "file").touch()
    copy = folder / "mine.onnx"
    shutil.copy(int8, copy)
    return [
        (("nanodet-g", "nowhere", "--out", "a.onnx"), 1, "nowhere does not exist"),
        (("nanodet-g", "empty", "--out", "a.onnx"), 1, "contains no pictures"),
        (("nanodet-g", "broken", "--out", "a.onnx"), 1, "none of the pictures in broken can be read"),
        (("nanodet-g", "file", "--out", "a.onnx"), 1, "broken, or not a video"),
        (("nanodet-g", str(PHOTOS), "--out", "a.tflite"), 2, "it must end in .onnx"),
        (("nanodet-g", str(PHOTOS), "--out", "file/a.onnx"), 1, "file/a.onnx cannot be written"),
        (("nanodet-g", str(PHOTOS)), 2, "Missing option '--out'"),
        (("yolov99", str(PHOTOS), "--out", "a.onnx"), 2, "unknown model 'yolov99'"),
        (("mine.onnx", str(PHOTOS), "--out", "a.onnx"), 1, "already quantised"),
        (("mine.onnx", str(PHOTOS), "--out", "./mine.onnx"), 2, "would replace mine.onnx"),
    ]


def test_bad_input_is_one_line_that_says_what_to_do(deepthings, tmp_path, int8):
    for arguments, code, words in bad_inputs(tmp_path, int8[0]):
        done = deepthings("quantize", *arguments)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert done.returncode == code, (arguments, done.stderr)
        assert len(errors) == 1, (arguments, done.stderr)
        assert words in errors[0], (arguments, errors[0])
        assert "Traceback" not in done.stderr, (arguments, done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "broken", "file", "mine.onnx"}
