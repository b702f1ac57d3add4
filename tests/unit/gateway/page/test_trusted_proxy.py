"""What is believed of a reverse proxy, and of those who pretend to be one."""

import ipaddress

import pytest
from pydantic import ValidationError

from gateway.configuration.page_section import PageSection
from gateway.page.page_door import proxy_of
from gateway.page.trusted_proxy import TrustedProxy

PROXY = TrustedProxy(ipaddress.ip_network("172.18.0.0/16"), b"remote-user")
HEADERS = {b"remote-user": b"anna", b"x-forwarded-for": b"6.6.6.6, 192.168.1.20", b"x-forwarded-proto": b"https"}


@pytest.mark.parametrize("host", ["172.18.0.5", "::ffff:172.18.0.5"])
def test_the_proxy_names_the_user_and_the_address_that_it_saw_itself(host):
    assert PROXY.user_in(host, HEADERS) == "anna"
    assert PROXY.client_of(host, HEADERS) == "192.168.1.20"
    assert PROXY.is_encrypted(host, HEADERS)


@pytest.mark.parametrize("host", ["172.19.0.5", "127.0.0.1", "", "testclient", "::1"])
def test_nobody_else_is_believed(host):
    assert PROXY.user_in(host, HEADERS) == ""
    assert PROXY.client_of(host, HEADERS) == host
    assert not PROXY.is_encrypted(host, HEADERS)


def test_a_proxy_without_logins_names_nobody():
    proxy = proxy_of(PageSection(proxy_address="172.18.0.5"))
    assert proxy.user_in("172.18.0.5", {**HEADERS, b"": b"root"}) == ""
    assert proxy.client_of("172.18.0.5", {}) == "172.18.0.5"


def test_a_header_is_believed_from_an_address_only():
    with pytest.raises(ValidationError, match="needs proxy_address"):
        PageSection(proxy_header="Remote-User")
    for wrong in ({"proxy_address": "nginx"}, {"proxy_address": "10.0.0.1", "proxy_header": "a b"}):
        with pytest.raises(ValidationError, match="write the"):
            PageSection(**wrong)
    assert proxy_of(PageSection()) is None
