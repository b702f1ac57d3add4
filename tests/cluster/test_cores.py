"""The cores that a process uses, in real control groups."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.cluster.limits import ControlGroup, NodeLimits, limits_unavailable_reason
from shared.process.usable_cores import usable_cores
from tests.harness import running_cluster

UNAVAILABLE = limits_unavailable_reason()
pytestmark = pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)

HIDDEN = ("unshare", "--mount", "sh", "-c", 'umount -l /sys && mount -t sysfs other /sys && exec "$@"', "sh")
"""Before a command: runs it with another /sys, without control groups, as `ip netns exec` does."""

TELL = """
import json
from shared.process.usable_cores import computing_cores, usable_cores
usable = usable_cores()
print(json.dumps([usable.quota, usable.measured, computing_cores(None).count]))
"""


def told_in(*surroundings):
    """Return the quota, whether it was measured, and the threads that would compute."""
    command = [*surroundings, sys.executable, "-P", "-c", TELL]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.fixture
def hidden():
    probe = subprocess.run(
        [*HIDDEN, "sh", "-c", "! grep -q cgroup /proc/self/mountinfo"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("/sys cannot be hidden here")
    return HIDDEN


@pytest.mark.parametrize("cores", [0.2, 1.0, 1.5])
def test_the_quota_of_a_group_is_read(cores):
    with ControlGroup("small", NodeLimits(cpu=cores)) as group:
        assert told_in(*group.command()) == [pytest.approx(cores), False, 1]


def test_a_group_without_a_quota_uses_all_cores_of_the_affinity():
    with ControlGroup("small", NodeLimits(cpu=0.2)) as group:
        group.set_cpu(None)
        quota, measured, threads = told_in(*group.command())
    assert (measured, threads) == (False, usable_cores().whole)
    assert quota == usable_cores().quota


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is not measured")
def test_a_quota_that_is_hidden_is_measured_and_not_taken_for_none(hidden):
    with ControlGroup("small", NodeLimits(cpu=0.2)) as group:
        quota, measured, threads = told_in(*group.command(), *hidden)
    assert (measured, threads) == (True, 1)
    assert 0 < quota <= 0.25


@pytest.mark.slow
@pytest.mark.parametrize("visible", [True, False], ids=["visible", "hidden"])
async def test_an_edge_in_a_fifth_of_a_core_computes_in_one_thread(tmp_path, visible, hidden):
    async with running_cluster(tmp_path, 0) as cluster:
        with ControlGroup("small", NodeLimits(cpu=0.2)) as group:
            edge = await cluster.processes.start(
                "small", "edge", "--gateway", str(cluster.broker), "--name", "small", "--cache", str(cluster.cache),
                host=(*group.command(), *(() if visible else hidden)),
            )  # fmt: skip
            await cluster.witness.until("the edge's start", lambda: cluster.witness.ready("small"), timeout_s=150)
            report = cluster.witness.nodes["small"]
            assert (report.threads, report.lanes) == (1, 1)
            assert 0 < report.usable_cores <= 0.25
            await cluster.processes.stop(edge)


@pytest.mark.slow
@pytest.mark.skipif(usable_cores(probing=False).whole < 2, reason="one core is not divided")
async def test_an_edge_uses_all_cores_and_notes_how(tmp_path):
    async with running_cluster(tmp_path, 0, cache=tmp_path / "cache") as cluster:
        await cluster.start_edge("big", "--max-cores", "2")
        await cluster.edges_ready("big")
        report = cluster.witness.nodes["big"]
        assert report.threads == 2
        assert report.lanes in {1, 2}
        assert "tiles x threads that serve best here" in cluster.log("big")
        await cluster.start_camera("campus", "big", "--frames", "20")
        await cluster.witness.until("its frames", lambda: cluster.witness.ended("campus"))
        assert cluster.witness.stats["campus"].counts.published > 0


ANY_TWO_CORES = """
import shared.process.usable_cores
shared.process.usable_cores.MIN_CORES_BESIDE_CAMERAS = 2
"""


@pytest.mark.slow
@pytest.mark.skipif(usable_cores(probing=False).whole < 2, reason="one core is not divided")
async def test_an_edge_leaves_a_core_to_its_first_camera_without_losing_its_plan(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/sitecustomize.py").write_text(ANY_TWO_CORES)
    async with running_cluster(tmp_path, 0) as cluster:
        await cluster.start_edge("big", "--max-cores", "2", code=tmp_path / "code")
        await cluster.edges_ready("big")
        assert cluster.witness.nodes["big"].threads == 2
        await cluster.start_camera("campus", "big", "--frames", "100")
        await cluster.witness.until("one core less", lambda: cluster.witness.nodes["big"].threads == 1)
        assert "one core is left to cameras" in cluster.log("big")
        await cluster.witness.until("its frames", lambda: cluster.witness.ended("campus"))
        assert len(cluster.witness.plans) == 1
        assert cluster.witness.stats["campus"].counts.dropped.get("replanned", 0) == 0


MOST_LANES = """
import shared.engine.lane_choice
shared.engine.lane_choice.best_lanes = max
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [pytest.param("ftp-wst", marks=pytest.mark.long), "ftp-wst-s", "ftp-wsh"])
async def test_tiles_side_by_side_own_stolen_and_shared_equal_the_whole_network(tmp_path, method):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/sitecustomize.py").write_text(MOST_LANES)
    async with running_cluster(tmp_path, 0, "--verify-every", "1", "--grid", "4x3", "--method", method) as cluster:
        for edge in ("edge-1", "edge-2"):
            await cluster.start_edge(edge, "--max-cores", "64", "--threads", "3", code=tmp_path / "code")
        await cluster.edges_ready("edge-1", "edge-2")
        assert [cluster.witness.nodes[edge].lanes for edge in ("edge-1", "edge-2")] == [3, 3]
        await cluster.start_camera("front", "edge-2", "--frames", "12", "--every-frame")
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"), timeout_s=90)
        await cluster.witness.until("verification", lambda: len(cluster.witness.verifications) == 12)
        counts = cluster.witness.stats["front"].counts
        computed = [sum(cluster.witness.tiles(edge)) for edge in ("edge-1", "edge-2")]
        differences = [verification.max_abs_diff for verification in cluster.witness.verifications]
    assert (counts.captured, counts.published, counts.dropped) == (12, 12, {})
    assert min(computed) > 0
    assert sum(computed) >= 12 * 12
    assert max(differences) <= 1e-5
