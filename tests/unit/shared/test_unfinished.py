from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from shared.unfinished import ABANDONED_S, discard, remove_abandoned, unfinished


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
    unfinished(tmp_path / "mine").write_bytes(b"from a life before, under the same number")
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
    old = time.time() - ABANDONED_S - 1
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
        discard(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
