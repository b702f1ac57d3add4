import pytest

from gateway.authority.member_store import MEMBERS_FILE, MemberStore
from gateway.state.state_folder import StateFolder
from shared.errors import DeepThingsError, PeerRefusedError
from shared.security.member_list import Member, Role

PORCH = Member(role=Role.EDGE, name="porch", key_hash="a" * 64)
YARD = Member(role=Role.CAMERA, name="yard", key_hash="b" * 64)


@pytest.fixture
def heard(members):
    lists = []
    members.follow(lists.append)
    return lists


def reopened(tmp_path, *own):
    return MemberStore(StateFolder(tmp_path), own)


def block(tmp_path):
    """Make the list unwritable, also for root: a folder has its name."""
    (tmp_path / MEMBERS_FILE).unlink()
    (tmp_path / MEMBERS_FILE).mkdir()


def test_members_are_known_after_a_restart(tmp_path, members):
    members.add(PORCH)
    assert members.list.find(Role.EDGE, "porch") == PORCH
    assert reopened(tmp_path).list == members.list


def test_the_gateway_itself_is_a_member_from_the_beginning(members, authority):
    assert members.is_new
    assert members.list.members == (authority.identity.member,)
    assert members.list.revision == 1


def test_a_start_without_changes_keeps_the_revision(tmp_path, members, authority):
    again = reopened(tmp_path, authority.identity.member)
    assert not again.is_new
    assert again.list.revision == members.list.revision


def test_everybody_who_follows_is_told_of_each_change(members, heard):
    members.add(PORCH)
    members.revoke(None, "porch")
    members.set_open(is_open=True)
    members.set_open(is_open=True)
    assert [len(members.members) for members in heard] == [2, 1, 1]
    assert [members.revision for members in heard] == [2, 3, 4]


def test_a_revoked_member_stays_revoked_after_a_restart(tmp_path, members):
    members.add(PORCH)
    assert members.revoke(None, "porch") == PORCH
    with pytest.raises(PeerRefusedError, match="revoked"):
        reopened(tmp_path).list.admit(Role.EDGE, "porch", PORCH.key_hash)


def test_an_unknown_member_is_refused_with_those_that_there_are(members):
    members.add(PORCH)
    members.add(YARD)
    with pytest.raises(PeerRefusedError, match="'hall' is not a member of this cluster; members: porch, yard"):
        members.revoke(None, "hall")
    with pytest.raises(PeerRefusedError, match="camera 'porch' is not a member"):
        members.revoke(Role.CAMERA, "porch")


def test_the_role_tells_two_members_of_one_name_apart(members):
    members.add(PORCH)
    members.add(YARD.model_copy(update={"name": "porch"}))
    with pytest.raises(PeerRefusedError, match="edge 'porch' and camera 'porch'; name one with --role"):
        members.revoke(None, "porch")
    assert members.revoke(Role.EDGE, "porch") == PORCH


def test_the_gateway_cannot_be_revoked(members):
    with pytest.raises(PeerRefusedError, match="'gateway' is not a member"):
        members.revoke(None, "gateway")


def test_nobody_joins_while_the_list_cannot_be_written(tmp_path, members, heard):
    block(tmp_path)
    with pytest.raises(DeepThingsError, match=r"members\.json cannot be written .*edge 'porch' is not in"):
        members.add(PORCH)
    assert members.list.find(Role.EDGE, "porch") is None
    assert heard == []


def test_a_revocation_counts_at_once_even_if_the_list_cannot_be_written(tmp_path, members, heard):
    members.add(PORCH)
    block(tmp_path)
    with pytest.raises(DeepThingsError, match="revoked until the gateway starts again"):
        members.revoke(None, "porch")
    assert members.list.find(Role.EDGE, "porch") is None
    assert len(heard) == 2
