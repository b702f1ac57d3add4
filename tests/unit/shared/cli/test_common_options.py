from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cli.cluster_options import GRID_TYPE
from shared.cli.common_options import ADDRESS_TYPE, BROKER_TYPE, GATEWAY_TYPE, NAME_TYPE, parse_name
from shared.errors import ConfigurationError
from shared.ftp.grid import Grid
from shared.network.addresses import Address
from shared.payloads.fields import NAME_PATTERN


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (GRID_TYPE, "2x3", Grid(2, 3)),
        (ADDRESS_TYPE, "pi:7000", Address("pi", 7000)),
        (BROKER_TYPE, "pi", Address("pi", 1883)),
        (GATEWAY_TYPE, "pi", Address("pi", 7883)),
        (BROKER_TYPE, "pi:7000", Address("pi", 7000)),
        (NAME_TYPE, "pi-1", "pi-1"),
    ],
)
def test_text_becomes_a_value(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(GRID_TYPE, "2"), (ADDRESS_TYPE, "pi"), (BROKER_TYPE, "pi:x"), (NAME_TYPE, "Pi 1")]
)
def test_text_that_means_nothing_is_bad_usage(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_a_value_stays_a_value():
    assert GRID_TYPE.convert(Grid(2, 3), None, None) == Grid(2, 3)


@given(st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True))
def test_a_name_of_a_topic_is_a_name(text):
    assert parse_name(text) == text


@pytest.mark.parametrize("text", ["", "A", "a b", "a/b", "-a", "_a", "a" * 64, "a\n", "ä", "+", "#"])
def test_a_name_that_no_topic_can_hold_is_refused(text):
    with pytest.raises(ConfigurationError, match="lower-case letters"):
        parse_name(text)
