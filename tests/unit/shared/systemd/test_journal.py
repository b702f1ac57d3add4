from __future__ import annotations

import logging
import os
import sys

import pytest

from shared.systemd.journal import JournalFormatter, is_our_stderr


@pytest.mark.parametrize(("level", "priority"), [(logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)])
def test_each_line_has_its_priority_and_no_time(level, priority):
    record = logging.LogRecord("part", level, "", 0, "one\ntwo %s", ("three",), None)
    first, second = JournalFormatter().format(record).splitlines()
    assert first == f"<{priority}>{logging.getLevelName(level):7} part: one"
    assert second == f"<{priority}>two three"


def test_only_the_stream_that_the_journal_reads_is_its_own(tmp_path, monkeypatch):
    with (tmp_path / "log").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        status = os.fstat(stream.fileno())
        assert is_our_stderr(f"{status.st_dev}:{status.st_ino}")
        assert not is_our_stderr(f"{status.st_dev}:{status.st_ino + 1}")
        assert not is_our_stderr(None)
        assert not is_our_stderr("nonsense")
