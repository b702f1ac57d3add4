from __future__ import annotations

from shared.logs.printable import MAX_PRINTABLE_LENGTH, printable


def test_what_is_printable_is_shown_as_it_is():
    assert printable("cameras/door, grün") == "cameras/door, grün"


def test_nothing_begins_a_line_or_commands_a_terminal():
    assert printable("a\nERROR b\x1b[2J") == r"'a\nERROR b\x1b[2J'"


def test_what_is_long_is_shortened():
    assert printable("x" * 65_000) == "x" * MAX_PRINTABLE_LENGTH + "..."
