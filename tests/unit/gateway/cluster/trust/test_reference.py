"""What the gateway computes again is what the cluster should have computed, by any plan."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.cluster.collector import Assembly, Collector
from gateway.cluster.running_plans import RunningPlan
from gateway.cluster.trust import reference, sampling
from gateway.cluster.trust.attribution import find_faults
from gateway.cluster.trust.reference import compute_apart, compute_reference
from gateway.cluster.trust.sampling import ResultSampler
from gateway.cluster.trust.verification import Verifier
from gateway.cluster.whole_frame import WholeFrame
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.planner import PlanTerms, write_plan
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.ftp.merge import MergedMaps
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.plan.plan import ProgramRef

GATEWAY = Address("127.0.0.1", 7884)
PLANS = {
    "whole frames": (Method.WHOLE, None),
    "tiles": (Method.WST, Grid(3, 3)),
    "tiles with strips": (Method.WST_S, Grid(2, 2)),
    "several stages": (Method.BODP, Grid(3, 1)),
}


@pytest.fixture(scope="module")
def picture():
    return next(open_source(str(FOOTAGE)).pictures())


@pytest.fixture(scope="module", params=PLANS)
def case(request, nanodet):
    """Return a running plan and the programs of its stages by hash."""
    method, grid = PLANS[request.param]
    part = PartitionedModel.whole(nanodet) if grid is None else PartitionedModel.of(nanodet, grid, None, method)
    built = part.build_programs()
    plan = write_plan(
        method, nanodet.network, nanodet.spec.preprocessing, part.stages,
        [ProgramRef(sha256=program.sha256, bytes=program.size) for program in built],
        7, GATEWAY, PlanTerms(), part.detector_plan,
    )  # fmt: skip
    collector = Collector(part.stage, part.map_shapes, 1, 10.0, whole=grid is None)
    running = RunningPlan(plan, part, collector, Verifier(part, 1, 1))
    return running, {program.sha256: program.join() for program in built}


def assembled(running, frame, worker="pi-2"):
    """Return a complete frame with what a reference says."""
    info = FrameInfo(camera="front", frame="front-1-1", number=1, captured_at=0.0, width=768, height=576)
    if frame.objects is not None:
        merged = WholeFrame()
        merged.place(0, [frame.objects.copy()])
    else:
        merged = MergedMaps([array.shape for array in frame.maps], running.partitioned.stage.tiles)
        for tile in merged.tiles:
            merged.place(tile.index, [
                array[:, :, *region.slices] for array, region in zip(frame.maps, tile.outputs, strict=True)
            ])  # fmt: skip
    workers = dict.fromkeys(range(running.plan.tile_count), worker)
    return Assembly(info, "pi-1", merged, "3x3", 0.0, workers=workers)


@pytest.fixture(scope="module")
def computed(case, picture):
    running, programs = case
    return compute_reference(running.plan, [programs[stage.program.sha256] for stage in running.plan.stages], picture)


def test_a_frame_that_is_computed_again_equals_what_the_undivided_network_makes_of_it(case, computed, picture):
    running, _ = case
    result = running.verifier.verify(picture, assembled(running, computed).merged)
    assert not result.wrong
    assert result.difference.max_abs_diff <= 1e-3
    assert result.difference.map_std > 0, "maps without values prove nothing"


async def check(case, assembly, picture):
    """Return the results of a check that is due."""
    running, programs = case
    results = []

    async def on_result(*found):
        results.append(found[2])

    sampler = ResultSampler(1.0, programs.get, on_result)
    sampler._schedule._due_at = 0.0
    sample = sampler.take(running, assembly, suspected=False)
    if sample is None:
        return None
    sampler.check_soon(sample, picture)
    assert sampler.take(running, assembly, suspected=True) is None, "one at a time"
    await sampler._checking
    return results


async def test_right_results_pass_and_wrong_ones_are_those_of_their_worker(case, computed, picture):
    running, _ = case
    (right,) = await check(case, assembled(running, computed), picture)
    assert not right.wrong
    forged = assembled(running, computed)
    if forged.merged.complete and isinstance(forged.merged, WholeFrame):
        forged.merged.reset()
        forged.merged.place(0, [computed.objects[:0]])
    else:
        forged.merged.maps[0][:, :, :3, :3] = 0
    (wrong,) = await check(case, forged, picture)
    assert 0 in wrong.wrong
    assert set(find_faults(wrong.wrong, forged.workers, running.partitioned.stages)) == {"pi-2"}


async def test_the_gateways_own_node_is_not_checked(case, computed, picture):
    assert await check(case, assembled(case[0], computed, OWN_NODE), picture) is None


@pytest.mark.parametrize("case", ["tiles"], indirect=True)
async def test_results_that_are_changed_after_they_were_taken_are_compared_as_they_were(case, computed, picture):
    """Maps are used for the next frame while a check is under way."""
    running, programs = case
    assembly, results = assembled(running, computed), []

    async def on_result(*found):
        results.append(found[2])

    sampler = ResultSampler(1.0, programs.get, on_result)
    sampler._schedule._due_at = 0.0
    sampler.check_soon(sampler.take(running, assembly, suspected=False), picture)
    assembly.merged.maps[0][:] = 0
    await sampler._checking
    assert not results[0].wrong


@pytest.mark.parametrize("case", ["tiles"], indirect=True)
async def test_without_memory_nothing_is_checked_and_that_is_said_once(case, computed, picture, monkeypatch, caplog):
    monkeypatch.setattr(sampling, "free_memory", lambda: 10**6)
    for _ in range(2):
        assert await check(case, assembled(case[0], computed), picture) == []
    (said,) = {record.getMessage() for record in caplog.records if record.levelname == "WARNING"}
    assert "results of edges are not checked by samples: that takes" in said


@pytest.mark.parametrize("case", ["tiles"], indirect=True)
async def test_a_plan_that_was_replaced_meanwhile_is_not_checked(case, computed, picture):
    assert await check((case[0], {}), assembled(case[0], computed), picture) == []


@pytest.mark.parametrize("case", ["tiles"], indirect=True)
async def test_a_computation_that_fails_or_hangs_says_why(case, picture, monkeypatch):
    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        await compute_apart(case[0].plan, [b"no program"], picture)
    monkeypatch.setattr(reference, "REFERENCE_TIMEOUT_S", 0.01)
    with pytest.raises(ModelError, match="took longer"):
        await compute_apart(case[0].plan, [b"no program"], picture)
    assert not [task for task in asyncio.all_tasks() if "communicate" in repr(task)]


def test_rounded_maps_may_differ_more(case):
    part = case[0].partitioned
    assert [Verifier(part, 0, 1, exact=exact).rounds for exact in (True, False)] == [False, True]
    assert np.isfinite(Verifier(part, 0, 1).floor)


def test_an_edge_that_shows_no_pictures_is_a_problem_until_it_shows_one(caplog):
    sampler = ResultSampler(1.0, {}.get, None)
    for _ in range(sampling.MAX_UNSEEN_PICTURES - 1):
        sampler.note_picture("porch", shown=False)
    sampler.note_picture("hall", shown=False)
    assert not sampler.unseen
    sampler.note_picture("porch", shown=False)
    assert set(sampler.unseen) == {"porch"}
    assert "edge porch did not show the pictures of 20 frames in a row" in sampler.unseen["porch"]
    assert caplog.text.count("edge porch did not show") == 1
    sampler.note_picture("porch", shown=True)
    assert not sampler.unseen
