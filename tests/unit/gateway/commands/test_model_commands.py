"""What plan and verify say of a model: also whether anything can be detected with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.commands import detect, show_plan, verify
from tests.networks import detector_of

CELLS = 84
READABLE = np.full((1, 6, CELLS), 30.0)
READABLE[0, 4:] = 0.01
NONSENSE = np.full((1, 6, CELLS), 30.0)


@pytest.fixture(params=[True, False], ids=["readable", "not readable"])
def case(request, tmp_path):
    """A file, and whether its outputs can be read."""
    path = tmp_path / "mine.onnx"
    table = READABLE if request.param else NONSENSE
    path.write_bytes(detector_of({"output0": table}, metadata={"names": "['cat', 'dog']"}).SerializeToString())
    return path, request.param


def run(command, path, *words):
    done = CliRunner().invoke(command, ["--model", str(path), "--grid", "2x2", *words])
    assert done.exit_code == 0, done.output
    return done.output


LAST_LINE = {
    True: "Its outputs are read as yolov8, 2 classes (cat, dog); pictures are given as RGB, 0 to 1.",
    False: "It cannot detect anything yet: model mine: its outputs, output0 [1, 6, 84] (input 64x64), look like those "
    "of yolov8 or yolov8-parts, but its scores are not from 0 to 1 but from 30 to 30; ",
}


@pytest.mark.parametrize(("command", "words"), [(show_plan.command, ["--quick"]), (verify.command, [])])
def test_plan_and_verify_say_at_the_end_how_outputs_are_read_or_why_not(case, command, words):
    path, readable = case
    assert run(command, path, *words).splitlines()[-1].startswith(LAST_LINE[readable])
    report = json.loads(run(command, path, *words, "--json"))
    assert (report["unreadable"] == "") is readable


def test_what_they_say_is_what_detect_refuses(case):
    path, readable = case
    done = CliRunner().invoke(detect.command, ["--model", str(path), str(path)])
    if not readable:
        assert f"It cannot detect anything yet: {done.exception}" == run(verify.command, path).splitlines()[-1]


def test_detect_finds_as_a_whole_what_it_finds_in_tiles():
    photo = str(Path(__file__).parents[3] / "photos" / "astronaut.jpg")
    whole, tiled = (
        CliRunner().invoke(detect.command, [photo, "--json", *words]).output for words in ([], ["--grid", "3x3"])
    )
    assert json.loads(whole)["objects"]
    assert whole == tiled
