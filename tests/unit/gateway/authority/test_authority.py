import stat

import pytest

from gateway.authority.authority import AUTHORITY_KEY_FILE, TOKEN_SECRET_FILE, Authority, needs_keys
from shared.errors import DeepThingsError
from shared.security.certificates import der_of
from shared.security.issuing import is_issued_by, make_key, public_key_of
from shared.security.member_list import Member, Role
from shared.security.node_identity import is_trusted_by

PORCH = Member(role=Role.EDGE, name="porch", key_hash="a" * 64)


@pytest.mark.parametrize(
    ("host", "needed"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("10.0.0.1", True)],  # noqa: S104
)
def test_a_gateway_that_others_can_reach_has_keys(host, needed):
    assert needs_keys(host) is needed


def test_the_keys_are_made_once(tmp_path):
    first, second = Authority(tmp_path / "keys"), Authority(tmp_path / "keys")
    assert first.certificate == second.certificate
    assert first.identity == second.identity
    assert first.token_of(PORCH) == second.token_of(PORCH)
    assert (first.identity.role, first.identity.name) == (Role.GATEWAY, "gateway")


def test_each_cluster_has_keys_of_its_own(tmp_path, authority):
    other = Authority(tmp_path / "other")
    assert other.identity.authority_hash != authority.identity.authority_hash
    assert other.token_of(PORCH) != authority.token_of(PORCH)
    assert not is_trusted_by(other.identity, der_of(authority.certificate))


def test_nobody_else_can_read_the_keys(authority):
    authority.own_node("gateway")
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    files = [file for file in authority.folder.rglob("*") if file.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_member_is_issued_a_certificate(authority):
    certificate = authority.issue(Role.CAMERA, "yard", public_key_of(make_key()))
    assert is_issued_by(certificate, authority.certificate)


@pytest.mark.parametrize(
    "other",
    [
        PORCH.model_copy(update={"name": "hall"}),
        PORCH.model_copy(update={"role": Role.CAMERA}),
        PORCH.model_copy(update={"key_hash": "b" * 64}),
    ],
)
def test_every_member_and_every_key_has_a_token_of_its_own(authority, other):
    assert len(authority.token_of(PORCH)) == 43  # 256 bits
    assert authority.token_of(PORCH) != authority.token_of(other)


@pytest.mark.parametrize("file", [AUTHORITY_KEY_FILE, "authority.pem", "node-key.pem"])
@pytest.mark.parametrize("damage", ["missing", "damaged", "of another"])
def test_damaged_keys_are_reported_and_never_replaced(authority, file, damage):
    path = authority.folder / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"garbage" if damage == "damaged" else make_key())
    before = {file.name: file.read_bytes() for file in authority.folder.iterdir()}
    with pytest.raises(DeepThingsError, match="restore a backup of the gateway, or run 'deepthings rotate'"):
        Authority(authority.folder)
    assert {file.name: file.read_bytes() for file in authority.folder.iterdir()} == before


@pytest.mark.parametrize(
    "kept",
    [
        [AUTHORITY_KEY_FILE],
        [AUTHORITY_KEY_FILE, "authority.pem"],
        [AUTHORITY_KEY_FILE, "authority.pem", TOKEN_SECRET_FILE, "node-key.pem"],
    ],
)
def test_a_first_start_that_was_interrupted_is_finished_by_the_next(authority, kept):
    for file in list(authority.folder.iterdir()):
        if file.name not in kept:
            file.unlink()
    again = Authority(authority.folder)
    assert is_trusted_by(again.identity, der_of(again.certificate))


def test_the_gateways_own_edge_gets_an_identity_which_it_keeps(authority):
    identity = authority.own_node("gateway")
    assert (identity.role, identity.name) == (Role.EDGE, "gateway")
    assert identity.token == authority.token_of(identity.member)
    assert authority.own_node("gateway") == identity


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DeepThingsError, match=r"file/keys cannot be used: .*the gateway keeps the keys"):
        Authority(tmp_path / "file" / "keys")
