from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.cluster.fair_shares import MEMORY_S
from gateway.cluster.idle_nodes import RECENTLY_IDLE_S
from gateway.cluster.link_rates import RATE_MEMORY_S, LinkRates
from gateway.cluster.stealing_service import StealingService, helpers_differ
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.mqtt import topics
from shared.payloads.cluster import Helpers, NodeState, State, StealRequest, TaskAnnouncement
from shared.payloads.versions import PROTOCOL
from tests.networks import ModelBuilder
from tests.unit.edge.works import renumbered, whole_work, work_of

WHOLE = whole_work(epoch=7)
MACS = WHOLE.tile(0).macs


def tiled_work():
    build = ModelBuilder(36, 48)
    network = build.network(build.conv("image", 4, 3, name="last", pads=[1] * 4))
    return renumbered(work_of(network, [partition(network, ["last"], Grid(2, 2))]), 8)


TILED = tiled_work()


class Bench:
    """The service among nodes that are all online, on a clock of ours."""

    def __init__(self, monkeypatch):
        self.now, self.grants, self.helpers = 100.0, [], []
        self.speeds, self.barred, self.drained = {}, set(), set()
        self.links, self.lanes = LinkRates(), {}
        monkeypatch.setattr("gateway.cluster.stealing_service.time", self)
        running = {work.epoch: SimpleNamespace(plan=work.plan, epoch=work.epoch) for work in (WHOLE, TILED)}
        plans = SimpleNamespace(get=running.get, preferred=running[WHOLE.epoch])
        members = SimpleNamespace(
            online=self.online, is_drained=lambda node: node in self.drained, all_drained=self.drained,
            lanes=lambda node: self.lanes.get(node, 1),
        )  # fmt: skip
        speeds = SimpleNamespace(speed_of=self.speeds.get)
        self.service = StealingService(
            "fewest-frames", plans, self, members, speeds, self.links, lambda node: node not in self.barred
        )

    def monotonic(self):
        return self.now

    @staticmethod
    def online(node):
        return (
            None
            if node == "lost"
            else NodeState(node=node, state=State.ONLINE, protocol=PROTOCOL, host=node, port=5000)
        )

    def publish_soon(self, topic, message, *names):
        if topic is topics.GRANTS:
            self.grants.append((*names, message.victim, message.epoch))
        else:
            assert topic is topics.HELPERS
            self.helpers.append(message.seconds)
            self.said_lanes = message.lanes

    async def publish(self, topic, message):
        assert topic is topics.HELPERS
        self.helpers.append(message.seconds)

    def ask(self, node, *, idle=True, epochs=(7, 8)):
        self.service.on_request(StealRequest(node=node, epoch=epochs[0], also=epochs[1:], idle=idle))

    def announce(self, node, waiting=1, *, epoch=7, within_s=None):
        self.service.on_announcement(TaskAnnouncement(node=node, epoch=epoch, waiting=waiting, within_s=within_s))


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_a_task_of_any_plan_is_granted_to_a_node_that_is_ready_for_it(bench):
    bench.announce("a", epoch=8)
    bench.ask("b", epochs=(7,))
    assert bench.grants == []
    bench.ask("b", epochs=(7, 8))
    assert bench.grants == [("b", "a", 8)]


def test_a_frame_is_granted_to_the_fastest_idle_node_that_is_fast_enough(bench):
    bench.speeds |= {"slow": MACS / 2.0, "fast": MACS / 0.5, "medium": MACS / 0.9}
    for node in ("slow", "medium", "fast"):
        bench.ask(node)
    bench.announce("a", waiting=3, within_s=1.0)
    assert bench.grants == [("fast", "a", 7), ("medium", "a", 7)]


def test_a_node_of_unknown_speed_is_tried(bench):
    bench.ask("new")
    bench.announce("a", within_s=1.0)
    assert bench.grants == [("new", "a", 7)]


