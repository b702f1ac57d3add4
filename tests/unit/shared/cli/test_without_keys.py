import pytest

from shared.cli import without_keys
from shared.cli.without_keys import SERVICE_VARIABLE, may_connect, may_listen, may_take_part
from shared.errors import ConfigurationError
from shared.network.addresses import Address

EVERYWHERE = "0.0.0.0"  # noqa: S104  (nothing listens)


@pytest.fixture(autouse=True)
def no_service(monkeypatch):
    monkeypatch.delenv(SERVICE_VARIABLE, raising=False)
    monkeypatch.setattr(without_keys, "own_address", lambda _: "192.0.2.7")


@pytest.mark.parametrize(("host", "keys"), [("127.0.0.1", False), ("::1", False), (EVERYWHERE, True)])
def test_loopback_and_keys_need_no_more(host, keys, capsys):
    assert not may_listen(host, "edge porch", keys=keys, insecure=False)
    assert not may_connect(host, "camera door", keys=keys, insecure=False)
    assert not may_take_part(Address(host, 7883), "edge porch", keys=keys, insecure=False)
    assert capsys.readouterr().err == ""


def test_without_keys_it_ends_with_what_to_do():
    with pytest.raises(ConfigurationError, match=r"edge porch listens on 0.0.0.0 without keys: .*'deepthings invite'"):
        may_listen(EVERYWHERE, "edge porch", keys=False, insecure=False)
    with pytest.raises(ConfigurationError, match=r"camera door sends pictures to 10.0.0.5 without keys: .*--insecure"):
        may_connect("10.0.0.5", "camera door", keys=False, insecure=False)
    with pytest.raises(ConfigurationError, match=r"edge porch works for the gateway at 192\.0\.2\.1 without keys"):
        may_take_part(Address("192.0.2.1", 7883), "edge porch", keys=False, insecure=False)


def test_the_gateway_of_this_machine_is_reached_by_any_of_its_addresses(capsys):
    assert not may_take_part(Address("192.0.2.7", 7883), "edge porch", keys=False, insecure=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("keys", [True, False])
def test_who_writes_it_gets_it_with_a_warning(keys, capsys):
    assert may_listen(EVERYWHERE, "edge porch", keys=keys, insecure=True)
    assert "Warning: edge porch listens on 0.0.0.0 without keys: everybody who can reach it" in capsys.readouterr().err


def test_a_service_of_the_release_before_goes_on_with_a_warning(monkeypatch, capsys):
    monkeypatch.setenv(SERVICE_VARIABLE, "/run/systemd/notify")
    assert may_listen(EVERYWHERE, "edge porch", keys=False, insecure=False)
    assert may_take_part(Address("192.0.2.1", 7883), "edge porch", keys=False, insecure=False)
    assert "type 'deepthings invite' at the gateway, and the command that it prints here" in capsys.readouterr().err
