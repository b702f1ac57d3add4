from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings.slugs import RESERVED_SLUGS, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [("person", "person"), ("traffic light", "traffic_light"), ("Front-Door_2", "front-door_2"), ("Tür/+#", "t_r___")],
)
def test_everything_else_than_letters_digits_and_dashes_becomes_an_underscore(text, expected):
    assert slug(text) == expected


@given(st.text())
def test_a_slug_is_a_part_of_a_topic_and_stays_as_it_is(text):
    assert re.fullmatch(r"[a-z0-9_-]*", slug(text))
    assert slug(slug(text)) == slug(text)


def test_reserved_words_are_slugs():
    assert {slug(word) for word in RESERVED_SLUGS} == RESERVED_SLUGS
