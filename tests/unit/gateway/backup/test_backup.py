"""A backup is written of a home, and a home made of it; nothing else can be brought in with one."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tarfile

import pytest

from gateway.backup.archive import unpack, write_archive
from gateway.backup.contents import collect_contents
from gateway.backup.manifest import MAX_BACKUP_BYTES, BackupItem, BackupManifest
from gateway.backup.restoring import check_moves, plan_moves, write_files
from gateway.state.state_lock import hold_folder
from shared.errors import ConfigurationError, DeepThingsError

CONFIGURATION = """
mqtt: {host: box, username: me, password: !file mqtt.password, tls: {ca: ca.pem}}
cameras:
  front: {source: !secret door}
  back: {source: "rtsp://viewer:${DEEPTHINGS_TEST_PASSWORD}@camera/stream"}
hooks: {commands: [{command: [./bin/ring.sh]}, {command: [SCRIPT]}]}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a configuration and all that it names, and the state of its gateway."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    monkeypatch.setenv("DEEPTHINGS_TEST_PASSWORD", "hunter2hunter2")
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "ring.sh").write_text("#!/bin/sh\n")
    (home / "bin" / "ring.sh").chmod(0o755)
    (tmp_path / "script.sh").write_text("#!/bin/sh\nexit 1\n")
    (home / "home.yaml").write_text(CONFIGURATION.replace("SCRIPT", str(tmp_path / "script.sh")))
    for name in ("ca.pem", "mqtt.password"):
        (home / name).write_text("hunter2hunter2")
    (home / "secrets.yaml").write_text("door: rtsp://viewer:secret@door/stream\n")
    (home / "secrets.yaml").chmod(0o600)
    state = tmp_path / "states" / "deepthings"
    (state / "inner").mkdir(parents=True)
    (state / "cameras.json").write_text("{}")
    (state / "inner" / "key").write_bytes(bytes(range(256)))
    (state / ".in-use").write_text("")
    (state / "half.json.12-34.part").write_text("")
    return home


@pytest.fixture
def backup(home, tmp_path):
    """The same as a file."""
    write_archive(collect_contents(home / "home.yaml", None, None), tmp_path / "home.tar.gz")
    return tmp_path / "home.tar.gz"


@pytest.fixture
def restored(tmp_path, monkeypatch):
    """Restores a backup on what is another machine, as far as the state folder goes; returns all its files."""

    def restores(backup, *, force=False, elsewhere=True, state=None):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other-states"))
        (tmp_path / "unpacked").mkdir()
        try:
            manifest, unpacked = unpack(backup, tmp_path / "unpacked")
            planned, kept = plan_moves(manifest, unpacked, tmp_path / "other" / "deepthings.yaml", state)
            check_moves(planned, kept, force=force, elsewhere=elsewhere)
            write_files(planned, None)
        finally:
            for path in (tmp_path / "unpacked").iterdir():
                path.unlink()
            (tmp_path / "unpacked").rmdir()

    return restores


