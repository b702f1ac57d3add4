"""Method `auto`: whole frames, computed by their owners and by idle edges, whatever happens to these."""

from __future__ import annotations

import contextlib
import signal

import pytest

from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from tests.exact_detections import check_frames
from tests.harness import running_cluster
from tests.slow_devices import SlowDevice

AUTO = "--method", "auto"

FRAME_S = 0.1
"""What a slow device needs for a frame: an idle one steals it meanwhile, whatever else this machine does."""


@contextlib.asynccontextmanager
async def slow_cluster(folder, edges, *options, seconds=FRAME_S):
    """A cluster of method `auto` with so many slow devices, and these by name."""
    async with running_cluster(folder, 0, *AUTO, *options) as cluster:
        names = [f"edge-{number}" for number in range(1, edges + 1)]
        devices = {name: SlowDevice(folder / name, seconds) for name in names}
        for name, device in devices.items():
            await cluster.start_edge(name, code=device.code)
        await cluster.edges_ready(*names)
        yield cluster, devices


def computed_by(witness, edge):
    """The frames that an edge computed."""
    return [frame for frame in witness.detections if edge in frame.nodes]


async def test_whole_frames_of_two_edges_equal_those_of_one_machine(tmp_path):
    async with slow_cluster(tmp_path, 2, "--verify-every", "1") as (cluster, _):
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--frames", "20", "--every-frame")
        await check_frames(witness, "front")
        await witness.until("verification", lambda: len(witness.verifications) == 20)
        counts = witness.stats["front"].counts
    assert (counts.captured, counts.published, counts.dropped) == (20, 20, {})
    assert {verification.max_abs_diff for verification in witness.verifications} == {0.0}
    assert {frame.grid for frame in witness.detections} == {"1x1"}
    assert all(len(frame.nodes) == 1 for frame in witness.detections)
    own, stolen = computed_by(witness, "edge-1"), computed_by(witness, "edge-2")
    assert len(own) + len(stolen) == 20
    assert all(frame.nodes["edge-1"].own == 1 for frame in own)
    assert all(frame.nodes["edge-2"].stolen == 1 for frame in stolen)
    assert own
    assert stolen


async def test_a_thief_that_is_killed_with_a_stolen_frame_costs_none(tmp_path):
    async with slow_cluster(tmp_path, 2) as (cluster, devices):
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop", "--every-frame")
        await witness.until("a stolen frame", lambda: computed_by(witness, "edge-2"))
        await devices["edge-2"].pause()
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        await witness.until("the will of edge-2", lambda: witness.nodes["edge-2"].state is State.OFFLINE)
        await no_frame_is_missing(cluster, camera)
        log = cluster.log("edge-1")
    assert "will run again: edge-2 is offline" in log


@pytest.mark.slow
async def test_a_thief_that_is_frozen_with_a_stolen_frame_costs_none_and_its_late_result_changes_nothing(tmp_path):
    async with slow_cluster(tmp_path, 2, "--lease", "0.5") as (cluster, devices):
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop", "--every-frame")
        await witness.until("a stolen frame", lambda: computed_by(witness, "edge-2"))
        await devices["edge-2"].pause()
        cluster.signal(cluster.edges["edge-2"], signal.SIGSTOP)
        devices["edge-2"].go_on()
        frozen_at = len(witness.detections)
        await witness.until("frames without edge-2", lambda: len(witness.detections) >= frozen_at + 12)
        before = len(computed_by(witness, "edge-2"))
        cluster.signal(cluster.edges["edge-2"], signal.SIGCONT)
        await witness.until("frames by edge-2 again", lambda: len(computed_by(witness, "edge-2")) > before + 3)
        await no_frame_is_missing(cluster, camera)
        log = cluster.log("edge-1")
    assert "will run again: its lease ended" in log


async def no_frame_is_missing(cluster, camera):
    """Stop the camera; check that all its frames were published, but for those under way, and are exact."""
    witness = cluster.witness
    seen = len(witness.detections)
    await witness.until("more frames", lambda: len(witness.detections) >= seen + 8)
    await cluster.processes.stop(camera)
    await check_frames(witness, camera.name)
    counts = witness.stats[camera.name].counts
    numbers = sorted(frame.number for frame in witness.detections if frame.camera == camera.name)
    assert set(counts.dropped) <= {Outcome.STOPPED}
    assert numbers[:-4] == list(range(len(numbers) - 4))  # the last ones may have been under way
    assert counts.captured - counts.published <= 4
