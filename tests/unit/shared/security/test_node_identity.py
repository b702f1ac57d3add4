import stat

import pytest

from shared.errors import ConfigurationError
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.member_list import Role
from shared.security.node_identity import (
    MAX_KEYS_FILE_BYTES,
    NodeIdentity,
    has_identity,
    load_identity,
    store_identity,
)

TOKEN = "secret-word"  # noqa: S105  (of a test)


def new_identity(folder, *, role: Role = Role.EDGE, name: str = "porch", token: str = TOKEN) -> NodeIdentity:
    authority_key, key = make_key(), make_key()
    authority = make_authority(authority_key)
    certificate = issue_certificate(authority, authority_key, role, name, public_key_of(key))
    return NodeIdentity(folder, authority, certificate, key, token)


def test_an_identity_is_loaded_as_it_was_stored(tmp_path):
    folder = tmp_path / "deep" / "keys"
    identity = new_identity(folder)
    assert not has_identity(folder)
    store_identity(identity)
    loaded = load_identity(folder)
    assert has_identity(folder)
    assert loaded == identity
    assert (loaded.role, loaded.name, loaded.token) == (Role.EDGE, "porch", "secret-word")


def test_a_gateway_has_no_token(tmp_path):
    store_identity(new_identity(tmp_path, role=Role.GATEWAY, name="gateway", token=""))
    assert load_identity(tmp_path).token == ""


def test_only_this_user_can_read_the_folder_and_its_files(tmp_path):
    tmp_path.chmod(0o755)
    store_identity(new_identity(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_key_and_token_are_not_in_the_representation(tmp_path):
    identity = new_identity(tmp_path)
    assert "secret-word" not in repr(identity)
    assert "PRIVATE" not in repr(identity)


@pytest.mark.parametrize("file", ["authority.pem", "node.pem", "node-key.pem", "token"])
def test_a_missing_file_is_named_with_the_cure(tmp_path, file):
    store_identity(new_identity(tmp_path))
    (tmp_path / file).unlink()
    with pytest.raises(ConfigurationError, match=f"{file} is missing.*deepthings join"):
        load_identity(tmp_path)


@pytest.mark.parametrize("file", ["authority.pem", "node.pem", "node-key.pem", "token"])
@pytest.mark.parametrize("content", [b"\xff\x00 garbage\n", b"x" * (MAX_KEYS_FILE_BYTES + 1)])
def test_a_damaged_file_is_reported(tmp_path, file, content):
    store_identity(new_identity(tmp_path))
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ConfigurationError, match="deepthings join"):
        load_identity(tmp_path)


def test_a_folder_in_place_of_a_file_is_reported(tmp_path):
    store_identity(new_identity(tmp_path))
    (tmp_path / "node.pem").unlink()
    (tmp_path / "node.pem").mkdir()
    with pytest.raises(ConfigurationError, match=r"node\.pem cannot be read"):
        load_identity(tmp_path)


def test_the_key_of_another_device_is_refused(tmp_path):
    store_identity(new_identity(tmp_path))
    (tmp_path / "node-key.pem").write_bytes(make_key())
    with pytest.raises(ConfigurationError, match=r"node-key\.pem does not belong to"):
        load_identity(tmp_path)


def test_the_authority_of_another_cluster_is_refused(tmp_path):
    store_identity(new_identity(tmp_path))
    (tmp_path / "authority.pem").write_bytes(make_authority(make_key()))
    with pytest.raises(ConfigurationError, match=r"is not of the cluster of .*authority\.pem"):
        load_identity(tmp_path)
