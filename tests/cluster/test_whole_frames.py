"""Method `auto`: whole frames, computed by their owners and by idle edges, whatever happens to these."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess

import pytest

from shared.mqtt import topics
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from tests.exact_detections import check_frames, check_objects
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


async def test_all_edges_compute_frames_of_a_single_camera_which_are_published_in_order(tmp_path):
    """Also of devices that differ: a frame that is complete too soon waits for those before it."""
    async with slow_cluster(tmp_path, 4, seconds=4 * FRAME_S) as (cluster, _):
        witness = cluster.witness
        await cluster.start_edge("edge-5", code=SlowDevice(tmp_path / "edge-5", 3 * FRAME_S).code)
        await cluster.edges_ready("edge-5")
        await cluster.start_camera("front", "edge-1", "--frames", "60", "--every-frame")
        await check_frames(witness, "front")
    frames = witness.detections
    assert {node for frame in frames for node in frame.nodes} == {f"edge-{number}" for number in range(1, 6)}
    at_once = [
        sum(other.captured_at <= frame.published_at <= other.published_at for other in frames) for frame in frames
    ]
    assert max(at_once) >= 5, "as many as there are devices"
    assert [frame.number for frame in frames] == sorted(frame.number for frame in frames)


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


def cut_connections(port):
    """End all TCP connections of a port of this machine, as when a router forgets them."""
    if os.geteuid() != 0 or shutil.which("ss") is None:
        pytest.skip("cutting connections needs root and iproute2")
    ends = f"( dport = :{port} or sport = :{port} )"
    subprocess.run(["ss", "-K", "state", "established", ends], check=True, capture_output=True)


@pytest.mark.slow
async def test_connections_to_the_gateway_that_are_cut_cost_no_frame(tmp_path):
    async with slow_cluster(tmp_path, 2) as (cluster, _):
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop", "--every-frame")
        await witness.until("a stolen frame", lambda: computed_by(witness, "edge-2"))
        for _ in range(3):
            links = witness.gateway_bytes.get("tcp_link", 0)
            cut_connections(witness.plan.gateway_port)
            await more_frames(witness, 6)
            await witness.until("a link again", lambda before=links: witness.gateway_bytes["tcp_link"] > before)
        await no_frame_is_missing(cluster, camera)
        log = cluster.log("edge-1")
    assert log.count("confirmations come by MQTT meanwhile") >= 3


@pytest.mark.slow
async def test_a_gateway_that_is_killed_and_started_again_gets_whole_frames_of_both_edges(tmp_path):
    async with slow_cluster(tmp_path, 2) as (cluster, _):
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop", "--every-frame")
        await witness.until("a stolen frame", lambda: computed_by(witness, "edge-2"))
        epoch = witness.plan.epoch
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        await cluster.start_gateway(*AUTO)
        await witness.until("a new plan", lambda: witness.plan.epoch > epoch)
        await cluster.edges_ready("edge-1", "edge-2")
        stolen = len(computed_by(witness, "edge-2"))
        await witness.until("stolen frames", lambda: len(computed_by(witness, "edge-2")) > stolen + 3)
        await more_frames(witness, 10)
        await cluster.processes.stop(camera)
        await witness.until("the camera's end", lambda: witness.stats["front"].ended)
        counts = witness.stats["front"].counts
    check_objects(witness)
    numbers = [frame.number for frame in witness.detections]
    assert len(numbers) == len(set(numbers))
    assert counts.under_way == 0
    assert set(counts.dropped) <= {Outcome.REPLANNED, Outcome.NO_ANSWER, Outcome.STOPPED}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", pytest.param("ftp-wst", marks=pytest.mark.long), "ftp-wsh"])
async def test_a_drained_edge_gets_no_work_of_others_until_it_is_resumed(tmp_path, method):
    async with slow_cluster(tmp_path, 2, "--method", method) as (cluster, _):
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop", "--every-frame")
        await witness.until("work of edge-2", lambda: computed_by(witness, "edge-2"))
        await request(witness, "drain_node", "edge-2")
        await witness.until("frames of edge-1 alone", lambda: alone(witness, "edge-1", 6))
        newest = witness.detections[-1].number  # what edge-2 had got before may come late, but no newer frame of it
        await more_frames(witness, 8)
        newer = [frame for frame in witness.detections if frame.number > newest]
        assert len(newer) >= 6
        assert all(set(frame.nodes) == {"edge-1"} for frame in newer)
        await cluster.start_camera("yard", "edge-2", "--frames", "8", "--every-frame")
        await witness.until("the end of yard", lambda: witness.ended("yard"))
        await request(witness, "resume_node", "edge-2")
        seen = len(witness.detections)
        await witness.until(
            "work of edge-2 for front",
            lambda: any("edge-2" in frame.nodes for frame in witness.detections[seen:] if frame.camera == "front"),
        )
        await no_frame_is_missing(cluster, camera)
        await check_frames(witness, "yard")
        counts = witness.stats["yard"].counts
    assert (counts.published, counts.dropped) == (8, {})


async def request(witness, command, node):
    """Send the gateway a request about a node."""
    await witness.bus.publish_plain(topics.REQUEST, json.dumps({"node": node}).encode(), command)


def alone(witness, edge, count):
    """Whether an edge has computed so many frames, the last ones, without any other."""
    last = witness.detections[-count:]
    return len(last) == count and all(set(frame.nodes) == {edge} for frame in last)


async def more_frames(witness, count):
    seen = len(witness.detections)
    await witness.until("more frames", lambda: len(witness.detections) >= seen + count)


async def no_frame_is_missing(cluster, camera):
    """Stop the camera; check that all its frames were published, but for those under way, and are exact."""
    witness = cluster.witness
    await more_frames(witness, 8)
    await cluster.processes.stop(camera)
    await check_frames(witness, camera.name)
    counts = witness.stats[camera.name].counts
    numbers = sorted(frame.number for frame in witness.detections if frame.camera == camera.name)
    assert set(counts.dropped) <= {Outcome.STOPPED}
    assert numbers[:-4] == list(range(len(numbers) - 4))  # the last ones may have been under way
    assert counts.captured - counts.published <= 4