def files(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def test_all_that_makes_a_gateway_is_in_it_and_nothing_else(backup):
    with tarfile.open(backup) as archive:
        names = archive.getnames()
    assert names[0] == "manifest.json"
    assert {name.replace(str(backup.parent).lstrip("/"), "TMP") for name in names[1:]} == {
        "configuration/home.yaml", "beside/secrets.yaml", "beside/bin/ring.sh", "beside/ca.pem", "beside/mqtt.password",
        "elsewhere/TMP/script.sh", "state/cameras.json", "state/inner/key",
    }  # fmt: skip


def test_only_its_owner_can_read_it_and_nothing_is_left_beside_it(backup):
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert [path.name for path in backup.parent.iterdir() if "part" in path.name] == []


def test_where_a_backup_cannot_be_written_is_said(home, tmp_path):
    with pytest.raises(DeepThingsError, match=rf"{tmp_path}/nowhere/b.tgz cannot be written: no such file or folder"):
        write_archive(collect_contents(home / "home.yaml", None, None), tmp_path / "nowhere" / "b.tgz")


def test_where_a_file_cannot_be_restored_is_said(backup, restored, tmp_path):
    (tmp_path / "script.sh").unlink()
    (tmp_path / "other").write_text("no folder")
    with pytest.raises(DeepThingsError, match=rf"{tmp_path}/other/deepthings.yaml cannot be written"):
        restored(backup)


def test_variables_that_are_in_no_file_are_named(home):
    assert collect_contents(home / "home.yaml", None, None).variables == ("DEEPTHINGS_TEST_PASSWORD",)


def test_no_secret_is_in_what_it_says_of_itself(home):
    told = collect_contents(home / "home.yaml", None, None).manifest.model_dump_json()
    assert "hunter2" not in told
    assert "viewer" not in told


def test_what_is_restored_is_what_was_written(home, backup, restored, tmp_path):
    (tmp_path / "script.sh").unlink()
    restored(backup)
    before = files(home)
    assert files(tmp_path / "other") == {
        "deepthings.yaml": before["home.yaml"], "secrets.yaml": before["secrets.yaml"],
        "bin/ring.sh": before["bin/ring.sh"], "ca.pem": before["ca.pem"], "mqtt.password": before["mqtt.password"],
    }  # fmt: skip
    state = files(tmp_path / "other-states" / "deepthings")
    assert {name: content for name, (content, _) in state.items()} == {
        "cameras.json": b"{}", "inner/key": bytes(range(256)),
    }  # fmt: skip
    assert (tmp_path / "script.sh").read_text().endswith("exit 1\n")


def test_what_is_there_is_replaced_only_when_asked_for(backup, restored, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "deepthings.yaml").write_text("mine")
    (tmp_path / "script.sh").unlink()
    with pytest.raises(ConfigurationError, match=r"already .*deepthings\.yaml; add --force"):
        restored(backup)
    assert files(tmp_path / "other") == {"deepthings.yaml": (b"mine", 0o644)}
    restored(backup, force=True)
    assert (tmp_path / "other" / "deepthings.yaml").read_text() != "mine"


def test_places_that_only_the_backup_names_must_be_asked_for(backup, restored, tmp_path):
    with pytest.raises(ConfigurationError, match=r"places that only it names: .*script\.sh; add --elsewhere"):
        restored(backup, force=True, elsewhere=False)
    assert not (tmp_path / "other").exists()


def test_the_state_goes_where_the_configuration_says(home, tmp_path, restored):
    (home / "home.yaml").write_text("state: kept")
    (home / "kept").mkdir()
    (home / "kept" / "cameras.json").write_text("{}")
    write_archive(collect_contents(home / "home.yaml", None, None), tmp_path / "a.tgz")
    restored(tmp_path / "a.tgz", elsewhere=False)
    assert sorted(files(tmp_path / "other")) == ["deepthings.yaml", "kept/cameras.json", "secrets.yaml"]


def test_a_state_folder_that_only_the_backup_names_must_be_asked_for(home, tmp_path, restored):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "cameras.json").write_text("{}")
    (home / "home.yaml").write_text(f"state: {tmp_path}/far")
    write_archive(collect_contents(home / "home.yaml", None, None), tmp_path / "a.tgz")
    with pytest.raises(ConfigurationError, match=r"places that only it names: .*far/cameras\.json"):
        restored(tmp_path / "a.tgz", elsewhere=False, force=True)
    restored(tmp_path / "a.tgz", elsewhere=False, state=tmp_path / "near")
    assert sorted(files(tmp_path / "near")) == ["cameras.json"]


def test_a_gateway_that_runs_is_in_the_way(backup, restored, tmp_path):
    with (
        hold_folder(tmp_path / "other-states" / "deepthings"),
        pytest.raises(DeepThingsError, match="is running: stop it"),
    ):
        restored(backup, force=True)


def test_a_configuration_that_is_not_right_is_no_backup(home):
    (home / "home.yaml").write_text("cameras: {front: {}}")
    with pytest.raises(ConfigurationError, match=r"cameras\.front\.source"):
        collect_contents(home / "home.yaml", None, None)


def test_a_file_that_grows_meanwhile_or_shrinks_leaves_no_half_backup(home, tmp_path):
    contents = collect_contents(home / "home.yaml", None, None)
    (home / "secrets.yaml").write_text("")
    with pytest.raises(DeepThingsError, match="has changed while it was read"):
        write_archive(contents, tmp_path / "home.tar.gz")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("home.tar")] == []


