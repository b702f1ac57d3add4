from __future__ import annotations

import json
import os
import time

import pytest

from gateway.state import state_file
from gateway.state.state_file import StateFile
from shared.process.lifecycle import installed_version

Names = dict[str, str]


def file_at(path):
    return StateFile(path, Names, "names are lost")


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "state" / "names.json"
    assert file_at(path).read() is None
    file_at(path).write({"a/config": '{"name":"Haustür"}', "b/config": ""})
    assert file_at(path).read() == {"a/config": '{"name":"Haustür"}', "b/config": ""}
    assert [file.name for file in path.parent.iterdir()] == ["names.json"]


def test_a_file_is_json_and_says_who_wrote_it(tmp_path):
    path = tmp_path / "names.json"
    StateFile(path, Names, "names are lost", version=3).write({"a": 'say "ä"'})
    said = {"version": 3, "release": installed_version(), "content": {"a": 'say "ä"'}}
    assert json.loads(path.read_text(encoding="utf-8")) == said


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff\xfe", b'{"a": "b"', b"\0" * 4096])
def test_a_file_that_is_damaged_is_said_and_is_no_obstacle(tmp_path, content, caplog):
    path = tmp_path / "names.json"
    path.write_bytes(content)
    assert file_at(path).read() is None
    assert f"{path} cannot be read" in caplog.text
    assert "names are lost" in caplog.text
    file_at(path).write({"a": "b"})
    assert file_at(path).read() == {"a": "b"}


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch, caplog):
    path = tmp_path / "names.json"
    file_at(path).write({"a": "b"})
    monkeypatch.setattr(state_file, "MAX_STATE_FILE_BYTES", 5)
    assert file_at(path).read() is None
    assert "larger than 5 bytes" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, caplog):
    path = tmp_path / "file" / "names.json"
    path.parent.write_bytes(b"no folder")
    file = file_at(path)
    for _ in range(3):
        file.write({"a": "b"})
    assert caplog.text.count("cannot be written") == 1
    path.parent.unlink()
    file.write({"a": "b"})
    assert file.read() == {"a": "b"}


def test_it_is_known_how_long_ago_it_held(tmp_path):
    path = tmp_path / "names.json"
    file = file_at(path)
    assert file.age_s() == 0
    file.touch()
    file.write({})
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    assert file.age_s() == pytest.approx(3600, abs=60)
    file.touch()
    assert file.age_s() < 60
    tomorrow = time.time() + 86400
    os.utime(path, (tomorrow, tomorrow))
    assert file.age_s() == 0, "the clock was set back"


def test_a_file_without_a_version_is_of_the_first_one(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('{"version": "1", "content": "b"}')
    assert file_at(path).read() == {"version": "1", "content": "b"}


def test_a_file_says_of_which_version_it_is_and_of_which_release(tmp_path):
    path = tmp_path / "names.json"
    file_at(path).write({"a": "b"})
    assert json.loads(path.read_text()) == {"version": 1, "release": installed_version(), "content": {"a": "b"}}
    assert StateFile(path, Names, "names are lost", version=2).read() == {"a": "b"}


def test_a_file_of_a_newer_release_is_refused_in_words_and_stays_as_it_is(tmp_path, caplog):
    path = tmp_path / "names.json"
    newer = '{"version": 2, "release": "9.9\\u001b[31m", "content": {"a": ["b"]}}'
    path.write_text(newer)
    os.utime(path, (1000, 1000))
    file = file_at(path)
    assert file.read() is None
    (said,) = caplog.messages
    assert said == file.newer_release_problem
    assert said.startswith(f"{path} cannot be read: it was written by release '9.9")
    assert f"newer than this one ({installed_version()}); update deepthings, or move the file away" in said
    assert said.endswith("names are lost")
    assert "\x1b" not in said
    assert not file.write({"c": "d"})
    assert not file.touch()
    assert (path.read_text(), path.stat().st_mtime) == (newer, 1000)
    assert len(caplog.messages) == 1


def test_a_file_of_a_newer_release_that_was_moved_away_is_replaced(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('{"version": 2, "content": 1}')
    file = file_at(path)
    file.read()
    path.rename(tmp_path / "names.json.newer")
    assert file.newer_release_problem == ""
    assert file.write({"c": "d"})
    assert file_at(path).read() == {"c": "d"}
