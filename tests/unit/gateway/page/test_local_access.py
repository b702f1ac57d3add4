"""Without a login, only browsers of this machine may use the page, and only the page may change something."""

import pytest

from gateway.page.local_access import refusal_of

LOCAL = {b"host": b"127.0.0.1:8095"}


@pytest.mark.parametrize("host", [b"127.0.0.1:8095", b"localhost:9000", b"[::1]:8095", b"127.0.0.1", b"127.1.2.3:80"])
def test_loopback_addresses_are_allowed_with_any_port_as_ssh_may_have_another(host):
    assert refusal_of("GET", {b"host": host}) == ""


@pytest.mark.parametrize(
    "host", [b"evil.example:8095", b"192.168.1.10:8095", b"", b"127.0.0.1.evil.example", b"[::", b"[x]"]
)
def test_other_names_are_refused(host):
    assert "ssh -L" in refusal_of("GET", {b"host": host})


def test_a_request_without_a_name_is_refused():
    assert refusal_of("GET", {})


def test_a_change_needs_the_header_that_other_sites_cannot_send():
    assert refusal_of("POST", LOCAL)
    assert refusal_of("POST", {**LOCAL, b"x-deepthings": b"page"}) == ""
    assert refusal_of("POST", {**LOCAL, b"x-deepthings": b"page", b"origin": b"http://127.0.0.1:8095"}) == ""


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null", b"http://[", b"http://192.168.1.10:8095"])
def test_a_change_from_another_site_is_refused(origin):
    assert refusal_of("POST", {**LOCAL, b"x-deepthings": b"page", b"origin": origin})
