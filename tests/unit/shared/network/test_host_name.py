from __future__ import annotations

import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.network.host_name import default_edge_name
from shared.payloads.fields import NAME_PATTERN


def name_on(host):
    """The default name on a machine of this name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: host)
        return default_edge_name()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("raspberrypi", "raspberrypi"),
        ("Raspberry-Pi.local", "raspberry-pi"),
        ("küche", "k-che"),
        ("my host", "my-host"),
        ("_pi_", "pi"),
        ("", "edge"),
        (".local", "edge"),
        ("---", "edge"),
        ("東京", "edge"),
        ("a" * 80, "a" * 63),
    ],
)
def test_the_name_is_the_hosts_as_far_as_a_topic_holds_it(host, name):
    assert name_on(host) == name


@given(st.text(max_size=100))
def test_every_machine_has_a_valid_name(host):
    assert re.fullmatch(NAME_PATTERN, name_on(host))
