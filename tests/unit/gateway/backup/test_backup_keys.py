"""A backup carries the keys and the members of the cluster; what runs beside them is not in it."""

import os
import stat

from gateway.authority.authority import KEYS_FOLDER
from gateway.authority.cluster_keys import open_cluster_keys
from gateway.backup.archive import unpack, write_archive
from gateway.backup.contents import collect_contents
from gateway.backup.restoring import plan_moves, write_files
from shared.security.member_list import Member, Role

PORCH = Member(role=Role.EDGE, name="porch", key_hash="a" * 64)


def test_the_cluster_of_a_restored_gateway_is_the_same(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    keys = open_cluster_keys(old, "gateway", "until joined")
    keys.members.add(PORCH)
    write_archive(collect_contents(None, old, None), tmp_path / "home.tar.gz")
    (tmp_path / "unpacked").mkdir()
    manifest, unpacked = unpack(tmp_path / "home.tar.gz", tmp_path / "unpacked")
    write_files(plan_moves(manifest, unpacked, tmp_path / "deepthings.yaml", new)[0], None)
    restored = open_cluster_keys(new, "gateway", "until joined")
    assert restored.authority.certificate == keys.authority.certificate
    assert restored.members.list == keys.members.list
    assert restored.authority.token_of(PORCH) == keys.authority.token_of(PORCH)
    assert restored.authority.identity.member == keys.authority.identity.member
    files = [path for path in (new / KEYS_FOLDER).rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_socket_of_commands_is_not_in_a_backup(tmp_path):
    open_cluster_keys(tmp_path, "gateway", "until joined")
    os.mknod(tmp_path / KEYS_FOLDER / "admin.sock", stat.S_IFSOCK | 0o600)
    contents = collect_contents(None, tmp_path, None)
    assert "keys/authority-key.pem" in {item.path for item in contents.files}
    assert "keys/admin.sock" not in {item.path for item in contents.files}
