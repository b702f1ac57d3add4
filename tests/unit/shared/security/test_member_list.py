import pytest
from pydantic import ValidationError

from shared.errors import PeerRefusedError
from shared.security.member_list import MAX_MEMBERS, MAX_REVOKED, Member, MemberList, Role

KEY, OTHER_KEY = "a" * 64, "b" * 64
PORCH = Member(role=Role.EDGE, name="porch", key_hash=KEY)


def member(number: int) -> Member:
    return Member(role=Role.EDGE, name=f"edge-{number}", key_hash=f"{number:064x}")


def listed(*members: Member) -> MemberList:
    return MemberList(revision=7, members=members)


def test_a_member_is_admitted_by_role_name_and_key():
    assert listed(PORCH).admit(Role.EDGE, "porch", KEY) == PORCH


@pytest.mark.parametrize(
    ("members", "role", "name", "key", "said"),
    [
        ((), Role.EDGE, "porch", KEY, "edge 'porch' is not a member of this cluster; .* 'deepthings invite porch'"),
        ((PORCH,), Role.CAMERA, "porch", KEY, "camera 'porch' is not a member"),
        ((PORCH,), Role.EDGE, "hall", KEY, "edge 'hall' is not a member"),
        (
            (PORCH,),
            Role.EDGE,
            "porch",
            OTHER_KEY,
            "edge 'porch' shows another key .*invite porch --again'",
        ),
        ((PORCH,), Role.GATEWAY, "gateway", KEY, "this gateway has another key"),
    ],
)
def test_everybody_else_is_refused_with_the_reason_and_the_cure(members, role, name, key, said):
    with pytest.raises(PeerRefusedError, match=said):
        listed(*members).admit(role, name, key)


def test_a_revoked_member_is_refused_as_such():
    remaining = listed(PORCH).without_member(PORCH)
    assert (remaining.revision, remaining.members, remaining.revoked) == (8, (), (PORCH,))
    with pytest.raises(PeerRefusedError, match="edge 'porch' was revoked"):
        remaining.admit(Role.EDGE, "porch", KEY)


def test_a_revoked_member_that_joins_again_is_no_longer_revoked():
    again = listed(PORCH).without_member(PORCH).with_member(PORCH)
    assert again.revoked == ()
    assert again.admit(Role.EDGE, "porch", KEY) == PORCH


def test_the_oldest_revoked_members_are_forgotten():
    members = listed()
    for number in range(MAX_REVOKED + 2):
        members = members.with_member(member(number)).without_member(member(number))
    assert [gone.name for gone in members.revoked] == [f"edge-{number}" for number in range(2, MAX_REVOKED + 2)]


def test_a_new_key_replaces_the_old_one_of_the_same_name():
    again = PORCH.model_copy(update={"key_hash": OTHER_KEY})
    members = listed(PORCH).with_member(again)
    assert (members.revision, members.members) == (8, (again,))


def test_a_copied_key_is_refused_with_the_name_of_its_holder():
    copy = Member(role=Role.EDGE, name="hall", key_hash=KEY)
    with pytest.raises(PeerRefusedError, match="edge 'hall' has the key of edge 'porch'"):
        listed(PORCH).with_member(copy)


def test_the_number_of_members_is_bounded():
    full = listed(*(member(number) for number in range(MAX_MEMBERS)))
    with pytest.raises(PeerRefusedError, match=f"{MAX_MEMBERS} members"):
        full.with_member(member(MAX_MEMBERS))
    full.with_member(Member(role=Role.EDGE, name="edge-0", key_hash="f" * 64))  # instead of another


@pytest.mark.parametrize(
    "second", [PORCH.model_copy(update={"key_hash": OTHER_KEY}), member(1).model_copy(update={"key_hash": KEY})]
)
def test_a_list_that_names_a_member_or_a_key_twice_is_invalid(second):
    with pytest.raises(ValidationError, match="same name, or the same key"):
        listed(PORCH, second)


@pytest.mark.parametrize("name", ["a/b", "a+b", "a#b", "a:b", "", "A", "x" * 64])
def test_names_are_safe_in_topics_and_logins(name):
    with pytest.raises(ValidationError):
        Member(role=Role.EDGE, name=name, key_hash=KEY)
