"""A set-up in which all is well, as the doctor finds it from an edge, for tests that break it."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import NamedTuple

from gateway.membership.name_conflicts import ContestedNames
from shared.doctor.doctor_facts import (
    BrokerAnswer,
    BrokerReply,
    DeviceFacts,
    EchoAnswer,
    Facts,
    NameAnswer,
    OwnKeys,
    PortAnswer,
    ReachAnswer,
)
from shared.doctor.doctor_findings import CheckResult
from shared.mqtt.broker_login import Login
from shared.mqtt.client_ids import edge_login_name
from shared.mqtt.refused_login import refusal_message
from shared.network.addresses import Address
from shared.payloads.cluster import Identity, NameClaim, NodeReport, NodeState, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.plan.plan import PlanOffer
from shared.reasons.network_reasons import network_reason
from shared.security.member_list import Member, MemberList, Role
from shared.security.node_identity import JOIN_AGAIN
from tests.unit.edge.works import whole_work
from tests.unit.shared.status.clusters import ATTIC, DOOR, GATEWAY, HEALTH, INFO, NOW, facts_of

BROKER = Address("192.168.1.5", 7886)
MEMBER = Member(role=Role.EDGE, name="attic", key_hash="a" * 64)
MEMBERS = MemberList(members=(MEMBER, Member(role=Role.EDGE, name="shed", key_hash="b" * 64)))
KEYS = OwnKeys("/var/lib/deepthings/node", MEMBER)
OWN_NETWORK, OTHER_NETWORK = "1" * 16, "2" * 16
PLAN = PlanOffer(**dict(whole_work().plan))
DEVICE = DeviceFacts(
    network=OWN_NETWORK, cache="/var/cache/deepthings/programs", disk_free=8 * 10**9, memory_free=3 * 10**9,
    memory_total=4 * 10**9, cores=4, usable_cores=4.0, throttled=0,
)  # fmt: skip
EDGE = ATTIC.model_copy(update={"threads": 4, "usable_cores": 4.0, "temperature": 55.0})
SHED = EDGE.model_copy(update={"address": "192.168.1.32:7701", "cameras": ()})

REFUSED, SILENT = (network_reason(error) for error in (ConnectionRefusedError(111, "refused"), TimeoutError()))
UNKNOWN_NAME = network_reason(socket.gaierror(socket.EAI_NONAME, "unknown"))


def node(name: str, host: str, network: str) -> NodeState:
    identity = Identity(device=name, address=host, network=network)
    return NodeState(
        node=name, state=State.ONLINE, protocol=5, version="1.2.0", host=host, port=7701, identity=identity
    )


NODES = {
    "attic": node("attic", "192.168.1.31", OWN_NETWORK), "shed": node("shed", "192.168.1.32", OTHER_NETWORK),
}  # fmt: skip


def well(**changed) -> Facts:
    """Return facts of a set-up in which all is well, but for what is given."""
    facts = Facts(
        BROKER, "deepthings", at=NOW, own_release="1.2.0", keys=KEYS, name=NameAnswer(("192.168.1.5",)),
        port=PortAnswer(), broker=BrokerAnswer(BrokerReply.CONNECTED, user=edge_login_name("attic")),
        echo=EchoAnswer("deepthings/cluster/claims/nodes/attic", came=True), cluster=cluster(), members=MEMBERS,
        plan=PLAN, nodes=NODES, device=DEVICE,
        gateway_data=ReachAnswer("192.168.1.5:7884", bytes_per_s=10e6),
        edges_data={"shed": ReachAnswer("192.168.1.32:7701")}, page="",
        page_address=Address(BROKER.host, 8095),
    )  # fmt: skip
    for name, value in changed.items():
        setattr(facts, name, value)
    return facts


def cluster(*problems, bridge=GATEWAY, info=INFO, health=None, cameras=(DOOR,), **nodes: NodeReport):
    """Return what is retained of a gateway that reports these problems."""
    info = info and info.model_copy(update={"cameras": tuple(stats.camera for stats in cameras)})
    told = health or HEALTH.model_copy(update={"problems": problems})
    return facts_of(bridge=bridge, info=info, health=told, cameras=cameras, **{"attic": EDGE, "shed": SHED} | nodes)


class SetUp(NamedTuple):
    """Facts, the check that must find the fault, and words of its cause and of its cure."""

    facts: Facts
    check: str
    cause: str
    cure: str
    result: CheckResult = CheckResult.FAILED


NO_KEYS = OwnKeys("/home/pi/.local/state/deepthings/node")
PLAIN = Address(BROKER.host, 7883)
HOUSE = Address(BROKER.host, 1883)
LOGIN = Login(edge_login_name("attic"))
WARNING = CheckResult.WARNING


def answer(reply, reason="", user=None):
    return {"broker": BrokerAnswer(reply, reason, user), "echo": None, "cluster": None, "members": None, "plan": None}


def refused(login, broker=BROKER):
    return answer(BrokerReply.REFUSED, refusal_message(broker, login, "not authorised"), login.username)


def dropping(outcome, *, published):
    counts = FrameCounts(captured=100 + published, published=published, dropped={outcome: 100})
    return cluster(cameras=(DOOR.model_copy(update={"counts": counts}),))


def stuck():
    """Return a cluster whose camera had a thousand frames published, and then none."""
    counts = FrameCounts(captured=1010, published=1000, dropped={Outcome.NO_ANSWER: 10})
    return cluster(cameras=(DOOR.model_copy(update={"counts": counts, "published_per_s": 0.0}),))


def two_of_one_name():
    names = ContestedNames()
    identity = Identity(instance="new", device="copy", address="192.168.1.9")
    names.on_claim("shed", NameClaim(identity=identity, attempt=1), 0.0)
    names.on_claim("shed", NameClaim(identity=Identity(instance="old"), answers="new"), 0.0)
    return names.problems(0.0)


def camera(reason):
    return cluster(f"camera front_door: {reason}")


SLOW = PlanOffer(**dict(whole_work(deadline_s=0.05).plan))
HUGE = PLAN.model_copy(update={"stages": (PLAN.stages[0].model_copy(update={"working_bytes": 2**30}),)})
OTHER_KEY = replace(KEYS, member=MEMBER.model_copy(update={"key_hash": "c" * 64}))
HALF = f"{KEYS.folder}/node-key.pem is missing, so the identity of this device is incomplete; {JOIN_AGAIN}"
OTHER_CLUSTER = (
    "it is not the gateway of the cluster that this device has joined; if it has new keys, run 'deepthings invite' "
    "there, and the command that it prints here"
)
