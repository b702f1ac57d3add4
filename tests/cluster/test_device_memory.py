"""Devices of little memory: what they say they have, and what they compute."""

from __future__ import annotations

import pytest

from benchmarks.cluster.limits import ControlGroup, NodeLimits, limits_unavailable_reason
from tests.exact_detections import check_frames
from tests.harness import running_cluster

MIB = 2**20
UNAVAILABLE = limits_unavailable_reason()

TOO_SMALL_MIB = 16
"""The built-in network needs 25 MiB as a whole, and 3 MiB in tiles."""


@pytest.mark.slow
async def test_a_device_that_cannot_hold_the_network_gets_tiles_and_others_whole_frames(tmp_path):
    async with running_cluster(tmp_path, 0, "--method", "auto") as cluster:
        witness = cluster.witness
        await cluster.start_edge("small", "--max-memory", str(TOO_SMALL_MIB))
        await cluster.start_edge("large")
        await witness.until("the large one", lambda: witness.ready("large"))
        small = lambda: witness.nodes.get("small")  # noqa: E731  (it is one line)
        await witness.until("the small one", lambda: small() and small().epoch and not small().problem)
        assert witness.nodes["small"].memory_bytes == TOO_SMALL_MIB * MIB
        assert witness.nodes["large"].memory_bytes > TOO_SMALL_MIB * MIB
        assert "is left to other devices: whole frames of nanodet-g need 25 MiB" in cluster.log("small")
        assert "edges prepare tiles, too: small has too little memory for whole frames" in cluster.log("gateway")
        camera = await cluster.start_camera("front", "small", "--loop", "--fps", "4")
        await witness.until("frames in tiles", lambda: sum(frame.grid != "1x1" for frame in witness.detections) >= 6)
        await cluster.processes.stop(camera)
        await check_frames(witness, "front")
        assert {frame.grid for frame in witness.detections} == {witness.detections[0].grid}, (
            "whole frames are not for it"
        )
        assert "small" in {node for frame in witness.detections for node in frame.nodes}


@pytest.mark.slow
@pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)
async def test_the_limit_of_a_control_group_is_what_an_edge_has_for_plans(tmp_path):
    async with running_cluster(tmp_path, 0) as cluster:
        with ControlGroup("small", NodeLimits(cpu=1.0, memory_mb=300)) as group:
            await cluster.processes.start(
                "small", "edge", "--gateway", str(cluster.broker), "--name", "small", "--cache", str(cluster.cache),
                "--max-cores", "1", host=tuple(group.command()),
            )  # fmt: skip
            await cluster.witness.until("the edge's start", lambda: cluster.witness.ready("small"), timeout_s=90)
            assert 0.5 * 300 * MIB < cluster.witness.nodes["small"].memory_bytes < 300 * MIB
