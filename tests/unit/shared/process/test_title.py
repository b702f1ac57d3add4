from __future__ import annotations

import pytest

from shared.process.title import fitted_title


@pytest.mark.parametrize(
    ("size", "line"),
    [
        (12, b"camera\0hall\0"),
        (15, b"camera\0hall\0\0\0\0"),
        (9, b"camera\0h\0"),
        (1, b"\0"),
    ],
)
def test_a_title_fills_its_place_exactly_and_always_ends(size, line):
    assert fitted_title(["camera", "hall"], size) == line
