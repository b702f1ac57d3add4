"""The memory of a gateway, an edge and its agents, as `python -m benchmarks.process_memory` measures it.

Memory varies by a few MB from run to run; the limits are some 10 % above what is measured.
"""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.process_memory import MemorySetting, measure_processes

pytestmark = pytest.mark.slow

MB = 10**6


@pytest.fixture(scope="module")
def memory():
    return asyncio.run(measure_processes(MemorySetting(cameras=2)))


LIMITS = {"gateway": (98, 93), "edge": (114, 107), "fork server": (22, 11), "camera": (50, 34)}
"""By the beginning of a process's name: MB in proportion, and of its own. Only the edge loads onnxruntime, so its
libraries count fully there."""


@pytest.mark.parametrize(("name", "limits"), LIMITS.items(), ids=LIMITS)
def test_no_process_takes_much_more_than_it_did(memory, name, limits):
    found = [footprint for process, footprint in memory.items() if process.startswith(name)]
    assert len(found) == (2 if name == "camera" else 1)
    for footprint in found:
        assert footprint.pss_bytes <= limits[0] * MB
        assert footprint.own_bytes <= limits[1] * MB


def test_all_of_a_home_with_two_cameras_fits_into_a_small_device(memory):
    assert sum(footprint.pss_bytes for footprint in memory.values()) <= 330 * MB
