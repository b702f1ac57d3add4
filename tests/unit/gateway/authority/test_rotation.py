import pytest

from gateway.authority.cluster_keys import open_cluster_keys
from gateway.authority.rotation import rotate_keys
from gateway.state.state_lock import hold_folder
from shared.errors import DeepThingsError
from shared.security.certificates import der_of
from shared.security.member_list import Member, Role
from shared.security.node_identity import is_trusted_by

PORCH = Member(role=Role.EDGE, name="porch", key_hash="a" * 64)


@pytest.fixture
def keys(tmp_path):
    made = open_cluster_keys(tmp_path, "gateway", "until joined")
    made.members.add(PORCH)
    return made


def test_new_keys_leave_no_member_but_the_gateways_own(tmp_path, keys):
    assert rotate_keys(tmp_path) == (PORCH,)
    new = open_cluster_keys(tmp_path, "gateway", "until joined")
    assert new.authority.certificate != keys.authority.certificate
    assert new.authority.token_of(PORCH) != keys.authority.token_of(PORCH)
    assert new.members.list.find(Role.EDGE, "porch") is None
    assert new.members.list.revision > keys.members.list.revision
    assert {member.name for member in new.members.list.members} == {"gateway"}
    assert not new.members.list.open
    assert is_trusted_by(new.own_node, der_of(new.authority.certificate))


@pytest.mark.usefixtures("keys")
def test_nothing_is_left_of_the_old_keys(tmp_path):
    old = {path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file()} - {b""}
    rotate_keys(tmp_path)
    left = {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not old & left
    assert {path.name for path in tmp_path.iterdir()} == {"keys", "members.json"}


def test_the_keys_of_a_running_gateway_are_not_touched(tmp_path, keys):
    with hold_folder(tmp_path), pytest.raises(DeepThingsError, match="the gateway is running: stop it first"):
        rotate_keys(tmp_path)
    assert open_cluster_keys(tmp_path, "gateway", "until joined").authority.certificate == keys.authority.certificate


def test_a_gateway_without_keys_has_none_to_replace(tmp_path):
    with pytest.raises(DeepThingsError, match="has no keys"):
        rotate_keys(tmp_path)


@pytest.mark.usefixtures("keys")
def test_damaged_keys_can_be_replaced(tmp_path):
    (tmp_path / "keys" / "authority-key.pem").write_text("garbage")
    (tmp_path / "keys" / "own-node" / "node.pem").write_text("garbage")
    rotate_keys(tmp_path)
    assert open_cluster_keys(tmp_path, "gateway", "until joined").members.list.find(Role.EDGE, "porch") is None
