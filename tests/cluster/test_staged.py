"""A network in several stages: their borders go from edge to edge, and the pixels from their owner to the workers."""

from __future__ import annotations

import signal

import pytest

from benchmarks.workload import PAPER_CUT, write_yolov2
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from tests.exact_detections import check_close_objects
from tests.harness import running_cluster

FRAME_BYTES = 3 * 608 * 608


async def more_frames(cluster, count, what):
    witness = cluster.witness
    seen = len(witness.detections)
    await witness.until(f"{count} frames {what}", lambda: len(witness.detections) >= seen + count, 60)


@pytest.mark.slow
async def test_a_network_in_stages_is_exact_and_goes_on_without_a_worker(tmp_path):
    model = write_yolov2(tmp_path / "model", whole=False)
    options = "--model", str(model), "--cut", PAPER_CUT, "--method", "staged", "--verify-every", "1", "--deadline", "8"
    async with running_cluster(tmp_path, 3, *options) as cluster:
        witness = cluster.witness
        await witness.until(
            "a row for each edge", lambda: witness.plan.tile_count == 3 and witness.ready(*cluster.edges), 60
        )
        assert len(witness.plan.stages) > 1
        camera = await cluster.start_camera("front", "edge-1", "--every-frame", "--loop")
        await more_frames(cluster, 4, "in three rows")
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        await witness.until("the will of edge-2", lambda: witness.nodes["edge-2"].state is State.OFFLINE)
        await more_frames(cluster, 4, "without edge-2")
        await cluster.processes.stop(camera)
        # its agent does not wait for frames that take long; their outcomes are counted when they come
        await witness.until(
            "all outcomes", lambda: witness.ended("front") and witness.stats["front"].counts.under_way == 0, 60
        )
        counts = witness.stats["front"].counts
        assert all(set(frame.nodes) <= {"edge-1", "edge-3"} for frame in witness.detections[-1:])
    assert set(counts.dropped) <= {Outcome.STOPPED}
    assert {verification.max_abs_diff for verification in witness.verifications} == {0.0}
    assert 0 < witness.gateway_bytes["tcp_tile"] < FRAME_BYTES, "only headers of tiles go to the gateway"


@pytest.mark.slow
async def test_maps_in_half_precision_give_the_same_objects_to_a_pixel(tmp_path):
    """Borders after every layer, so that rounding adds up; no edge is suspected of computing wrongly."""
    options = "--method", "bodp", "--maps", "float16", "--verify-every", "1"
    async with running_cluster(tmp_path, 2, *options) as cluster:
        witness = cluster.witness
        await witness.until("a row for each edge", lambda: witness.plan.tile_count == 2, 60)
        await cluster.edges_ready(*cluster.edges)
        await cluster.start_camera("front", "edge-1", "--frames", "6", "--every-frame")
        await witness.until("the end", lambda: witness.ended("front"), 60)
        assert not any(node.barred for node in witness.nodes.values())
    assert len(witness.detections) == 6
    check_close_objects(witness)
    assert all(0 < verification.max_abs_diff < 1 for verification in witness.verifications)
