from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from gateway import home as module
from gateway.bridge.health_publisher import HEALTH_PERIOD_S
from gateway.configuration.root import Configuration
from gateway.home import Home
from gateway.membership.members import Membership
from shared.errors import BrokerError, ConfigurationError
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeEventType, BridgeHealth, BridgeInfo, PlanInfo, Response
from shared.payloads.cluster import CameraStats, NodeState, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.payloads.versions import PROTOCOL
from tests.settling import until
from tests.unit.gateway.buses import StandInBus

INFO = BridgeInfo(
    version="1", protocol=PROTOCOL, topic_prefix="deepthings", model="nanodet-g", labels=("person",),
    plan=PlanInfo(epoch=3, method="ftp-wst", grid="3x3", cut=("concat_28",), tiles=9),
)  # fmt: skip

TOLD = INFO.model_copy(update={"cameras": ("door",), "home_assistant": True})


class House:
    """A Home on a stand-in bus, with edges that come and go and a configuration file that changes."""

    def __init__(self, folder, **cameras):
        self.folder = folder
        self.bus = StandInBus()
        self.members = Membership(Address("10.0.0.1", 1883))
        self.file = self.configuration(**cameras)
        self.home = Home(self.file, self.bus, self.members, Address("10.0.0.1", 4000), self.read, lambda: INFO)

    def read(self):
        if isinstance(self.file, Exception):
            raise self.file
        return self.file

    def configuration(self, cameras=("door",), **sections):
        said = {name: {"source": "test://"} for name in cameras} if isinstance(cameras, tuple) else cameras
        return Configuration.model_validate({"cameras": said, "state": str(self.folder), **sections})

    async def edges(self, *there, gone=()):
        for name in there:
            self.members.on_state(NodeState(node=name, state=State.ONLINE, protocol=PROTOCOL, host="h", port=1))
        for name in gone:
            self.members.on_state(NodeState(node=name, state=State.OFFLINE, protocol=PROTOCOL))
        await self.home.on_nodes(self.members.report({}))

    async def hear(self, camera="door", node="pi-1", **said):
        stats = CameraStats(camera=camera, node=node, counts=FrameCounts(), **{"state": State.ONLINE, **said})
        await self.bus.hear(topics.CAMERA_STATS, camera, stats)

    async def ask(self, command, **said):
        await self.bus.hear_plain(topics.REQUEST, json.dumps(said).encode(), command)
        return Response.model_validate_json(self.bus.payloads(f"bridge/response/{command}")[-1])

    def served(self, node):
        return set(json.loads(self.bus.retained[f"cluster/cameras/{node}"])["cameras"])


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@contextlib.asynccontextmanager
async def running(service):
    task = asyncio.create_task(service)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


# at a birth


async def test_a_late_subscriber_receives_the_gateways_info_and_the_states_of_its_cameras(house):
    await house.edges("pi-1")
    await house.hear()
    await house.home.on_connected()
    info = BridgeInfo.model_validate_json(house.bus.retained["bridge/info"])
    assert info == TOLD
    assert house.bus.retained["cameras/door/availability"] == b"offline", "no frame of it was processed yet"
    assert "detections/door/all" not in house.bus.retained
    assert house.served("pi-1") == {"door"}


async def test_after_a_reconnect_everything_is_published_again(house):
    await house.edges("pi-1")
    await house.hear()
    await house.home.on_connected()
    before = dict(house.bus.retained)
    house.bus.forget()
    await house.home.on_connected()
    assert house.bus.retained == before


# edges


async def test_an_edge_that_is_drained_serves_no_camera_and_takes_no_tiles_until_it_is_resumed(house):
    await house.edges("pi-1", "pi-2")
    (serving,) = [name for name in ("pi-1", "pi-2") if house.served(name)]
    (other,) = {"pi-1", "pi-2"} - {serving}
    answer = await house.ask("drain_node", node=serving)
    assert (answer.ok, answer.data) == (True, {"node": serving, "drained": [serving]})
    assert (house.served(serving), house.served(other)) == (set(), {"door"})
    assert (house.members.is_drained(serving), house.members.is_drained(other)) == (True, False)
    answer = await house.ask("resume_node", node=serving)
    assert (answer.ok, answer.data) == (True, {"node": serving, "drained": []})
    assert not house.members.is_drained(serving)


async def test_an_edge_that_is_drained_stays_so_when_it_comes_back(house):
    await house.edges("pi-1")
    await house.ask("drain_node", node="pi-1")
    await house.edges(gone=["pi-1"])
    await house.edges("pi-1")
    assert house.members.is_drained("pi-1")
    assert house.served("pi-1") == set()


