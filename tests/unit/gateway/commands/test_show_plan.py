"""What `deepthings plan` refuses."""

from __future__ import annotations

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
