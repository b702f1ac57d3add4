"""The file of what Home Assistant was told."""

from __future__ import annotations

import pytest

import gateway.home_assistant.announced
from gateway.home_assistant.announced import read_announced, write_announced


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "state" / "announced.json"
    assert read_announced(path) == {}
    write_announced(path, {"a/config": '{"name":"Haustür"}', "b/config": ""})
    assert read_announced(path) == {"a/config": '{"name":"Haustür"}', "b/config": ""}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff\xfe", b'{"a": "b"'])
def test_a_file_that_cannot_be_read_is_told_of_and_is_no_obstacle(tmp_path, content, caplog):
    path = tmp_path / "announced.json"
    path.write_bytes(content)
    assert read_announced(path) == {}
    assert f"{path} cannot be read" in caplog.text
    write_announced(path, {"a": "b"})
    assert read_announced(path) == {"a": "b"}


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch, caplog):
    path = tmp_path / "announced.json"
    write_announced(path, {"a": "b"})
    monkeypatch.setattr(gateway.home_assistant.announced, "LARGEST_FILE_BYTES", 5)
    assert read_announced(path) == {}
    assert "too large" in caplog.text


def test_a_file_that_cannot_be_written_is_told_of(tmp_path, caplog):
    path = tmp_path / "file" / "announced.json"
    path.parent.write_bytes(b"no folder")
    write_announced(path, {"a": "b"})
    assert f"{path} cannot be written" in caplog.text
