from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.files import unfinished as module
from shared.files.unfinished import (
    ABANDONED_AFTER_S,
    TEMPORARY_PREFIX,
    remove_abandoned,
    remove_atomically,
    temporary_folder,
    unfinished_path,
)


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_process_that_has_ended_was_writing_is_removed(tmp_path, dead):
    (tmp_path / f"prepared-1.{dead}.part").mkdir()
    (tmp_path / f"prepared-1.{dead}.part" / "weights.bin").write_bytes(b"1")
    (tmp_path / f"program.onnx.{dead}.part").write_bytes(b"1")
    (tmp_path / f"mine.{os.getpid()}.part").write_bytes(b"from a life before, under the same number")
    (tmp_path / f"mine.{os.getpid()}-17.part").write_bytes(b"the same")
    (tmp_path / f"mine.{dead}-17.part").write_bytes(b"1")
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_others_write_and_what_is_not_ours_stays(tmp_path, dead):
    others = tmp_path / f"prepared-1.{os.getppid()}.part"
    others.mkdir()
    for name in ("notes.part", f"notes.{dead}", "12.part.txt"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    old = time.time() - ABANDONED_AFTER_S - 1
    os.utime(others, (old, old))
    remove_abandoned(tmp_path)
    assert not others.exists()


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path):
    remove_abandoned(tmp_path / "missing")


def test_a_file_or_a_folder_is_discarded(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "file").touch()
    for name in ("folder", "file", "missing"):
        remove_atomically(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from shared.files.unfinished import temporary_folder
with temporary_folder("test", Path(sys.argv[1])) as folder:
    (folder / "file").write_bytes(b"1")
    print(folder, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_of_a_killed_process_is_removed_by_the_next_one_that_of_a_living_one_is_not(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        theirs = Path(process.stdout.readline().strip())
        long_ago = time.time() - 10 * ABANDONED_AFTER_S
        os.utime(theirs, (long_ago, long_ago))  # a gateway runs for months
        with temporary_folder("test", tmp_path) as ours:
            assert sorted(tmp_path.iterdir()) == sorted([ours, theirs])
        process.communicate()
    assert list(tmp_path.iterdir()) == [theirs]
    with temporary_folder("test", tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]
    assert list(tmp_path.iterdir()) == []


def test_what_this_process_writes_is_never_abandoned(tmp_path):
    mine = unfinished_path(tmp_path / "mine")
    mine.write_bytes(b"1")
    os.utime(mine, (0, 0))
    remove_abandoned(tmp_path)
    assert mine.exists()


def test_among_files_of_others_only_names_of_ours_are_looked_at(tmp_path, dead):
    (tmp_path / f"theirs.{dead}-1.part").touch()
    (tmp_path / f"{TEMPORARY_PREFIX}x.{dead}-1.part").symlink_to(tmp_path)
    remove_abandoned(tmp_path, TEMPORARY_PREFIX)
    assert [path.name for path in tmp_path.iterdir()] == [f"theirs.{dead}-1.part"]


def test_one_start_removes_a_bounded_number(tmp_path, dead, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMOVED_AT_ONCE", 3)
    for number in range(5):
        (tmp_path / f"{number}.{dead}-1.part").touch()
    remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_private_and_goes_also_when_something_fails(tmp_path):
    with pytest.raises(KeyError), temporary_folder("test", tmp_path) as folder:  # noqa: PT012
        assert folder.stat().st_mode & 0o777 == 0o700
        raise KeyError
    assert list(tmp_path.iterdir()) == []
