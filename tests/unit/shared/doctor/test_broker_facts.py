from __future__ import annotations

import pytest

from shared.doctor.broker_probe import MAX_HEARD_NODES, BrokerFacts
from shared.doctor.doctor_facts import BrokerAnswer, BrokerReply
from shared.mqtt import topics
from shared.payloads.cluster import Identity, NameClaim
from shared.status.cluster_facts import ClusterFacts
from tests.unit.shared.doctor.set_ups import MEMBERS, NODES, PLAN
from tests.unit.shared.status.clusters import DOOR, GATEWAY


@pytest.fixture
def facts():
    return BrokerFacts(BrokerAnswer(BrokerReply.CONNECTED), cluster=ClusterFacts())


def hear(facts, topic, message, *names):
    facts.on_message(topic.full_path(*names), message.model_dump_json().encode(), "deepthings")


def test_each_message_is_remembered_in_its_place(facts):
    hear(facts, topics.MEMBERS, MEMBERS)
    hear(facts, topics.PLAN, PLAN)
    hear(facts, topics.NODE_STATE, NODES["shed"], "shed")
    hear(facts, topics.BRIDGE_STATE, GATEWAY)
    hear(facts, topics.CAMERA_STATS, DOOR, "front_door")
    assert (facts.members, facts.plan, facts.nodes) == (MEMBERS, PLAN, {"shed": NODES["shed"]})
    assert (facts.cluster.state, facts.cluster.cameras) == (GATEWAY, {"front_door": DOOR})


def test_claims_and_what_cannot_be_read_are_left_out(facts):
    hear(facts, topics.NODE_CLAIM, NameClaim(identity=Identity()), "shed")
    facts.on_message(topics.PLAN.full_path(), b"not JSON", "deepthings")
    facts.on_message(topics.NODE_STATE.full_path("shed"), b"{}", "deepthings")
    assert (facts.plan, facts.nodes, facts.cluster.cameras) == (None, {}, {})


def test_names_without_end_do_not_fill_the_memory(facts):
    for number in range(MAX_HEARD_NODES + 5):
        hear(facts, topics.NODE_STATE, NODES["shed"], f"edge-{number}")
    assert len(facts.nodes) == MAX_HEARD_NODES
