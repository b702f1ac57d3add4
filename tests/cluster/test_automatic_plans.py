"""Method `auto`: the plan changes with the load while cameras run, and no frame is lost by that."""

from __future__ import annotations

import contextlib
import itertools
import re

import pytest

from shared.payloads.frames import Outcome
from tests.exact_detections import check_frames
from tests.harness import running_cluster
from tests.slow_devices import SlowDevice

NO_TAIL = """
import dataclasses

import gateway.planning.plan_prediction as prediction

costs_of_stages = prediction.costs_of_stages
prediction.costs_of_stages = lambda *given: dataclasses.replace(costs_of_stages(*given), tail=0.0)
"""
"""A sitecustomize.py of a gateway that predicts no time for the layers behind the cut.

Two thirds of the built-in network are there: computed by devices as slow as the edges, tiles would never pay.
"""

CHANGES = re.compile("new frames are computed (.*):")
"""What a gateway logs when it prefers another plan."""

EDGES = ("edge-1", "edge-2", "edge-3")


def in_tiles(frame):
    return frame.grid != "1x1"


def divisions(frames):
    """The grids of frames in the order of their publication, each once in a row."""
    return [grid for grid, _ in itertools.groupby(frame.grid for frame in frames)]


@contextlib.asynccontextmanager
async def slow_cluster(folder, seconds, *options):
    """Three edges that need so long for a whole frame, and together a third of that for one in tiles."""
    faults = folder / "faults"
    faults.mkdir()
    (faults / "sitecustomize.py").write_text(NO_TAIL)
    async with running_cluster(folder, 0, "--method", "auto", *options, faults=faults) as cluster:
        for edge in EDGES:
            await cluster.start_edge(edge, code=SlowDevice(folder / edge, seconds).code)
        await cluster.edges_ready(*EDGES)
        yield cluster


@pytest.mark.slow
async def test_the_frames_of_one_slow_camera_are_divided_among_all_edges(tmp_path):
    async with slow_cluster(tmp_path, 0.5) as cluster:
        witness = cluster.witness
        front = await cluster.start_camera("front", "edge-1", "--loop", "--fps", "1")
        await witness.until("frames in tiles", lambda: sum(map(in_tiles, witness.detections)) >= 10)
        first = next(number for number, frame in enumerate(witness.detections) if in_tiles(frame))
        assert all(len(frame.nodes) == 1 for frame in witness.detections[:first])
        assert {node for frame in witness.detections[first:] for node in frame.nodes} == set(EDGES)
        await cluster.processes.stop(front)
        await check_frames(witness, "front")


@pytest.mark.slow
async def test_a_change_of_plans_by_load_costs_no_frame(tmp_path):
    """Measured speeds and the load decide: the frames of one camera are computed in tiles, many frames whole.

    The tiles are given: the planner's would be fast enough for all of these cameras.
    """
    async with slow_cluster(tmp_path, 0.5, "--grid", "3x3", "--cut", "concat_28") as cluster:
        witness = cluster.witness
        front = await cluster.start_camera("front", "edge-1", "--loop", "--fps", "1")
        for camera, edge in (("yard", "edge-2"), ("gate", "edge-3")):
            await cluster.start_camera(camera, edge, "--frames", "20", "--every-frame")
        await witness.until("the end of one", lambda: witness.ended("yard") or witness.ended("gate"))
        alone = len(witness.detections)  # from now on, fewer frames are under way
        await witness.until("the end of two", lambda: witness.ended("yard") and witness.ended("gate"))
        await witness.until("frames in tiles", lambda: sum(map(in_tiles, witness.detections)) >= 10)
        crowd = ("attic", "shed", "barn", "porch")
        for camera, edge in zip(crowd, ("edge-2", "edge-3", "edge-1", "edge-2"), strict=True):
            await cluster.start_camera(camera, edge, "--frames", "30", "--every-frame")
        await witness.until("whole frames", lambda: CHANGES.findall(cluster.log("gateway"))[-1] == "whole")
        await witness.until("the ends", lambda: all(map(witness.ended, crowd)), 90)
        await cluster.processes.stop(front)
        await check_frames(witness, "front", "yard", "gate", *crowd)
        counts = {camera: stats.counts for camera, stats in witness.stats.items()}
    assert divisions(witness.detections[:alone])[-1] == "1x1"
    for frames, cameras in {20: ("yard", "gate"), 30: crowd}.items():
        assert {(counts[camera].published, *counts[camera].dropped) for camera in cameras} == {(frames,)}
    assert set(counts["front"].dropped) <= {Outcome.SUPERSEDED, Outcome.STOPPED}
