"""Edges and gateways of different releases beside each other."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from shared.payloads.cluster import State
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS
from tests.harness import python_path, running_cluster

ROOT = Path(__file__).parents[2]

GIVEN = "DEEPTHINGS_RELEASE_BEFORE"
"""Environment variable that names a revision of git in the place of the last tag."""

FRAMES = 12

NEXT = max(UNDERSTOOD_PROTOCOLS) + 1
"""A version that this release does not understand yet."""
SPEAKS = "from shared.payloads import versions\nversions.PROTOCOL, versions.UNDERSTOOD_PROTOCOLS = {}, frozenset({})\n"
"""A module that makes a process one of a release to come."""


def git(*arguments):
    """Return what git says of the clone; None where it cannot: there is no such thing, no clone, or no git."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


@pytest.fixture
def release_before(tmp_path):
    """The code of the release before this one, in a folder; a tag of this very commit is not before it."""
    revision = os.environ.get(GIVEN) or (git("describe", "--tags", "--abbrev=0", "HEAD^") or b"").decode().strip()
    if not revision:
        pytest.skip(f"no tag can be reached from here: fetch them, or name a revision by {GIVEN}")
    archive = git("archive", "--format=tar", revision, "shared", "edge", "camera_sources", "gateway")
    assert archive is not None, f"{revision} not found"
    folder = tmp_path / "before"
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    loads = [*python_path(folder), sys.executable, "-P", "-c", "import edge; print(edge.__file__)"]
    assert subprocess.check_output(loads, text=True, timeout=60).startswith(str(folder)), "an edge would run our code"
    return folder


def module(folder, code):
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return folder


async def start_before(cluster, code):
    """Start an edge of the release before, which has its own options."""
    await cluster.start_edge("before", code=code, cores=("--threads", "1"))


async def detected(cluster, edge):
    """Have a camera's frames detected, with `edge` as their owner, and check that all are exact."""
    witness = cluster.witness
    await cluster.start_camera("front", edge, "--frames", str(FRAMES), "--every-frame")
    await witness.until("the camera's end", lambda: witness.ended("front"))
    await witness.until("verification", lambda: len(witness.verifications) == FRAMES)
    counts = witness.stats["front"].counts
    assert (counts.published, counts.dropped) == (FRAMES, {})
    assert max(verification.max_abs_diff for verification in witness.verifications) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "method"), [("before", "ftp-wst"), ("today", "ftp-wst"), ("today", "ftp-wsh")])
async def test_edges_of_the_release_before_compute_beside_those_of_today(tmp_path, release_before, owner, method):
    options = "--method", method, "--verify-every", "1"
    async with running_cluster(tmp_path, 0, *options, cache=tmp_path / "cache") as cluster:
        await start_before(cluster, release_before)
        await cluster.start_edge("today")
        await cluster.edges_ready("before", "today")
        await detected(cluster, owner)
        tiles = {edge: sum(cluster.witness.tiles(edge)) for edge in ("before", "today")}
        logs = [cluster.log(name) for name in ("gateway", "before", "today")]
    assert sum(tiles.values()) == FRAMES * 9
    assert all(tiles.values()), tiles
    if method == "ftp-wsh":
        assert set(tiles.values()) == {FRAMES * 9 // 2}  # none was given to another edge in the end
    assert not any("Traceback" in log or "ERROR" in log for log in logs)


@pytest.mark.slow
@pytest.mark.parametrize("owner", ["before", "today"])
async def test_edges_of_the_release_before_work_with_a_gateway_that_chooses_the_method(tmp_path, release_before, owner):
    cache = tmp_path / "cache"
    async with running_cluster(tmp_path, 0, "--method", "auto", "--verify-every", "1", cache=cache) as cluster:
        await start_before(cluster, release_before)
        await cluster.start_edge("today")
        await cluster.edges_ready("before", "today")
        await detected(cluster, owner)
        computed = {edge: sum(cluster.witness.tiles(edge)) for edge in ("before", "today")}
        logs = [cluster.log(name) for name in ("gateway", "before", "today")]
    assert computed[owner] > 0
    assert not any("Traceback" in log or "ERROR" in log for log in logs)


@pytest.mark.slow
async def test_a_new_version_of_the_protocol_is_said_by_the_release_after_the_first_that_understands_it(tmp_path):
    between = module(tmp_path / "between", SPEAKS.format(PROTOCOL, {PROTOCOL, NEXT}))
    after = module(tmp_path / "after", SPEAKS.format(NEXT, {PROTOCOL, NEXT}))
    async with running_cluster(tmp_path, 0, "--verify-every", "1", faults=after) as cluster:
        witness = cluster.witness
        await cluster.start_edge("today", code=tmp_path)
        await cluster.start_edge("between", code=between)
        await cluster.start_edge("after")
        await cluster.edges_ready("between", "after")
        await witness.until("a refusal", lambda: witness.nodes["today"].state is State.REFUSED)
        await detected(cluster, "between")
        tiles = {edge: sum(witness.tiles(edge)) for edge in cluster.edges}
        reason = witness.nodes["today"].reason
        said = cluster.log("today")
    assert tiles["today"] == 0
    assert tiles["between"] > 0
    assert tiles["after"] > 0
    assert f"speaks version {PROTOCOL} of the protocol, the gateway version {NEXT}" in reason
    assert "install the same release" in reason
    assert f"speaks version {NEXT} of the protocol, this edge (release" in said
