from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.reading.substitution import substitute

HERE = {"HOST": "box", "EMPTY": "", "MONEY": "$HOST ${HOST} $$"}


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("rtsp://${HOST}/1", "rtsp://box/1", True),
        ("${HOST}${HOST}", "boxbox", True),
        ("${NONE:-other}", "other", True),
        ("${NONE:-}", "", True),
        ("${HOST:-other}", "box", True),
        ("${EMPTY}", "", True),
        ("${EMPTY:-other}", "other", True),
        ("$${HOST}", "${HOST}", False),
        ("pa$$word", "pa$word", False),
        ("pa$word$", "pa$word$", False),
        ("$HOST", "$HOST", False),
        ("${MONEY}", "$HOST ${HOST} $$", True),
    ],
)
def test_variables_are_put_in_once(text, expected, found):
    assert substitute(text, HERE) == (expected, found)


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(ValueError, match=r"variable NONE is not set; set it, or write \$\{NONE:-default\}"):
        substitute("x${NONE}", HERE)


@pytest.mark.parametrize("text", ["${", "${}", "${HOST", "${5}", "${HOST-x}", "${A B}"])
def test_what_is_no_variable_is_refused_rather_than_kept(text):
    with pytest.raises(ValueError, match=r"write \$\{NAME\} or \$\{NAME:-default\}, or \$\$ for a dollar"):
        substitute(text, HERE)


@given(st.text())
def test_any_text_can_be_written_with_its_dollars_doubled(text):
    assert substitute(text.replace("$", "$$"), {}) == (text, False)
