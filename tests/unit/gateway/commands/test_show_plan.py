"""What `deepthings plan` refuses."""

from __future__ import annotations

import json
import re

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--cut", "nowhere"], 1, "has no layer 'nowhere' to cut behind"),
        (["--grid", "60x60"], 2, "grid 60x60 is larger than the map it divides (52x52 cells)"),
        (["--png", "plan.doc"], 1, "plan.doc: invalid name of a picture; it must end in .png or .jpg"),
        (["--image", "somewhere.jpg"], 2, "--png"),
        (["--model", "nothing.onnx"], 1, "cannot be read: no such file"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(arguments, code, reason, deepthings):
    done = deepthings("plan", "--quick", *arguments)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert reason.lower() in line.lower()


def test_a_network_is_planned_as_a_whole_when_that_is_wanted(deepthings):
    done = deepthings("plan", "--method", "whole", "--quick", "--json")
    report = json.loads(done.stdout)
    assert report["method"] == "whole"
    assert report["outputs"] == [f"{kind}_{stride}" for kind in ("scores", "boxes") for stride in (8, 16, 32)]
    assert report["layers"] == 101
    assert report["weight_bytes"] > 10**7
    assert report["whole_only"] == ""


def test_the_memory_of_a_whole_network_is_measured(deepthings):
    words = deepthings("plan", "--method", "whole").stdout
    own, usual = re.search(r"An edge needs ([\d.]+) MiB for it, onnxruntime as it comes ([\d.]+) MiB", words).groups()
    assert 14 < float(own) < float(usual), "its weights are mapped, and kept once"


def test_no_tiles_are_drawn_for_a_whole_network(deepthings):
    done = deepthings("plan", "--method", "whole", "--png", "plan.png")
    assert done.returncode == 2
    assert "--png plan.png draws tiles, but nanodet-g runs whole here; remove it" in done.stderr
