from __future__ import annotations

import pytest

from gateway.integrations.hooks.command_process import MAX_LINE_LENGTH, last_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"one", "one"),
        (b"one\ntwo\n\n", "two"),
        (b"10 %\r90 %\r\n", "90 %"),
        ("größer\n".encode(), "größer"),
        (b"\xff\xfe broken", "�� broken"),
        (b"\x1b[31mred\x1b[0m\x07", " [31mred [0m"),
    ],
)
def test_the_last_line_with_anything_in_it_fit_for_a_log(text, line):
    assert last_line(text).rstrip() == line


def test_a_long_line_is_cut():
    line = last_line(b"x" * 4000)
    assert len(line) == MAX_LINE_LENGTH
    assert line.endswith("x…")
