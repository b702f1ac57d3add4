from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.urls.locator import Locator
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
        ("rtsp://me:12#34@10.0.0.1:554/a", ("10.0.0.1", 554, "/a", "me", "12#34")),
        ("rtsp://me:12/34@10.0.0.1/a", ("10.0.0.1", None, "/a", "me", "12/34")),
        ("rtsp://me:12?34@camera.local/a", ("camera.local", None, "/a", "me", "12?34")),
        ("rtsp://me:12#34@camera/a", ("camera", None, "/a", "me", "12#34")),
        ("rtsp://me:1/2@3@10.0.0.1/a", ("10.0.0.1", None, "/a", "me", "1/2@3")),
        ("rtsp://me.you:12/34@10.0.0.1/a", ("10.0.0.1", None, "/a", "me.you", "12/34")),
        ("rtsp://me:12%2F34@camera/a", ("camera", None, "/a", "me", "12/34")),
        ("http://10.0.0.1:80/a?to=me@10.0.0.2", ("10.0.0.1", 80, "/a?to=me@10.0.0.2", "", "")),
        ("http://camera:80/a?to=me@example.com", ("camera", 80, "/a?to=me@example.com", "", "")),
        ("http://camera/a@home", ("camera", None, "/a@home", "", "")),
        ("rtsp://[fe80::1%eth0]:554/a", ("fe80::1%eth0", 554, "/a", "", "")),
        ("rtsp://me:secret@[fe80::1%25wlan0.1]/a", ("fe80::1%wlan0.1", None, "/a", "me", "secret")),
        ("http://camera:80/@home/a.jpg", ("camera", 80, "/@home/a.jpg", "", "")),
    ],
)
def test_a_url_is_taken_apart_as_it_is_meant(url, parts):
    found = Locator.parse(url)
    assert (found.host, found.port, found.target, found.user, found.password) == parts


@pytest.mark.parametrize("url", ["rtsp://", "rtsp:///a", "rtsp://me:secret@", "rtsp://me:secret@/a", "rtsp://a b/"])
def test_a_url_without_a_host_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError, match=r"has no host; write rtsp://") as caught:
        Locator.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["rtsp://me:12/34@camera/a", "rtsp://me:12?34@camera/a"])
def test_an_address_of_two_meanings_is_refused_with_the_way_to_write_it(url):
    with pytest.raises(ConfigurationError, match=r"two ways; write #, /, \? and @ of a password as %23, %2F") as caught:
        Locator.parse(url)
    assert "34" not in str(caught.value)


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
