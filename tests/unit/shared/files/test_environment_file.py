from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from shared.files.environment_file import parse_environment, read_environment_file


def test_variables_are_read_as_systemd_reads_them():
    text = """
# a comment
; another
DOOR_PASSWORD=a#b c
QUOTED="with \\"quotes\\" # in it"
SINGLE='x y'
EMPTY=
no variable
1ST=no name
OPEN="no end
"""
    assert parse_environment(text) == {
        "DOOR_PASSWORD": "a#b c", "QUOTED": 'with "quotes" # in it', "SINGLE": "x y", "EMPTY": "",
    }  # fmt: skip


def test_no_file_has_no_variables_and_noise_is_refused(tmp_path):
    assert read_environment_file(tmp_path / "none") == {}
    (tmp_path / "noise").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="noise cannot be read"):
        read_environment_file(tmp_path / "noise")
