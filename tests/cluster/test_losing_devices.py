"""What a cluster does when devices vanish, freeze, come late or come back."""

from __future__ import annotations

import asyncio
import signal

import pytest

from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.outgoing import Outgoing
from shared.network.addresses import Address
from shared.payloads.cluster import Grant, NodeState, State, StealRequest
from shared.payloads.frames import Outcome
from shared.payloads.versions import PROTOCOL
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, TakeHeader, TileHeader
from shared.wire.wire_traffic import WireTraffic
from tests.harness import address_of, cut_off, running_cluster
from tests.slow_devices import SlowDevice


class Robber:
    """A thief that takes tiles and never gives a result: a device that dies with stolen tiles in its hands."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.held = []
        self.granted: asyncio.Queue[Grant] = asyncio.Queue()
        state = NodeState(node="robber", state=State.ONLINE, protocol=PROTOCOL, host="127.0.0.1", port=9)
        gone = state.model_copy(update={"state": State.OFFLINE})
        self.bus = Bus(
            cluster.broker, "robber", will=Outgoing(topics.NODE_STATE, gone, "robber"),
            on_connected=lambda: self.bus.publish(topics.NODE_STATE, state, "robber"),
        )  # fmt: skip
        self.bus.on(topics.GRANTS, lambda _, grant: self.granted.put_nowait(grant), "robber")
        self.running = asyncio.create_task(self.bus.run())

    async def rob(self, tiles):
        await self.bus.connected.wait()
        while len(self.held) < tiles:
            request = StealRequest(node="robber", epoch=self.cluster.witness.plan.epoch)
            await self.bus.publish(topics.STEAL, request, "robber")
            grant = await self.granted.get()
            victim = await Connection.open(Address(grant.host, grant.port), WireTraffic())
            await victim.send(TakeHeader(thief="robber", epoch=grant.epoch))
            header, _ = await victim.expect(TileHeader, AbsentHeader)
            victim.close()
            if isinstance(header, TileHeader):
                self.held.append((header.info.frame, header.tile))

    async def vanish(self):
        """As when the power fails: no goodbye, so the broker sends the will."""
        cut_off(self.bus)
        while self.bus.connected.is_set():  # noqa: ASYNC110  (there is no event for a connection's end)
            await asyncio.sleep(0.01)
        await self.leave()

    async def leave(self):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@pytest.mark.slow
async def test_stolen_tiles_that_never_come_back_run_again_when_their_lease_ends(tmp_path):
    undivided = "--grid", "1x1"  # of several tiles, others would compute those long before
    device = SlowDevice(tmp_path / "slow", 0.15, tile_share=1.0)
    async with running_cluster(tmp_path, 0, "--lease", "0.5", "--verify-every", "1", *undivided) as cluster:
        await cluster.start_edge("edge-1", code=device.code)
        await cluster.edges_ready("edge-1")
        robber = Robber(cluster)
        robbing = asyncio.create_task(robber.rob(6))
        await cluster.start_camera("front", "edge-1", "--frames", "30", "--every-frame")
        await asyncio.wait_for(robbing, 60)
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"))
        await robber.leave()
        counts = cluster.witness.stats["front"].counts
        robbed = {frame for frame, _ in robber.held}
        published = {frame.frame for frame in cluster.witness.detections}
        log = cluster.log("edge-1")
    assert (counts.published, counts.dropped) == (30, {})
    assert robbed <= published
    assert len(robber.held) == 6
    for frame, tile in robber.held:
        assert f"{frame} tile {tile} will run again" in log
    assert max(verification.max_abs_diff for verification in cluster.witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_tiles_that_never_come_back_are_computed_by_others_long_before_their_lease_ends(tmp_path):
    async with running_cluster(tmp_path, 2, "--lease", "50", "--deadline", "100", "--verify-every", "1") as cluster:
        robber = Robber(cluster)
        robbing = asyncio.create_task(robber.rob(6))
        await cluster.start_camera("front", "edge-1", "--frames", "30", "--every-frame")
        await asyncio.wait_for(robbing, 60)
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"), 30)
        await robber.leave()
        counts = cluster.witness.stats["front"].counts
        robbed = {frame for frame, _ in robber.held}
        published = {frame.frame for frame in cluster.witness.detections}
    assert (counts.published, counts.dropped) == (30, {})
    assert robbed <= published
    assert max(verification.max_abs_diff for verification in cluster.witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_a_vanished_thief_is_noticed_by_its_will_long_before_its_lease_ends(tmp_path):
    async with running_cluster(tmp_path, 1, "--lease", "50", "--deadline", "60") as cluster:
        robber = Robber(cluster)
        robbing = asyncio.create_task(robber.rob(2))
        await cluster.start_camera("front", "edge-1", "--frames", "6", "--every-frame")
        await asyncio.wait_for(robbing, 60)
        await robber.vanish()
        await cluster.witness.until("the camera's end", lambda: cluster.witness.ended("front"), 30)
        counts = cluster.witness.stats["front"].counts
        log = cluster.log("edge-1")
    assert (counts.published, counts.dropped) == (6, {})
    assert "will run again: robber is offline" in log


async def test_an_edge_killed_in_mid_stream_costs_no_frame(tmp_path):
    async with running_cluster(tmp_path, 3, "--verify-every", "1") as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--frames", "40", "--every-frame")
        await witness.until("stealing by edge-2", lambda: witness.tiles("edge-2")[1] >= 5)
        grants = len(witness.grants["edge-2"])
        await witness.until("one more grant", lambda: len(witness.grants["edge-2"]) > grants)
        cluster.signal(cluster.edges["edge-2"], signal.SIGKILL)
        await witness.until("the will of edge-2", lambda: witness.nodes["edge-2"].state is State.OFFLINE)
        await witness.until("the camera's end", lambda: witness.ended("front"))
        counts = witness.stats["front"].counts
    assert (counts.captured, counts.published, counts.dropped) == (40, 40, {})
    assert max(verification.max_abs_diff for verification in witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_a_frozen_edge_costs_no_frame_and_its_late_results_change_nothing(tmp_path):
    async with running_cluster(tmp_path, 3, "--verify-every", "1", "--lease", "0.5") as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--frames", "40", "--every-frame")
        await witness.until("stealing by edge-2", lambda: witness.tiles("edge-2")[1] >= 5)
        cluster.signal(cluster.edges["edge-2"], signal.SIGSTOP)
        frozen_at = len(witness.detections)
        await witness.until("frames without edge-2", lambda: len(witness.detections) >= frozen_at + 8)
        cluster.signal(cluster.edges["edge-2"], signal.SIGCONT)
        await witness.until("the camera's end", lambda: witness.ended("front"))
        counts = witness.stats["front"].counts
    assert (counts.captured, counts.published, counts.dropped) == (40, 40, {})
    assert max(verification.max_abs_diff for verification in witness.verifications) <= 1e-5


@pytest.mark.slow
async def test_a_frozen_owner_holds_up_neither_its_thieves_nor_the_proof_of_frames(tmp_path):
    async with running_cluster(tmp_path, 3, "--verify-every", "1", "--deadline", "5") as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--loop")
        await cluster.start_camera("yard", "edge-2", "--loop")
        await witness.until("frames of both", lambda: {"front", "yard"} <= {f.camera for f in witness.detections})
        await witness.until("stealing by edge-3", lambda: witness.tiles("edge-3")[1] >= 5)
        cluster.signal(cluster.edges["edge-1"], signal.SIGSTOP)
        frozen_at = len(witness.detections)
        await witness.until(
            "tiles of the other stolen by edge-3",
            lambda: sum("edge-3" in f.nodes for f in witness.detections[frozen_at + 5 :] if f.camera == "yard") >= 20,
        )
        cluster.signal(cluster.edges["edge-1"], signal.SIGCONT)


@pytest.mark.slow
async def test_an_edge_that_comes_later_gets_work(tmp_path):
    async with running_cluster(tmp_path, 1) as cluster:
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", "--loop")
        await witness.until("the first frames", lambda: len(witness.detections) >= 3)
        await cluster.start_edge("late")
        await witness.until("tiles stolen by the newcomer", lambda: witness.tiles("late")[1] >= 5)
        await cluster.processes.stop(camera)
        assert camera.process.returncode == 0


@pytest.mark.slow
async def test_an_owner_that_dies_loses_its_frames_only_and_takes_its_camera_back(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--loop")
        await cluster.start_camera("yard", "edge-2", "--loop")
        await witness.until("frames of both", lambda: {"front", "yard"} <= {f.camera for f in witness.detections})
        address = address_of(cluster, "edge-1")
        cluster.signal(cluster.edges["edge-1"], signal.SIGKILL)
        await witness.until("the will of edge-1", lambda: witness.nodes["edge-1"].state is State.OFFLINE)
        before = len(witness.detections)
        await witness.until(
            "frames of the other", lambda: sum(f.camera == "yard" for f in witness.detections[before:]) >= 5
        )
        await cluster.start_edge("edge-1", "--port", str(address.port))
        back = len(witness.detections)
        await witness.until("its frames again", lambda: any(f.camera == "front" for f in witness.detections[back:]))
        await witness.until("the account", lambda: witness.stats["front"].counts.dropped.get(Outcome.NO_EDGE))


@pytest.mark.slow
async def test_a_gateway_that_is_killed_and_started_again_finds_its_cluster_working(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--loop")
        await witness.until("the first frames", lambda: len(witness.detections) >= 3)
        epoch = witness.plan.epoch
        cluster.signal(cluster.gateway, signal.SIGKILL)
        await cluster.gateway.process.wait()
        before = len(witness.detections)
        await cluster.start_gateway()
        await witness.until("a new plan", lambda: witness.plan.epoch > epoch)
        await cluster.edges_ready("edge-1", "edge-2")
        await witness.until(
            "frames and stealing again",
            lambda: any("edge-2" in frame.nodes for frame in witness.detections[before:]),
        )


async def test_a_tile_that_is_late_on_one_edge_is_computed_by_another_too(tmp_path):
    device = SlowDevice(tmp_path / "slow", 0.5)
    async with running_cluster(tmp_path, 1, "--method", "ftp-wst", "--lease", "60", "--deadline", "120") as cluster:
        await cluster.start_edge("edge-2", code=device.code)
        await cluster.edges_ready("edge-2")
        witness = cluster.witness
        await cluster.start_camera("front", "edge-1", "--frames", "200", "--every-frame")
        await witness.until("tiles of a thief", lambda: witness.tiles("edge-2")[1] >= 6)
        await device.pause()
        before = len(witness.detections)
        await witness.until("all frames, also that of its tile", lambda: first_missing(witness) >= before + 5)
        device.go_on()
        stolen = witness.tiles("edge-2")[1]
        await witness.until("its next tiles", lambda: witness.tiles("edge-2")[1] > stolen)
        drops = witness.stats["front"].counts.dropped
    assert drops == {}


def first_missing(witness):
    """The number of the first frame that is not published yet."""
    numbers = {frame.number for frame in witness.detections}
    return next(number for number in range(len(numbers) + 1) if number not in numbers)
