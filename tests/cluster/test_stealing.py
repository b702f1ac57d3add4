"""What a cluster does when nothing is wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.payloads.frames import Outcome
from tests.harness import running_cluster


@pytest.mark.slow
async def test_idle_edges_steal_the_tiles_of_a_busy_one(tmp_path):
    async with running_cluster(tmp_path, 3) as cluster:
        await cluster.start_camera("front", "edge-1", "--frames", "20", "--every-frame")
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"))
        own = {edge: cluster.witness.tiles(edge)[0] for edge in cluster.edges}
        stolen = {edge: cluster.witness.tiles(edge)[1] for edge in cluster.edges}
    assert sum(own.values()) + sum(stolen.values()) == 20 * 9
    assert own["edge-1"] > 0
    assert stolen["edge-1"] == own["edge-2"] == own["edge-3"] == 0
    assert stolen["edge-2"] > 0
    assert stolen["edge-3"] > 0


async def test_every_frame_is_published_once_and_equals_the_whole_network(tmp_path):
    async with running_cluster(tmp_path, 3, "--verify-every", "1", "--grid", "4x3") as cluster:
        await cluster.start_camera("front", "edge-2", "--frames", "12", "--every-frame")
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"))
        await cluster.witness.until("verification", lambda: len(cluster.witness.verifications) == 12)
        counts = cluster.witness.stats["front"].counts
        numbers = [frame.number for frame in cluster.witness.detections]
        differences = [verification.max_abs_diff for verification in cluster.witness.verifications]
    assert (counts.captured, counts.published, counts.dropped) == (12, 12, {})
    assert sorted(numbers) == list(range(12))
    assert max(differences) <= 1e-5
    assert min(verification.map_std for verification in cluster.witness.verifications) > 0.05


@pytest.mark.slow
async def test_owners_of_cameras_steal_from_each_other_and_frames_do_not_mix(tmp_path):
    async with running_cluster(tmp_path, 2, "--verify-every", "1") as cluster:
        pictures = tmp_path / "still"
        pictures.mkdir()
        write_gradient(pictures / "gradient.png")
        await cluster.start_camera("front", "edge-1", "--frames", "15", "--every-frame")
        await cluster.start_camera("yard", "edge-2", "--frames", "15", "--every-frame", "--loop", source=str(pictures))
        await cluster.witness.until("the end of front", lambda: cluster.witness.ended("front"))
        await cluster.witness.until("the end of yard", lambda: cluster.witness.ended("yard"))
        await cluster.witness.until("verification", lambda: len(cluster.witness.verifications) == 30)
        detections = cluster.witness.detections
    assert {frame.image for frame in detections if frame.camera == "front"} == {(768, 576)}
    assert {frame.image for frame in detections if frame.camera == "yard"} == {(320, 240)}
    assert all(not frame.objects for frame in detections if frame.camera == "yard")
    assert all(frame.objects for frame in detections if frame.camera == "front")
    assert max(verification.max_abs_diff for verification in cluster.witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_a_frame_of_real_time_is_superseded_rather_than_late_when_the_cluster_is_slow(tmp_path):
    async with running_cluster(tmp_path, 1, "--grid", "6x6") as cluster:
        await cluster.start_camera("front", "edge-1", "--frames", "60", "--fps", "200")
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"))
        stats = cluster.witness.stats["front"]
    counts = stats.counts
    assert (stats.reason, counts.captured) == ("ended", 60)
    assert set(counts.dropped) == {Outcome.SUPERSEDED}
    assert counts.dropped[Outcome.SUPERSEDED] > 0
    assert counts.under_way == 0
    assert counts.published == len({frame.number for frame in cluster.witness.detections})


def write_gradient(path):
    ramp = np.linspace(0, 255, 320, dtype=np.uint8)
    cv2.imwrite(str(path), np.dstack([np.tile(ramp, (240, 1))] * 3))
