"""Where the page listens, who gets in, and its certificate."""

import ssl

import pytest

from gateway.authority.authority import Authority
from gateway.broker.logins import LoginFile
from gateway.configuration.page_section import PageSection
from gateway.page import page_door
from gateway.page.local_access import refusal_of
from gateway.page.page_door import check_page_address, is_own_name, open_page_door, server_certificate
from shared.errors import ConfigurationError
from shared.network.addresses import Address

LOCAL, BEYOND = Address("127.0.0.1", 8095), Address("192.168.1.10", 8095)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "keys")


def opened(tmp_path, address, authority, **section):
    return open_page_door(address, PageSection(**section), tmp_path, authority, LoginFile(tmp_path / "users"))


def test_without_keys_there_is_no_login_and_nothing_is_kept(tmp_path):
    door = open_page_door(LOCAL, PageSection(), tmp_path, None, None)
    assert (door.logins, door.certificate, door.url) == (None, None, "http://127.0.0.1:8095")
    assert list(tmp_path.iterdir()) == []


def test_with_keys_there_is_a_login_and_beyond_this_machine_it_is_encrypted(tmp_path, authority):
    local = opened(tmp_path, LOCAL, authority)
    assert local.logins is not None
    assert (local.certificate, local.url_beyond) == (None, "http://127.0.0.1:8095")
    door = opened(tmp_path, BEYOND, authority)
    assert door.url == "https://192.168.1.10:8095"
    assert opened(tmp_path, BEYOND, authority, tls=False).certificate is None
    assert opened(tmp_path, LOCAL, authority, tls=True).certificate is not None


def test_the_certificate_stays_as_long_as_its_names_and_its_authority(tmp_path, authority, monkeypatch):
    path = tmp_path / "page" / "certificate.pem"
    first = server_certificate(path, authority, "192.168.1.10").read_bytes()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    assert server_certificate(path, authority, "192.168.1.10").read_bytes() == first
    monkeypatch.setattr(page_door, "names_of_host", lambda _: ("attic", "192.168.1.99"))
    second = server_certificate(path, authority, "192.168.1.10").read_bytes()
    assert second != first
    assert server_certificate(path, Authority(tmp_path / "new"), "192.168.1.10").read_bytes() != second


def test_a_page_without_a_login_is_for_this_machine_unless_somebody_insists():
    check_page_address(LOCAL, keys=False, insecure=False)
    check_page_address(BEYOND, keys=True, insecure=False)
    check_page_address(BEYOND, keys=False, insecure=True)
    with pytest.raises(ConfigurationError, match=r"cluster\.listen.*ssh -L 8095"):
        check_page_address(BEYOND, keys=False, insecure=False)


def test_an_insecure_page_knows_its_own_names(monkeypatch):
    monkeypatch.setattr(page_door.socket, "gethostname", lambda: "Attic.home")
    for name in ("192.168.1.10", "::1", "localhost", "attic", "attic.local", "ATTIC.home"):
        assert is_own_name(name), name
    for name in ("evil.example", "attic.evil.example", ""):
        assert not is_own_name(name), name
    headers = {b"host": b"192.168.1.10:8095", b"x-deepthings": b"page", b"origin": b"http://evil.example"}
    assert "foreign Origin" in refusal_of("POST", headers, is_own_name)
    assert refusal_of("GET", {b"host": b"evil.example"}, is_own_name)
