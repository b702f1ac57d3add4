"""What FTP is for: a device that runs tiles needs far less memory than one that runs the network.

Sessions that keep weights of their own lose all of it, and nothing fails when that happens.
"""

from __future__ import annotations

import pytest

from benchmarks.engine import ENGINE_GRIDS, paper_workload
from benchmarks.workload import PAPER_CUT
from gateway.plan_report.peak_memory import measure_memory
from shared.ftp.grid import Grid


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    """Bytes above what importing takes, of fresh processes: by grid, and of onnxruntime as it comes."""
    return measure_memory(
        paper_workload(tmp_path_factory.mktemp("model")), [PAPER_CUT], [Grid.parse(grid) for grid in ENGINE_GRIDS]
    )


@pytest.mark.parametrize(
    ("grid", "of_default", "of_own_whole"), [("3x3", 0.30, 0.48), ("5x5", 0.25, 0.41)], ids=["3x3", "5x5"]
)
def test_tiles_of_the_paper_s_layers_need_a_fraction_of_the_memory(peaks, grid, of_default, of_own_whole):
    assert peaks[grid] <= of_default * peaks["default"]
    assert peaks[grid] <= of_own_whole * peaks["1x1"]
