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
        (["--devices", "1,1"], 2, "--devices describes a cluster to --explain; add --explain"),
        (["--link", "10"], 2, "--link describes a cluster to --explain; add --explain"),
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


@pytest.mark.parametrize("speeds", ["fast", "1,,1", "", "1,-1", "1,0", ",".join("1" * 65)])
def test_speeds_of_devices_that_are_none_are_refused_with_an_example(speeds, deepthings):
    done = deepthings("plan", "--explain", "--devices", speeds)
    assert done.returncode == 2
    assert "a number between 0.001 and 1000 for each of up to 64 edges, as 1,1,0.5" in done.stderr.replace("\n", " ")


def test_a_cluster_of_slow_devices_is_explained_with_all_that_was_considered(deepthings):
    """A link that takes no time, so that the ratios do not depend on how fast this device is."""
    speeds = ",".join(["0.01"] * 6)
    done = deepthings(
        "plan", "--explain", "--devices", speeds, "--gateway-speed", "0.01", "--link", "10000", "--json"
    )  # fmt: skip
    report = json.loads(done.stdout)
    plans = {plan["plan"]: plan for plan in report["plans"]}
    assert report["speeds"] == [0.01] * 6
    assert plans["whole frames"]["used"]
    best, *others = report["plans"]
    assert best["used"]
    assert best["plan"] != "whole frames"
    assert all(best["latency_s"] <= plan["latency_s"] for plan in others)
    assert not any(plan["used"] for plan in others if plan["plan"] != "whole frames")


def test_devices_of_little_memory_are_explained_with_what_is_missing(deepthings):
    done = deepthings("plan", "--explain", "--devices", "1,1", "--memory", "10", "--json")
    report = json.loads(done.stdout)
    whole = next(plan for plan in report["plans"] if plan["plan"] == "whole frames")
    assert re.fullmatch(r"it needs 25 MiB of edge-\d, 15 MiB more than it has", whole["refused"])
    assert all(plan["memory_bytes"] <= 10 * 2**20 for plan in report["plans"] if not plan["refused"])
    assert all(cost > 0 for cost in report["kernels"].values())


def test_an_explanation_says_in_a_sentence_what_is_used_and_why(deepthings):
    """Devices a hundred times faster than the network between them."""
    words = " ".join(deepthings("plan", "--explain", "--devices", "100,100", "--link", "1").stdout.split())
    assert re.search(r"Frames are computed whole, [\d.e-]+ s each: the best tiles, .*, would take \d+ % of that", words)
    assert "kinds of layers, by a usual operation: " in words
    for heading in ("s a frame", "frames/s", "MB a frame", "limited by"):
        assert heading in words


@pytest.mark.parametrize("option", [("--method", "whole"), ("--png", "plan.png"), ("--quick",)])
def test_what_an_explanation_would_not_read_is_refused(option, deepthings):
    done = deepthings("plan", "--explain", *option)
    assert done.returncode == 2
    assert done.stderr.strip() == (f"Error: --explain does not read {option[0]}, as it compares all plans; remove it")
