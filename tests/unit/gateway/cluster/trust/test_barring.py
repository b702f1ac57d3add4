from __future__ import annotations

from gateway.cluster.trust.barring import Barring
from gateway.cluster.trust.standings import MAX_FAILURES
from gateway.membership.members import Membership
from shared.network.addresses import Address
from shared.payloads.cluster import NodeState, State
from shared.payloads.versions import PROTOCOL


def test_a_node_gets_tiles_unless_it_is_barred_or_drained():
    members, barred = Membership(Address("10.0.0.1", 7883)), []
    for node in ("busy", "drained", "faulty"):
        members.on_state(NodeState(node=node, state=State.ONLINE, protocol=PROTOCOL))
    barring = Barring(members, barred.append, publish=lambda _: None, publish_event=lambda *_: None)
    members.drain_node("drained")
    for _ in range(MAX_FAILURES):
        barring.on_tile_failed("faulty", "no memory")
    assert barred == ["faulty"]
    assert {node: barring.takes_tiles(node) for node in members.present} == {
        "busy": True, "drained": False, "faulty": False
    }  # fmt: skip
    members.resume_node("drained")
    assert barring.takes_tiles("drained")
