"""Edges that compute wrongly: what they compute is not published, and they do not go on."""

from __future__ import annotations

import re
import textwrap

import pytest

from shared.mqtt import topics
from tests.harness import running_cluster

LIAR = """
import os, sys, threading, importlib.abc

def lie():
    import numpy as np
    import shared.engine.sessions as sessions

    count = [0]

    def lying(honest):
        def run(self, form, parts, strips=()):
            maps, given = honest(self, form, parts, strips)
            if threading.current_thread().name.startswith("speed"):
                return maps, given
            count[0] += 1
            if FIRST < count[0] <= LAST:
                maps = [array * np.float32(FACTOR) for array in maps]
            return maps, given

        return run

    for engine in (sessions.PreparedEngine, sessions.PaddingEngine):
        engine.run = lying(engine.run)

class OfEdges(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "edge.node":
            sys.meta_path.remove(self)
            lie()

sys.meta_path.insert(0, OfEdges())
"""
"""Only in the process of an edge: whoever prepares its programs is honest, and trials of its speed do not count."""


async def start_liar(cluster, name, factor, *, first=20, last=10**9):
    """An edge that multiplies its results from one tile on to another, counted with those of its tests."""
    folder = cluster.folder / f"lies-{name}"
    folder.mkdir()
    said = f"FIRST, LAST, FACTOR = {first}, {last}, '{factor}'\n" + textwrap.dedent(LIAR)
    (folder / "sitecustomize.py").write_text(said)
    cluster.edges[name] = await cluster.processes.start(
        name, "edge", "--gateway", str(cluster.broker), "--name", name, "--cache", str(folder), "-v",
        "--max-cores", "1", host=("env", f"PYTHONPATH={folder}"),
    )  # fmt: skip


FIRST = {"ftp-wst-s": 15, "ftp-wsh": 15, "bodp": 60, "auto": 2}
"""The first tile that is wrong: of whole frames an edge computes few."""

METHODS = [
    ("ftp-wst-s", "3x3"),
    ("auto", "3x3"),
    pytest.param("ftp-wsh", "3x3", marks=pytest.mark.long),
    ("bodp", "3x1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "grid"), METHODS)
async def test_tiles_that_are_no_numbers_are_computed_elsewhere_and_their_edge_is_barred(tmp_path, method, grid):
    async with running_cluster(tmp_path, 2, "--method", method, "--grid", grid, "--verify-every", "1") as cluster:
        witness = cluster.witness
        await start_liar(cluster, "liar", "nan", first=FIRST[method])
        await cluster.edges_ready("liar", "edge-1", "edge-2")
        await cluster.start_camera("front", "edge-1", "--frames", "15", "--every-frame")
        await cluster.start_camera("yard", "liar", "--frames", "15", "--every-frame")
        await witness.until("the ends", lambda: witness.ended("front") and witness.ended("yard"), 90)
        await witness.until("the bar", lambda: witness.nodes["liar"].barred)
        objects = [len(frame.objects) for frame in witness.detections]
        differences = [one.max_abs_diff for one in witness.verifications]
        counts = [witness.stats[name].counts for name in ("front", "yard")]
        assert witness.nodes["liar"].failed >= 1
    assert all(objects)
    assert max(differences) <= 1e-5
    assert {reason.value for one in counts for reason in one.dropped} <= {"replanned"}
    assert re.search(
        "its result contains values that are not finite|outputs .* are not finite", witness.nodes["liar"].barred
    )


@pytest.mark.slow
async def test_an_edge_that_is_proved_wrong_is_barred_and_works_again_when_it_has_passed_its_test(tmp_path):
    standings = []
    async with running_cluster(tmp_path, 1, "--verify-every", "1") as cluster:
        witness = cluster.witness
        witness._hear(topics.STANDINGS, lambda name, one: standings.append(one) if name == "liar" else None)
        await witness.bus._client.subscribe(topics.STANDINGS.full_path())
        await start_liar(cluster, "liar", "0", last=25)
        await cluster.edges_ready("liar", "edge-1")
        await cluster.start_camera("yard", "liar", "--loop", "--fps", "4")
        await witness.until("the bar", lambda: any(one.barred for one in standings))
        wrong = next(one for one in witness.verifications if one.wrong)
        assert set(wrong.wrong) == {"liar"}
        assert wrong.max_abs_diff > 0.5 * wrong.map_std
        await witness.until("its return", lambda: standings and not standings[-1].barred)
        seen, proved = len(witness.detections), len(witness.verifications)
        await witness.until("its tiles", lambda: any("liar" in frame.nodes for frame in witness.detections[seen:]))
        await witness.until("their proof", lambda: len(witness.verifications) > proved + 2)
        assert not any(one.wrong for one in witness.verifications[proved:])
    assert "computed tile" in next(one.reason for one in standings if one.barred)
    assert "the programs were prepared again and have passed the trial" in cluster.log("liar")


@pytest.mark.parametrize("method", ["auto", pytest.param("ftp-wst", marks=pytest.mark.slow)])
async def test_an_edge_that_never_computes_rightly_still_owns_the_frames_of_its_cameras(tmp_path, method):
    async with running_cluster(tmp_path, 1, "--method", method) as cluster:
        witness = cluster.witness
        await start_liar(cluster, "liar", "1.1", first=0)
        await cluster.edges_ready("liar", "edge-1")
        await cluster.start_camera("yard", "liar", "--frames", "10", "--every-frame")
        await witness.until("the end", lambda: witness.ended("yard"))
        await witness.until("the problem", lambda: witness.nodes["liar"].problem)
        assert witness.stats["yard"].counts.published == 10
        assert all(set(frame.nodes) == {"edge-1"} for frame in witness.detections)
        assert "its memory or processor may be faulty" in witness.nodes["liar"].problem


@pytest.mark.slow
@pytest.mark.parametrize(("method", "grid", "options"), [
    ("auto", "3x3", ()),
    ("ftp-wst-s", "3x3", ("--maps", "float16")),
    pytest.param("bodp", "3x1", (), marks=pytest.mark.long),
])  # fmt: skip
async def test_a_forger_is_found_by_a_frame_that_the_gateway_computes_again(tmp_path, method, grid, options):
    """Nobody asked for verification. Here the gateway may use all its time, by default a hundredth of it."""
    share = ("--method", method, "--grid", grid, "--verify-share", "100", *options)
    async with running_cluster(tmp_path, 1, *share) as cluster:
        witness = cluster.witness
        await start_liar(cluster, "liar", "0.5", first=FIRST[method])
        await cluster.edges_ready("liar", "edge-1")
        await cluster.start_camera("front", "edge-1", "--loop", "--fps", "4")
        await cluster.start_camera("yard", "liar", "--loop", "--fps", "4")
        await witness.until("the bar", lambda: witness.nodes["liar"].barred, 60)
        await witness.until("the problem", lambda: "edge liar computed tile" in " ".join(witness.problems))
        assert "wrongly" in witness.nodes["liar"].barred
        assert not witness.nodes["edge-1"].barred
        assert {node for one in witness.verifications for node in one.wrong} == {"liar"}
