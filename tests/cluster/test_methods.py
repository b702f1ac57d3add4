"""Every method of the paper on a real cluster: the same detections, bit for bit, whatever happens to the devices."""

from __future__ import annotations

import itertools
import signal

import pytest

from gateway.planning.methods import Method
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from tests.exact_detections import check_frames, check_objects
from tests.harness import running_cluster

FORGETFUL = """
import edge.computing.strips, gateway.cluster.collector
from shared.ftp.strip_cache import StripCache
edge.computing.strips.MAX_STRIP_BYTES = 0
gateway.cluster.collector.StripCache = lambda: StripCache(0)
"""
"""A sitecustomize.py: no node keeps any strips, though each says that it has computed them."""


STRIPS_BYTES = 100_000
"""More than all answers of a gateway that has none, less than a hundred bytes each, come to in the meantime."""


async def check_account(cluster, *cameras):
    """All accounts are closed, every published frame is verified, and all detections are what they should be."""
    witness = cluster.witness
    await check_frames(witness, *(cameras or ("front",)))
    await witness.until("verification", lambda: len(witness.verifications) == len(witness.detections))
    check_verifications(witness)


def check_verifications(witness):
    assert {verification.max_abs_diff for verification in witness.verifications} == {0.0}
    assert min(verification.map_std for verification in witness.verifications) > 0.05


async def more_frames(cluster, frames, what):
    witness = cluster.witness
    seen = len(witness.detections)
    await witness.until(f"{frames} frames {what}", lambda: len(witness.detections) >= seen + frames)


async def rows_for(cluster, *edges):
    """A plan with a row for each of these edges, which they follow."""
    witness = cluster.witness
    await witness.until(
        f"a row for each of {edges}",
        lambda: len(witness.plan.stages[0].tiles) == len(edges) and witness.ready(*edges),
    )


@pytest.mark.parametrize(
    ("method", "options"),
    [
        pytest.param(Method.WHOLE, [], marks=pytest.mark.long),  # as in test_whole_frames.py
        pytest.param(Method.STAGED, ["--grid", "3x1"], marks=pytest.mark.slow),
        pytest.param(Method.BODP, ["--grid", "3x1"], marks=pytest.mark.slow),
        (Method.WSH, []),
        pytest.param(Method.WST, ["--pixels", "float32"], marks=pytest.mark.slow),
        pytest.param(Method.WST_S, [], marks=pytest.mark.slow),
    ],
)
async def test_every_method_gives_the_same_detections(tmp_path, method, options):
    options = "--method", method, "--verify-every", "1", *options
    async with running_cluster(tmp_path, 3, *options) as cluster:
        await cluster.start_camera("front", "edge-1", "--frames", "8", "--every-frame")
        await check_account(cluster)
        counts, plan = cluster.witness.stats["front"].counts, cluster.witness.plan
        tiles = [cluster.witness.tiles(edge) for edge in cluster.edges]
    assert (counts.captured, counts.published, counts.dropped) == (8, 8, {})
    assert plan.method == method
    assert plan.pixels == ("float32" if "float32" in options else "uint8")
    assert sum(own + stolen for own, stolen in tiles) == 8 * plan.tile_count
    assert tiles[1][0] == tiles[2][0] == 0
    if plan.distribution.by_gateway:
        assert {own + stolen for own, stolen in tiles} == {8 * plan.tile_count // 3}


@pytest.mark.slow
@pytest.mark.parametrize("method", [pytest.param(Method.WSH, marks=pytest.mark.long), Method.WST_S])
async def test_neither_a_killed_nor_a_frozen_edge_costs_a_frame(tmp_path, method):
    options = "--method", method, "--verify-every", "1", "--lease", "0.3", "--deadline", "4"
    async with running_cluster(tmp_path, 3, *options) as cluster:
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--every-frame", "--loop")
        await witness.until("work of both", lambda: all(witness.tiles(edge)[1] >= 5 for edge in ("edge-2", "edge-3")))
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        await witness.until("the will of edge-2", lambda: witness.nodes["edge-2"].state is State.OFFLINE)
        await more_frames(cluster, 8, "without edge-2")
        assert all("edge-2" not in frame.nodes for frame in witness.detections[-4:])
        await witness.until("work of edge-3", lambda: any("edge-3" in frame.nodes for frame in witness.detections[-4:]))
        cluster.signal(cluster.edges["edge-3"], signal.SIGSTOP)
        await more_frames(cluster, 6, "beside a frozen edge-3")
        cluster.signal(cluster.edges["edge-3"], signal.SIGKILL)
        await witness.until("the will of edge-3", lambda: witness.nodes["edge-3"].state is State.OFFLINE)
        await more_frames(cluster, 8, "by edge-1 alone")
        await cluster.processes.stop(camera)
        await check_account(cluster)
        counts = witness.stats["front"].counts
    assert set(counts.dropped) <= {Outcome.STOPPED}
    assert sum(counts.dropped.values()) <= 3  # what was under way when the camera was stopped


@pytest.mark.slow
async def test_rows_follow_the_devices_that_come_and_go(tmp_path):
    """Of half of the usual layers: edges prepare a program for each of them, and for each number of rows."""
    options = "--method", "bodp", "--cut", "concat_13", "--verify-every", "1", "--deadline", "5"
    async with running_cluster(tmp_path, 2, *options) as cluster:
        witness = cluster.witness
        await rows_for(cluster, "edge-1", "edge-2")
        camera = await cluster.start_camera("front", "edge-1", "--every-frame", "--loop")
        await more_frames(cluster, 3, "in two rows")
        await cluster.start_edge("edge-3")
        await rows_for(cluster, "edge-1", "edge-2", "edge-3")
        await witness.until("work of edge-3", lambda: witness.tiles("edge-3")[1] >= 3)
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        await rows_for(cluster, "edge-1", "edge-3")
        await more_frames(cluster, 8, "in two rows again")
        assert set(witness.detections[-1].nodes) == {"edge-1", "edge-3"}
        cluster.signal(cluster.edges["edge-3"], signal.SIGSTOP)
        await witness.until(
            "a frame dropped for want of a row", lambda: witness.stats["front"].counts.dropped.get(Outcome.DEADLINE)
        )
        cluster.signal(cluster.edges["edge-3"], signal.SIGKILL)
        await rows_for(cluster, "edge-1")
        await more_frames(cluster, 8, "in one row")
        await cluster.processes.stop(camera)
        await check_account(cluster)
        counts = witness.stats["front"].counts
        begun = sorted(witness.detections, key=lambda frame: frame.number)  # those of two plans end side by side
        grids = [grid for grid, _ in itertools.groupby(frame.grid for frame in begun)]
    assert grids == ["2x1", "3x1", "2x1", "1x1"]
    assert set(counts.dropped) <= {Outcome.DEADLINE, Outcome.STOPPED}  # no frame is dropped for another plan


@pytest.mark.slow
async def test_strips_that_nobody_has_are_computed_again(tmp_path):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "sitecustomize.py").write_text(FORGETFUL)
    options = "--method", "ftp-wst-s", "--verify-every", "1"
    async with running_cluster(tmp_path, 3, *options, faults=faults) as cluster:
        camera = await cluster.start_camera("front", "edge-1", "--every-frame", "--loop")
        await cluster.witness.until(
            "a tile without its strips",
            lambda: any("no strips of tile" in cluster.log(edge) for edge in cluster.edges),
        )
        await more_frames(cluster, 8, "after it")
        await cluster.processes.stop(camera)
        await check_account(cluster)
        counts = cluster.witness.stats["front"].counts
        logs = [cluster.log(edge) for edge in cluster.edges]
    assert set(counts.dropped) <= {Outcome.STOPPED}
    assert sum(counts.dropped.values()) <= 3  # what was under way when the camera was stopped
    assert not any("ran from strips" in log for log in logs)