@pytest.mark.parametrize("why", ["barred", "drained", "lost", "of an unknown plan"])
def test_a_node_that_may_not_compute_gets_no_grant_and_is_no_helper(bench, why):
    node = "lost" if why == "lost" else "b"
    bench.barred |= {node} if why == "barred" else set()
    bench.drained |= {node} if why == "drained" else set()
    bench.ask(node, epochs=(6,) if why == "of an unknown plan" else (7,))
    bench.announce("a")
    assert (bench.grants, bench.helpers) == ([], [])


def test_a_node_that_is_drained_while_it_waits_gets_no_grant_any_more(bench):
    bench.ask("b")
    bench.ask("c")
    bench.drained.add("b")
    bench.announce("a")
    bench.announce("a")
    assert [thief for thief, *_ in bench.grants] == ["c"]


def test_idle_nodes_are_published_with_their_seconds_for_a_frame(bench):
    bench.speeds["b"] = MACS / 0.25
    bench.ask("b")
    bench.ask("c")
    bench.ask("d", idle=False)
    bench.ask("e", epochs=(8,))  # it is not ready for the preferred plan
    assert bench.helpers == [{"b": 0.25}, {"b": 0.25, "c": 0.0}]


def test_idle_nodes_are_published_with_their_lanes_if_they_have_several(bench):
    bench.lanes["b"] = 4
    bench.ask("b")
    bench.ask("c")
    assert bench.said_lanes == {"b": 4}
    bench.lanes["b"] = 2
    bench.service.publish_helpers()
    assert (len(bench.helpers), bench.said_lanes) == (3, {"b": 2})


def test_a_node_that_took_a_task_stays_a_helper_for_a_moment(bench):
    bench.ask("b")
    bench.announce("a")
    bench.now += 0.9 * RECENTLY_IDLE_S
    bench.service.publish_helpers()
    assert bench.helpers == [{"b": 0.0}]
    bench.now += 0.2 * RECENTLY_IDLE_S
    bench.service.publish_helpers()
    assert bench.helpers == [{"b": 0.0}, {}]


@pytest.mark.parametrize("forget", ["forget_node", "withdraw_request"])
def test_a_node_that_is_lost_or_withdrawn_is_no_helper_at_once(bench, forget):
    bench.ask("b")
    getattr(bench.service, forget)("b")
    bench.announce("a")
    assert (bench.helpers, bench.grants) == ([{"b": 0.0}, {}], [])


@pytest.mark.parametrize(("forget", "forgotten"), [("forget_node", True), ("withdraw_request", False)])
def test_the_links_of_a_lost_node_are_forgotten_and_those_of_a_barred_one_kept(bench, forget, forgotten):
    bench.links.add_transfer("a", "b", 100.0, bench.now)
    getattr(bench.service, forget)("b")
    assert (bench.links.slowest(bench.now, ["b"]) > 100.0) is forgotten


async def test_helpers_are_published_again_after_a_connect(bench):
    bench.ask("b")
    await bench.service.republish_helpers()
    assert bench.helpers == [{"b": 0.0}] * 2


def test_tasks_of_a_plan_that_is_retired_are_forgotten(bench):
    bench.announce("a", epoch=8)
    bench.service.forget_plan(8)
    bench.ask("b")
    assert bench.grants == []


@pytest.mark.parametrize(
    ("after", "differ"),
    [({"b": 1.0}, False), ({"b": 1.2}, False), ({"b": 1.3}, True), ({"b": 0.7}, True), ({"b": 0.0}, True),
     ({}, True), ({"c": 1.0}, True), ({"b": 1.0, "c": 1.0}, True)],
)  # fmt: skip
def test_helpers_differ_by_name_or_by_a_clearly_other_speed(after, differ):
    assert helpers_differ(Helpers(seconds=after), Helpers(seconds={"b": 1.0})) is differ


