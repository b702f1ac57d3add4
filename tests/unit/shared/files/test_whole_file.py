from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.files.whole_file import open_whole, write_whole


@given(st.binary(max_size=10_000), st.binary(max_size=10_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_there_and_nothing_else(tmp_path, first, second):
    path = tmp_path / "kept"
    for content in (first, second):
        write_whole(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "kept", b"x")
    assert (tmp_path / "a" / "b" / "kept").read_bytes() == b"x"


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_who_loses_power_has_the_old_one_and_no_half_of_the_new(tmp_path, monkeypatch, step):
    path = tmp_path / "kept"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(step, fail)
        with pytest.raises(OSError, match="no space left"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    path, synced = tmp_path / "kept", []

    def sync(descriptor):
        assert not path.exists()
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr("os.fsync", sync)
    write_whole(path, b"12345")
    assert synced == [5]


def test_an_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "kept", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_its_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_whole(tmp_path / "file" / "kept", b"x")


def test_it_is_for_its_owner_alone_unless_said_otherwise(tmp_path):
    for options, mode in (({}, 0o600), ({"mode": 0o644}, 0o644)):
        write_whole(tmp_path / "kept", b"x", owner=(os.geteuid(), os.getegid()), **options)
        status = (tmp_path / "kept").stat()
        assert (status.st_mode & 0o777, status.st_uid) == (mode, os.geteuid())


def test_its_mode_is_what_the_umask_leaves_where_none_is_given(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "kept", b"x", mode=None)
    finally:
        os.umask(before)
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o640


def test_it_is_not_waited_for_the_disk_when_it_need_not_be_durable(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: pytest.fail("waited"))
    write_whole(tmp_path / "kept", b"x", durable=False)
    assert (tmp_path / "kept").read_bytes() == b"x"


def test_two_can_write_the_same_file_at_once_and_the_last_one_to_end_wins(tmp_path):
    path = tmp_path / "kept"
    with open_whole(path) as one:
        with open_whole(path) as other:
            other.write(b"other")
        one.write(b"one")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
