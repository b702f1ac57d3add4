from __future__ import annotations

import pytest

from benchmarks.workload import write_yolov2


@pytest.fixture(scope="session")
def fused_cfg(tmp_path_factory):
    """The paper's network up to its fused layers, written once."""
    return write_yolov2(tmp_path_factory.mktemp("models"), whole=False)
