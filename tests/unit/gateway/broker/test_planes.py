"""Which message goes to which broker."""

from __future__ import annotations

import pytest

from gateway.broker.planes import Planes
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.received import Received
from shared.mqtt.topic_kinds import Plane
from shared.payloads.cluster import CameraStats, FrameDone, NodeState, State
from shared.payloads.frames import FrameCounts
from tests.unit.gateway.buses import StandInBus


class StandInHouse:
    """In the place of a HouseBroker."""

    frames_dropped = 3

    def __init__(self):
        self.bus = StandInBus()
        self.put_there = []
        self.frames = []

    def queue_message(self, topic, payload, *, retain):
        self.put_there.append((topic, payload, retain))

    def publish_frame(self, topic, payload):
        self.frames.append((topic, payload))


class ClusterBus(StandInBus):
    def publish_soon(self, topic, message, *names):
        self.said.append((topic.full_path(*names), message.model_dump_json().encode()))


@pytest.fixture
def cluster():
    return ClusterBus()


@pytest.fixture
def house():
    return StandInHouse()


STATS = CameraStats(camera="front", node="shed", counts=FrameCounts(), state=State.ONLINE)
ONLINE = NodeState(node="shed", state=State.ONLINE, protocol=5)
DONE = FrameDone(frame="front-1", outcome="published")


async def test_with_one_broker_everything_is_there(cluster):
    planes = Planes(cluster)
    await planes.publish(topics.OUTCOMES, DONE, "shed")
    await planes.publish_plain(topics.CAMERA_AVAILABILITY, b"online", "front")
    await planes.publish_at("homeassistant/x", "{}", retain=True)
    await planes.deliver_at("homeassistant/y", "{}", retain=True)
    assert [topic for topic, _ in cluster.said] == [
        "cluster/outcomes/shed", "cameras/front/availability", "homeassistant/x", "homeassistant/y",
    ]  # fmt: skip
    assert planes.public_connected is planes.cluster_connected
    assert planes.frames_dropped == 0


async def test_each_topic_is_at_the_broker_of_its_plane(cluster, house):
    planes = Planes(cluster, house)
    await planes.publish(topics.OUTCOMES, DONE, "shed")
    await planes.publish_plain(topics.CAMERA_AVAILABILITY, b"online", "front")
    await planes.publish_plain(topics.BRIDGE_NODES, b"{}")
    await planes.publish_plain(topics.DETECTIONS, b"{}", "front")
    await planes.publish_at("homeassistant/x", "{}", retain=True)
    assert [topic for topic, _ in cluster.said] == [
        "cluster/outcomes/shed", "bridge/nodes", "detections/front/frame",
    ]  # fmt: skip
    assert house.put_there == [
        ("deepthings/cameras/front/availability", b"online", True), ("deepthings/bridge/nodes", b"{}", True),
        ("homeassistant/x", b"{}", True),
    ]  # fmt: skip
    assert house.frames == [("deepthings/detections/front/frame", b"{}")]
    assert planes.frames_dropped == 3


async def test_what_must_arrive_is_waited_for_at_the_house(cluster, house):
    planes = Planes(cluster, house)
    await planes.deliver(topics.OUTCOMES, DONE, "x")
    await planes.deliver_at("homeassistant/x", b"{}", retain=True)
    assert [topic for topic, _ in house.bus.said] == ["cluster/outcomes/x", "homeassistant/x"]
    assert not cluster.said
    house.bus.away = True
    with pytest.raises(BrokerError):
        await planes.deliver_at("homeassistant/x", b"{}", retain=True)


async def test_the_houses_broker_hears_of_both_also_when_the_clusters_is_away(cluster, house):
    planes = Planes(cluster, house)
    cluster.away = True
    with pytest.raises(BrokerError):
        await planes.publish_plain(topics.BRIDGE_HEALTH, b"{}")
    assert [topic for topic, *_ in house.put_there] == ["deepthings/bridge/health"]


async def test_people_are_heard_at_the_house_and_edges_at_the_clusters(cluster, house):
    planes = Planes(cluster, house)
    heard = []
    planes.on_plain(topics.REQUEST, lambda received: heard.append(received.names))
    planes.on(topics.NODE_STATE, lambda name, _: heard.append(name))
    await house.bus.hear_plain(topics.REQUEST, b"", "info")
    await cluster.hear(topics.NODE_STATE, "shed", ONLINE)
    assert heard == [("info",), "shed"]
    with pytest.raises(KeyError):
        await cluster.hear_plain(topics.REQUEST, b"", "info")


async def test_what_edges_say_of_cameras_is_passed_on_and_kept_until_it_is_cleared(cluster, house):
    planes = Planes(cluster, house)
    said = STATS.model_dump_json().encode()
    await cluster.hear_plain(topics.CAMERA_STATS, said, "front")
    planes.republish_stats()
    assert house.put_there == [("deepthings/cameras/front/stats", said, True)] * 2
    await planes.clear_retained(topics.CAMERA_STATS, "front")
    assert len(house.put_there) == 2, "it is passed on when it is heard"
    await cluster.hear(topics.CAMERA_STATS, Received(("front",), b"", retained=False))
    planes.republish_stats()
    assert house.put_there[2:] == [("deepthings/cameras/front/stats", b"", True)]


async def test_what_is_posted_goes_to_the_cluster(cluster, house):
    Planes(cluster, house).publish_soon(topics.CAMERA_STATS, STATS, "front")
    assert [topic for topic, _ in cluster.said] == ["deepthings/cameras/front/stats"]
    assert not house.put_there


async def test_the_connection_with_each_broker_is_known(cluster, house):
    planes = Planes(cluster, house)
    house.bus.away = True
    assert planes.cluster_connected.is_set()
    assert not planes.public_connected.is_set()


def test_topics_of_the_cluster_and_no_others_are_hidden_from_the_house():
    rows = {name: row for name, row in vars(topics).items() if isinstance(row, topics.Topic | topics.PlainTopic)}
    hidden = {name for name, row in rows.items() if row.plane is Plane.CLUSTER}
    assert hidden == {name for name, row in rows.items() if row.path.startswith("cluster/")} - {"GATEWAY_CLAIM"}