@pytest.mark.slow
async def test_strips_are_handed_on_and_those_that_a_gateway_has_lost_stop_nothing(tmp_path):
    options = "--method", "ftp-wst-s", "--verify-every", "1"
    async with running_cluster(tmp_path, 3, *options) as cluster:
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--every-frame", "--loop")
        await witness.until("requests for strips", lambda: witness.gateway_bytes.get("tcp_strips_request"))
        await witness.until(
            "strips from the gateway",
            lambda: any(node.bytes.get("tcp_strips", 0) > STRIPS_BYTES for node in witness.nodes.values()),
        )
        assert any("ran from strips" in cluster.log(edge) for edge in cluster.edges)
        epoch = witness.plan.epoch
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        await cluster.start_gateway(*options)
        await witness.until("a new plan", lambda: witness.plan.epoch > epoch)
        await cluster.edges_ready(*cluster.edges)
        await more_frames(cluster, 12, "after the restart")
        await witness.until("stealing again", lambda: any("edge-2" in frame.nodes for frame in witness.detections[-6:]))
        await cluster.processes.stop(camera)
        await witness.until("the camera's end", lambda: witness.stats["front"].ended)
        counts = witness.stats["front"].counts
    assert counts.under_way == 0
    assert set(counts.dropped) <= {Outcome.REPLANNED, Outcome.NO_ANSWER, Outcome.STOPPED}
    check_objects(witness)
    check_verifications(witness)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy",
    ["fewest-frames", *(pytest.param(other, marks=pytest.mark.long) for other in ("round-robin", "longest-queue"))],
)  # whom each of them chooses is tested without processes
async def test_an_idle_edge_steals_from_all_owners(tmp_path, policy):
    options = "--policy", policy, "--verify-every", "1"
    async with running_cluster(tmp_path, 3, *options) as cluster:
        witness = cluster.witness
        for camera, edge in (("front", "edge-1"), ("yard", "edge-2")):
            await cluster.start_camera(camera, edge, "--frames", "15", "--every-frame")
        await check_account(cluster, "front", "yard")
        counts = [witness.stats[camera].counts for camera in ("front", "yard")]
        victims = {grant.victim for grant in witness.grants["edge-3"]}
        served = {frame.camera for frame in witness.detections if "edge-3" in frame.nodes}
    assert [(count.published, count.dropped) for count in counts] == [(15, {}), (15, {})]
    assert victims == {"edge-1", "edge-2"}
    assert served == {"front", "yard"}
