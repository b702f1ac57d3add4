"""Who does not take part, why, and what to type where."""

from gateway.authority.device_invitations import Invitation
from gateway.page.waiting_nodes import MAX_WAITING_NODES, Entrants, waiting_nodes
from shared.mqtt.client_ids import OWN_NODE
from shared.security.member_list import Member, MemberList, Role
from shared.wire.visitors import Visitors

NOW = 5000.0


def member(name, role=Role.EDGE):
    return Member(role=role, name=name, key_hash=f"{sum(map(ord, name + role.value)):064x}")


def rows(entrants, online=(), offline=()):
    found = waiting_nodes(entrants, online, offline, NOW)
    return {(row["name"], row["state"]): (row["where"], row["command"]) for row in found}


MEMBERS = MemberList(
    members=(
        member("gateway", Role.GATEWAY),
        member("porch"),
        member("attic"),
        member(OWN_NODE),
        member("yard", Role.CAMERA),
    )
)


def test_a_member_that_is_not_there_is_to_be_started():
    found = rows(Entrants(MEMBERS), online=["attic"], offline=["porch"])
    assert found == {("porch", "away"): ("porch", "deepthings edge --listen 0.0.0.0")}


def test_without_keys_an_edge_that_has_gone_is_to_be_started_with_the_gateway():
    found = rows(Entrants(), online=["attic"], offline=["porch", OWN_NODE])
    assert found == {("porch", "away"): ("porch", "deepthings edge --gateway HOST")}


def test_an_edge_without_keys_is_to_be_invited_before_the_cluster_closes():
    found = rows(Entrants(MEMBERS), online=["attic", "porch", "cellar", OWN_NODE])
    assert found == {("cellar", "has no keys"): ("the gateway", "deepthings invite cellar")}


def test_an_invitation_waits_until_it_is_used_or_ends():
    used = Invitation(Role.EDGE, "used", again=False, ends_at=NOW + 600, answer=object())
    invitations = (
        Invitation(Role.EDGE, "cellar", again=False, ends_at=NOW + 600),
        Invitation(Role.EDGE, None, again=False, ends_at=NOW + 10), used,
        Invitation(Role.EDGE, "late", again=False, ends_at=NOW),
    )  # fmt: skip
    entrants = Entrants(MemberList(), invitations)
    assert rows(entrants) == {
        ("cellar", "invited"): ("cellar", "deepthings join"),
        ("a new device", "invited"): ("the new device", "deepthings join"),
    }
    assert "10 min more" in waiting_nodes(entrants, (), (), NOW)[0]["why"]


def test_who_was_refused_is_told_with_the_command_that_lets_it_in():
    visitors = Visitors()
    reason = (
        "edge 'porch' was revoked; to let it in again, run 'deepthings invite porch --again' at the gateway, and the "
        "command that it prints on the device"
    )
    visitors.note_refused("192.168.1.7", NOW, reason)
    visitors.note_refused("192.168.1.8", NOW, "what it sent is no greeting")
    entrants = Entrants(MemberList(), (), visitors.refused(NOW), ("192.168.1.7", "192.168.1.9"))
    assert rows(entrants) == {
        ("192.168.1.7", "refused"): ("the gateway", "deepthings invite porch --again"),
        ("192.168.1.8", "refused"): ("", ""),
        ("192.168.1.9", "refused"): ("the gateway", "deepthings invite NAME"),
    }


def test_a_flood_of_strangers_does_not_fill_the_page():
    entrants = Entrants(MemberList(), (), {f"10.0.0.{number}": "x" for number in range(200)})
    assert len(waiting_nodes(entrants, (), (), NOW)) == MAX_WAITING_NODES
