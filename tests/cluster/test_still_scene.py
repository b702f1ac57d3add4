"""What a still scene costs, as `python -m benchmarks.still_scene` measures it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.alone
def test_a_still_scene_costs_a_fraction_of_what_every_frame_costs():
    """Of a minute, so short a measurement has a share that is too large, but never one that is ten times too large."""
    words = [sys.executable, "-m", "benchmarks.still_scene", "--kind", "mjpeg", "--seconds", "5"]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=200, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"mjpeg +│ ([\w ]+?) +│.*│ +([\d.]+) +│$", done.stdout, re.MULTILINE)
    cost = {way: float(together) for way, together in rows}
    assert set(cost) == {"every frame", "5 frames a second", "defaults"}
    assert cost["every frame"] > cost["5 frames a second"]
    assert 1.5 * cost["5 frames a second"] > 4 * cost["defaults"]