def test_a_speed_that_becomes_known_differs():
    assert helpers_differ(Helpers(seconds={"b": 1.0}), Helpers(seconds={"b": 0.0}))
    assert not helpers_differ(Helpers(seconds={"b": 0.0}), Helpers(seconds={"b": 0.0}))


def test_a_frame_is_not_granted_over_a_link_that_has_proved_slow(bench):
    bench.speeds.update(b=MACS / 0.1)
    bench.ask("b", epochs=(7,))
    bench.links.add_transfer("a", "b", 100.0, bench.now)
    bench.announce("a", within_s=1.0)
    assert bench.grants == []
    bench.now += RATE_MEMORY_S
    bench.announce("a", within_s=1.0)
    assert bench.grants == [("b", "a", 7)]


def published(owner, camera, **computed):
    """A published frame, and the tiles that each node computed of it."""
    tiles = {node: [count, 0] if node == owner else [0, count] for node, count in computed.items()}
    return SimpleNamespace(owner=owner, info=SimpleNamespace(camera=camera), tiles=tiles)


def grants_of(bench, count, *owners, epoch=7):
    """The victims of so many requests, while all of these owners have tasks."""
    bench.grants.clear()
    for _ in range(count):
        for owner in owners:
            bench.announce(owner, waiting=5, epoch=epoch)
        bench.ask("thief")
    return [victim for _, victim, _ in bench.grants]


def test_the_owner_whose_cameras_got_the_fewest_frames_is_helped_until_all_have_equally_many(bench):
    for _ in range(5):
        bench.service.on_published(published("a", "front", a=1))
    for _ in range(3):
        bench.service.on_published(published("b", "yard", b=1))
    assert grants_of(bench, 2, "a", "b") == ["b", "b"]
    assert sorted(grants_of(bench, 4, "a", "b")) == ["a", "a", "b", "b"]


def test_an_owner_with_two_cameras_is_helped_as_often_as_two_with_one(bench):
    for camera in ("front", "yard"):
        bench.service.on_published(published("a", camera, a=1))
    bench.service.on_published(published("b", "hall", b=1))
    assert sorted(grants_of(bench, 9, "a", "b")) == ["a"] * 6 + ["b"] * 3


def test_what_thieves_computed_counts_when_it_is_granted_so_lost_frames_are_no_claim(bench):
    victims = grants_of(bench, 8, "a", "b")
    assert sorted(victims) == ["a"] * 4 + ["b"] * 4, "although none of the frames was published"
    for _ in range(4):
        bench.service.on_published(published("a", "front", thief=1))
    assert sorted(grants_of(bench, 2, "a", "b")) == ["a", "b"]


@pytest.mark.parametrize("owner", ["a", "b"])
def test_a_grant_whose_thief_found_nothing_does_not_count(bench, owner):
    assert sorted(grants_of(bench, 2, "a", "b")) == ["a", "b"]
    bench.service.on_request(StealRequest(node="thief", epoch=7, missed=owner))
    assert grants_of(bench, 1, "a", "b") == [owner]


def test_a_tile_counts_as_its_part_of_a_frame(bench):
    bench.service.on_published(published("a", "front", a=3, thief=1))
    bench.service.on_published(published("b", "yard", b=2, thief=2))
    assert grants_of(bench, 1, "a", "b", epoch=8) == ["b"]
    assert sorted(grants_of(bench, 2, "a", "b", epoch=8)) == ["a", "b"]


def test_an_owner_that_is_gone_and_frames_of_long_ago_are_forgotten(bench):
    for _ in range(9):
        bench.service.on_published(published("a", "front", a=1))
    bench.service.forget_node("a")
    bench.service.on_published(published("b", "yard", b=1))
    assert grants_of(bench, 1, "a", "b") == ["a"]
    for _ in range(9):
        bench.service.on_published(published("a", "front", a=1))
    bench.now += 10 * MEMORY_S
    bench.service.on_published(published("b", "yard", b=1))
    assert grants_of(bench, 1, "a", "b") == ["a"]
