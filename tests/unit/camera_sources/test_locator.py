from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.locator import Locator
from shared.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("rtsp://camera", ("camera", None, "/", "", "")),
        ("rtsp://camera/a?b=c#d", ("camera", None, "/a?b=c", "", "")),
        ("rtsp://camera?b=c", ("camera", None, "/?b=c", "", "")),
        ("rtsp://10.0.0.1:554/a", ("10.0.0.1", 554, "/a", "", "")),
        ("rtsp://[fe80::1]:554/a", ("fe80::1", 554, "/a", "", "")),
        ("rtsp://me:secret@camera/a", ("camera", None, "/a", "me", "secret")),
        ("rtsp://me:p@s:s@camera/a", ("camera", None, "/a", "me", "p@s:s")),
        ("rtsp://me:p%40%2Fss@camera/a", ("camera", None, "/a", "me", "p@/ss")),
        ("rtsp://me:100%@camera/a", ("camera", None, "/a", "me", "100%")),
        ("rtsp://me:p/s?s#@camera/a", ("camera", None, "/a", "me", "p/s?s#")),
        ("rtsp://me@camera/a", ("camera", None, "/a", "me", "")),
        ("rtsp://:secret@camera/a", ("camera", None, "/a", "", "secret")),
        ("http://camera:80/@home/a.jpg", ("camera", 80, "/@home/a.jpg", "", "")),
    ],
)
def test_a_url_is_taken_apart_as_it_is_meant(url, parts):
    found = Locator.parse(url)
    assert (found.host, found.port, found.target, found.user, found.password) == parts


@pytest.mark.parametrize("url", ["rtsp://", "rtsp:///a", "rtsp://me:secret@", "rtsp://me:secret@/a", "rtsp://a b/"])
def test_a_url_without_a_host_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError, match=r"names no host; write rtsp://") as caught:
        Locator.parse(url)
    assert "secret" not in str(caught.value)


def test_a_port_that_cannot_be_is_refused():
    with pytest.raises(ConfigurationError):
        Locator.parse("rtsp://camera:70000/a")


@given(st.text(min_size=1, max_size=9).filter(str.strip), st.text(max_size=9))
def test_what_is_written_out_again_means_the_same(user, password):
    first = Locator("rtsp", "camera", 554, "/a", user, password)
    assert Locator.parse(first.full) == first


def test_a_password_does_not_show_in_what_is_printed():
    found = Locator.parse("rtsp://me:secret@[fe80::1]:554/a")
    assert "secret" not in repr(found)
    assert found.plain == "rtsp://[fe80::1]:554/a"
