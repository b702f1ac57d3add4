from __future__ import annotations

import pytest

from gateway.membership.former_members import FormerMembers
from shared.security.member_list import Member, MemberList, Role


def members_of(*names, is_open=False):
    members = tuple(Member(role=Role.EDGE, name=name, key_hash=f"{ord(name[0]):064x}") for name in names)
    return MemberList(members=members, open=is_open)


@pytest.mark.parametrize("is_open", [True, False])
def test_an_edge_that_was_revoked_is_lost_and_no_other(is_open):
    lost = []
    former = FormerMembers(members_of("attic", "porch", is_open=is_open), lambda: ("attic", "porch"), lost.append)
    former.on_members(members_of("porch", is_open=is_open))
    assert lost == ["attic"]


def test_an_edge_without_keys_stays_while_the_cluster_is_open():
    lost = []
    former = FormerMembers(members_of("attic", is_open=True), lambda: ("attic", "old"), lost.append)
    former.on_members(members_of("attic", "porch", is_open=True))
    assert lost == []
    former.on_members(members_of("attic", "porch", is_open=False))
    assert lost == ["old"]


def test_an_edge_that_is_not_there_cannot_be_lost():
    lost = []
    former = FormerMembers(members_of("attic"), tuple, lost.append)
    former.on_members(members_of())
    assert lost == []
