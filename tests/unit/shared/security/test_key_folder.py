import stat
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.security.key_folder import default_key_folder, find_identity, read_gateway, store_gateway


def test_services_and_people_have_the_folder_where_their_other_state_is(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/var/lib")
    assert default_key_folder() == Path("/var/lib/deepthings/node")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/pi")
    assert default_key_folder() == Path("/home/pi/.local/state/deepthings/node")


def test_a_device_that_has_not_joined_has_no_identity_and_no_gateway(tmp_path):
    assert find_identity(tmp_path / "node") is None
    assert read_gateway(tmp_path / "node") is None


@pytest.mark.parametrize("address", [Address("192.168.1.10", 7883), Address("gateway.local", 1), Address("fe80::1", 2)])
def test_the_address_is_read_as_it_was_stored(tmp_path, address):
    store_gateway(tmp_path / "node", address)
    assert read_gateway(tmp_path / "node") == address
    assert stat.S_IMODE((tmp_path / "node").stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe"])
def test_a_damaged_address_is_reported(tmp_path, content):
    (tmp_path / "gateway").write_bytes(content)
    with pytest.raises(ConfigurationError, match="gateway"):
        read_gateway(tmp_path)