async def test_an_edge_that_is_not_there_cannot_be_drained(house):
    await house.edges("pi-1")
    answer = await house.ask("drain_node", node="pi-9")
    assert (answer.ok, answer.error) == (False, "edge 'pi-9' not found; present: pi-1")
    assert not house.members.is_drained("pi-9")


async def test_a_camera_of_an_edge_that_died_while_the_gateway_was_away_is_not_there(house):
    """Its account is retained, and says that all is well."""
    await house.hear("door", "pi-1")
    await house.edges(gone=["pi-1"])
    assert house.bus.retained["cameras/door/availability"] == b"offline"


# requests


async def test_an_info_request_is_answered_with_what_this_gateway_runs(house):
    answer = await house.ask("info", transaction=7)
    assert (answer.ok, answer.transaction) == (True, 7)
    assert BridgeInfo.model_validate(answer.data) == TOLD


async def test_a_camera_is_restarted_by_another_number(house):
    await house.edges("pi-1")

    def restart():
        return json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]["door"]["restart"]

    before = restart()
    answer = await house.ask("restart_camera", camera="door")
    assert (answer.ok, answer.data) == (True, {"camera": "door"})
    assert restart() != before


@pytest.mark.parametrize("command", ["restart_camera", "snapshot"])
async def test_a_camera_that_is_not_there_is_answered_with_those_that_are(house, command):
    answer = await house.ask(command, camera="attic")
    assert not answer.ok
    assert "'attic'" in answer.error
    assert "door" in answer.error


@pytest.mark.parametrize(
    ("command", "what"),
    [("restart_camera", "camera"), ("snapshot", "camera"), ("drain_node", "node"), ("resume_node", "node")],
)
async def test_a_request_that_names_nothing_is_answered_with_what_it_must_name(house, command, what):
    answer = await house.ask(command)
    assert (answer.ok, answer.error) == (False, f'the request must name a {what}, as {{"{what}": "..."}}')


async def test_a_snapshot_may_be_requested_of_a_camera_that_was_started_by_hand(house):
    await house.hear("by-hand")
    assert (await house.ask("snapshot", camera="by-hand")).ok


# another configuration