def forged(path, *entries, **manifest):
    """An archive with any entries: of each a name, its content, and fields of its header."""
    items = manifest.pop("items", [
        {"place": name.split("/")[0], "path": name.partition("/")[2], "mode": 0o600, "size": len(content)}
        for name, content, _ in entries
    ])  # fmt: skip
    told = {"format": 1, "release": "0.1.0", "made_at": 0.0, "host": "a", "items": items} | manifest
    with tarfile.open(path, "w:gz") as archive:
        for name, content, header in [("manifest.json", json.dumps(told).encode(), {}), *entries]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in header.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))
    return path


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("entries", "manifest"),
    [
        pytest.param([("state/../../x", b"x", {})], {}, id="out of the folder"),
        pytest.param([("state//etc/x", b"x", {})], {}, id="an absolute path"),
        pytest.param([("state/x", b"", LINK)], {}, id="a link"),
        pytest.param([("state/x", b"", {"type": tarfile.LNKTYPE, "linkname": "manifest.json"})], {}, id="a hard link"),
        pytest.param([("state/x", b"", {"type": tarfile.CHRTYPE})], {}, id="a device"),
        pytest.param([("state/x", b"", {"type": tarfile.DIRTYPE})], {}, id="a folder"),
        pytest.param([("state/x", b"x", {}), ("state/x", b"x", {})], {}, id="twice"),
        pytest.param([("state/x", b"x", {})], {"items": []}, id="not listed"),
        pytest.param([], {"items": [{"place": "state", "path": "x", "mode": 384, "size": 1}]}, id="only listed"),
        pytest.param([("nowhere/x", b"x", {})], {}, id="no place"),
        pytest.param([("configuration/a/b.yaml", b"", {})], {}, id="a configuration in a folder"),
        pytest.param([("state/x", b"x", {})], {"format": 2}, id="of a later release"),
        pytest.param(
            [("state/x", b"x", {})],
            {"items": [{"place": "state", "path": "x", "mode": 384, "size": 2}]},
            id="other size",
        ),
        pytest.param([], {"items": [{"place": "state", "path": "x", "mode": 0o4755, "size": 1}]}, id="set user id"),
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(tmp_path, entries, manifest):
    forged(tmp_path / "a.tgz", *entries, **manifest)
    (tmp_path / "in").mkdir()
    with pytest.raises(ConfigurationError):
        unpack(tmp_path / "a.tgz", tmp_path / "in")


def test_a_backup_of_a_later_release_is_refused_in_words(tmp_path):
    forged(tmp_path / "a.tgz", format=2, items="changed")
    with pytest.raises(ConfigurationError, match="was written by another release"):
        unpack(tmp_path / "a.tgz", tmp_path)


@pytest.mark.parametrize("part", [0, 10, 200, -40, -1])
def test_a_file_that_is_no_backup_or_ends_early_is_refused(backup, tmp_path, part):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.tgz").write_bytes(backup.read_bytes()[:part])
    with pytest.raises(ConfigurationError, match=r"no backup|damaged"):
        unpack(tmp_path / "a.tgz", tmp_path / "in")


def test_files_that_are_too_large_together_are_refused_before_they_are_read():
    items = [BackupItem(place="state", path=str(n), mode=0o600, size=MAX_BACKUP_BYTES) for n in range(2)]
    with pytest.raises(ValueError, match="more than 512 MiB"):
        BackupManifest(release="", made_at=0, host="", items=tuple(items))


def test_a_small_file_that_unpacks_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.backup.archive.MAX_ARCHIVE_BYTES", 1 << 20)
    header = tarfile.TarInfo("manifest.json")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    with gzip.open(tmp_path / "a.tgz", "wb") as stream:
        stream.write(header.tobuf())
        for _ in range(64):
            stream.write(bytes(1 << 20))
    with pytest.raises(ConfigurationError, match="damaged"):
        unpack(tmp_path / "a.tgz", tmp_path)


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(backup, restored, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "other" / "secrets.yaml").symlink_to(tmp_path / "precious")
    restored(backup, force=True)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "other" / "secrets.yaml").is_symlink()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["backup", "home.yaml"], r"must end in .tar.gz or .tgz"),
        (["backup", "a.tgz", "--config", "none.yaml"], "file not found"),
        (["restore", "none.tgz"], "does not exist"),
    ],
)
def test_mistakes_of_the_user_are_told_in_words(deepthings, typed, words):
    done = deepthings(*typed)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.usefixtures("home")
def test_backup_and_restore_as_they_are_typed(deepthings, tmp_path, monkeypatch):
    (tmp_path / "home.yaml").write_text("cameras: {front: {source: 'test://'}}")
    done = deepthings("backup", "home.tar.gz", "--config", "home.yaml")
    assert done.returncode == 0, done.stderr
    assert "3 files" in done.stdout
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    (tmp_path / "home.yaml").unlink()
    done = deepthings("restore", "home.tar.gz")
    assert done.returncode == 0, done.stderr
    assert f"restored {tmp_path}/home.yaml" in done.stdout
    assert f"deepthings gateway --config {tmp_path}/home.yaml" in done.stdout
    assert deepthings("restore", "home.tar.gz").returncode == 2