async def test_what_a_reload_has_changed_is_published_and_followed(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    house.file = house.configuration(
        {"yard": {"source": "test://"}, "attic": {"source": "test://"}}, mqtt={"topic_prefix": "other"}
    )
    answer = await house.ask("reload")
    assert answer.ok
    assert (answer.data["added"], answer.data["removed"]) == (["yard", "attic"], ["door"])
    assert answer.data["needs_restart"] == ["mqtt"]
    assert house.served("pi-1") == {"yard", "attic"}
    assert json.loads(house.bus.retained["bridge/info"])["cameras"] == ["attic", "yard"]
    house.file = house.configuration({"yard": {"source": "test://"}, "attic": {"source": "test://"}})
    assert (await house.ask("reload")).ok
    assert not [where for where in house.bus.retained if where.startswith("cameras/door/")]


async def test_nothing_that_is_retained_shows_a_camera_that_was_removed(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    for picture in ("snapshot", "person/snapshot"):
        await house.bus.publish_at(f"deepthings/detections/door/{picture}", "JPEG", retain=True)
    house.file = house.configuration(("yard",))
    async with running(house.home.observer.run()):
        await house.ask("reload")
        while await house.bus.next("detections/door/person/snapshot"):
            pass
    await house.home.cleaner.clear_stale()
    assert not [where for where in house.bus.retained if "/door/" in where]
    assert [where for where in house.bus.retained if "/yard/" in where]


async def test_what_left_the_file_while_the_gateway_was_away_is_cleared_when_it_is_back(tmp_path):
    zones = {"porch": {"coordinates": "0,0,1,0,1,1,0,1"}}
    door = {"source": "test://", "zones": zones}
    before = House(tmp_path, cameras={"door": door, "yard": door}, frigate_compat={"enabled": True})
    await before.home.on_connected()
    for topic in ("deepthings/detections/{}/zones/porch/person", "deepthings/detections/{}/car", "frigate/{}/car",
                  "deepthings/detections/{}/person", "deepthings/cameras/{}/stats", "frigate/{}/person/snapshot",
                  "deepthings/detections/{}/person/snapshot", "frigate/porch/person"):  # fmt: skip
        for camera in ("door", "yard"):
            await before.bus.publish_at(topic.format(camera), "1", retain=True)
    await before.home.publish_stopping()
    after = House(tmp_path, cameras={"door": {"source": "test://"}}, objects={"track": ["person"]})
    after.bus.retained = before.bus.retained
    await after.home.on_connected()
    left = {where for where in after.bus.retained if "/state" not in where and not where.startswith("bridge")}
    assert left == {
        "cameras/door/availability", "cameras/door/stats", "detections/door/all", "detections/door/person",
        "detections/door/person/snapshot",
    }  # fmt: skip
    assert not [where for where in after.bus.retained if "yard" in where or "frigate" in where]


async def test_a_camera_that_left_the_file_while_the_gateway_was_away_is_none_though_its_agent_still_runs(tmp_path):
    before = House(tmp_path)
    await before.home.on_connected()
    await before.hear(assigned=True)
    await before.home.publish_stopping()
    after = House(tmp_path, cameras=("yard",))
    after.bus.retained = before.bus.retained
    await after.hear(assigned=True)
    await after.home.on_connected()
    await after.hear(assigned=True, ended=True)
    assert not after.home.cameras.by_hand
    assert not [where for where in after.bus.retained if "door" in where]


async def test_what_was_set_of_a_camera_that_left_the_file_meanwhile_does_not_come_back_with_its_name(tmp_path):
    before = House(tmp_path)
    await before.hear("by-hand")
    for camera in ("door", "by-hand"):
        await before.bus.hear_plain(topics.CAMERA_SET, b"0.9", camera, "threshold")
    await before.home.publish_stopping()
    between = House(tmp_path, cameras=("yard",))
    await between.home.publish_stopping()
    after = House(tmp_path)
    assert after.home.cameras.effective_settings("door").threshold is None
    assert after.home.cameras.effective_settings("by-hand").threshold == 0.9


async def test_a_camera_that_was_started_by_hand_has_its_time_to_come_back(tmp_path, monkeypatch):
    before = House(tmp_path)
    await before.hear("by-hand")
    await before.home.publish_stopping()
    after = House(tmp_path)
    after.bus.retained = before.bus.retained
    await after.home.on_connected()
    assert "cameras/by-hand/availability" in after.bus.retained
    monkeypatch.setattr("gateway.retained.cleaner.BY_HAND_RETURN_S", 0.0)
    await after.home.cleaner.clear_stale()
    assert "cameras/by-hand/availability" not in after.bus.retained


async def test_when_the_gateway_stops_cameras_are_gone_before_counts_are_none(house):
    await house.hear()
    await house.home.cameras.mark_settled("door")
    house.bus.said.clear()
    await house.home.publish_stopping()
    assert house.bus.said[0] == ("cameras/door/availability", b"offline")


async def test_a_reload_while_the_broker_is_away_is_followed_when_it_is_back(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    house.file = house.configuration(("yard",))
    house.bus.away = True
    assert (await house.home.reload())["added"] == ["yard"]
    house.bus.away = False
    async with running(house.home.observer.run()):
        await until("all changes taken", house.home.observer._changes.empty)
    await house.home.on_connected()
    assert not [where for where in house.bus.retained if "/door/" in where]
    assert house.served("pi-1") == {"yard"}


async def test_a_topic_that_cannot_be_cleared_keeps_no_other(house, monkeypatch):
    publish = house.bus.publish_at

    async def refusing(topic, payload, *, retain):
        if "+" in topic:
            raise BrokerError("no topic")
        await publish(topic, payload, retain=retain)

    await house.bus.publish_at("deepthings/detections/yard/car", "1", retain=True)
    house.home.cleaner._retained.note_topic("deepthings/detections/attic/+", retained=True)
    monkeypatch.setattr(house.bus, "publish_at", refusing)
    await house.home.cleaner.clear_stale()
    assert "detections/yard/car" not in house.bus.retained


async def test_a_reload_of_the_same_file_changes_nothing(house):
    await house.edges("pi-1")
    before = house.bus.retained["cluster/cameras/pi-1"]
    answer = await house.ask("reload")
    assert answer.ok
    assert not any(answer.data.values())
    assert house.bus.retained["cluster/cameras/pi-1"] == before


async def test_a_camera_whose_source_has_changed_begins_anew_and_another_goes_on(tmp_path):
    house = House(tmp_path, cameras=("door", "yard"))
    await house.edges("pi-1")
    before = json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]
    house.file = house.configuration({"door": {"source": "test://?a=1"}, "yard": {"source": "test://"}})
    assert (await house.ask("reload")).data["restarted"] == ["door"]
    after = json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]
    assert after["door"]["revision"] != before["door"]["revision"]
    assert after["yard"] == before["yard"]


async def test_a_file_that_is_wrong_changes_nothing_and_is_answered_with_what_is_wrong(house):
    await house.edges("pi-1")
    before = dict(house.bus.retained)
    house.file = ConfigurationError("deepthings.yaml:6: cameras.door.zons: unknown key; did you mean 'zones'?")
    answer = await house.ask("reload")
    assert (answer.ok, answer.error) == (False, str(house.file))
    assert {where: said for where, said in house.bus.retained.items() if where in before} == before
    house.file = house.configuration()
    assert (await house.ask("reload")).ok


async def test_a_reload_without_a_file_is_refused(tmp_path):
    house = House(tmp_path)
    house.home._read = None
    answer = await house.ask("reload")
    assert not answer.ok
    assert "started without a configuration file" in answer.error


async def test_a_reload_is_an_event(house):
    async with running(house.home.events.run()):
        await house.ask("reload")
        assert json.loads(await house.bus.next("bridge/event"))["type"] == "configuration_reloaded"


async def test_what_happens_to_the_cluster_is_an_event_with_name_reason_and_time(house, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 1.7e9)
    house.home.on_cluster_event(BridgeEventType.NODE_LOST, "pi-1", "its power failed")
    async with running(house.home.events.run()):
        assert json.loads(await house.bus.next("bridge/event")) == {
            "type": "node_lost", "name": "pi-1", "reason": "its power failed", "at": 1.7e9,
        }  # fmt: skip


# health


class Clock:
    """Seconds that a test lets pass, and how often health was looked at."""

    def __init__(self):
        self.now = 1000.0
        self._looked = asyncio.Event()

    def monotonic(self):
        return self.now

    def look(self):
        self._looked.set()

    async def looks(self):
        """Wait until it was looked at some times more."""
        async with asyncio.timeout(10):
            for _ in range(3):
                self._looked.clear()
                await self._looked.wait()


@pytest.fixture
def clock(monkeypatch):
    clock, report = Clock(), module.GatewayHealth.report

    def watched(*said):
        clock.look()
        return report(*said)

    monkeypatch.setattr("gateway.bridge.health_publisher.HEALTH_CHECK_PERIOD_S", 0)
    monkeypatch.setattr(module.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(module.GatewayHealth, "report", watched)
    return clock


@pytest.fixture
async def watched(clock, tmp_path):  # noqa: ARG001  (it is the clock of the house)
    """A house whose health is told, by that clock."""
    house = House(tmp_path)
    async with running(house.home.health_publisher.run()):
        yield house


async def health(house):
    return BridgeHealth.model_validate_json(await house.bus.next("bridge/health"))


async def test_health_is_published_at_once_and_then_when_it_changes(watched):
    first = await health(watched)
    assert (first.cameras, first.cameras_online, first.nodes_online) == (1, 0, 0)
    assert first.problems == ("camera door: no edge has reported it yet", "no edge is connected")
    await watched.edges("pi-1")
    assert (await health(watched)).nodes_online == 1
    await watched.hear()
    assert (await health(watched)).problems == ()
    watched.home.on_frame_ended("door", Outcome.DEADLINE)
    last = await health(watched)
    assert last.problems == ("frames of camera door were lost recently",)
    assert last.dropped == 1


async def test_health_that_does_not_change_is_published_once_a_minute(watched, clock):
    await health(watched)
    clock.now += HEALTH_PERIOD_S - 1
    watched.home.on_frame_ended("door", Outcome.PUBLISHED)
    await clock.looks()
    assert len(watched.bus.payloads("bridge/health")) == 1
    clock.now += 1
    assert (await health(watched)).published == 1


async def test_a_camera_that_was_started_by_hand_is_none_of_those_that_must_be_there(watched, clock):
    first = await health(watched)
    await watched.hear("by-hand")
    await clock.looks()
    assert (first.cameras, first.cameras_online) == (1, 0)
    assert len(watched.bus.payloads("bridge/health")) == 1


async def test_after_a_reconnect_health_is_published_again(watched):
    await health(watched)
    watched.bus.forget()
    await watched.home.on_connected()
    await health(watched)


async def test_health_is_published_when_there_is_a_broker_again(watched, clock):
    await health(watched)
    watched.bus.away = True
    await watched.edges("pi-1")
    await clock.looks()
    watched.bus.away = False
    assert (await health(watched)).nodes_online == 1
