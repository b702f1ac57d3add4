import os
import stat
from pathlib import Path

import pytest

from shared.cli import key_place
from shared.cli.key_place import KeyPlace, place_of_service, take_over_identity
from shared.network.addresses import Address
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.key_folder import default_key_folder, read_gateway, store_gateway
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity, load_identity, store_identity
from shared.systemd.accounts import ServiceAccount
from shared.systemd.unit import Unit

GATEWAY = Address("192.168.1.10", 7883)


def unit(*arguments, user="deepthings", **environment):
    return Unit("edge", Path("/opt/bin/deepthings"), arguments, user, environment=environment)


@pytest.fixture
def joined(tmp_path):
    """The home of a person who has joined by hand."""
    home = tmp_path / "home"
    folder = default_key_folder(home / ".local" / "state")
    authority_key, key = make_key(), make_key()
    authority = make_authority(authority_key)
    certificate = issue_certificate(authority, authority_key, Role.EDGE, "porch", public_key_of(key))
    store_identity(NodeIdentity(folder, authority, certificate, key, "token"))
    store_gateway(folder, GATEWAY)
    return home


def test_our_services_have_their_keys_in_their_state_folder():
    place = place_of_service(unit(XDG_STATE_HOME="/var/lib"))
    assert (place.folder, place.service) == (Path("/var/lib/deepthings/node"), "deepthings-edge")


def test_services_of_another_user_have_them_in_the_home(monkeypatch):
    monkeypatch.setattr(key_place, "find_account", lambda name: ServiceAccount(name, 1000, 1000, home=Path("/home/pi")))
    assert place_of_service(unit(user="pi")).folder == Path("/home/pi/.local/state/deepthings/node")


def test_a_service_with_the_option_has_them_there():
    assert place_of_service(unit("--keys", "/etc/keys", XDG_STATE_HOME="/var/lib")).folder == Path("/etc/keys")


def test_only_root_joins_for_the_service(monkeypatch):
    monkeypatch.setattr(key_place, "installed_units", lambda: [unit(XDG_STATE_HOME="/var/lib")])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert key_place.key_place() == KeyPlace(default_key_folder())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert key_place.key_place().service == "deepthings-edge"


def test_a_service_takes_over_the_identity_of_the_person_who_installs_it(tmp_path, joined):
    place = KeyPlace(tmp_path / "service" / "node")
    source = take_over_identity(place, [tmp_path / "nobody", joined])
    assert source == default_key_folder(joined / ".local" / "state")
    assert not source.exists()
    assert load_identity(place.folder).name == "porch"
    assert read_gateway(place.folder) == GATEWAY
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.folder.iterdir()} == {0o600}


def test_a_service_that_has_joined_keeps_its_own_identity(tmp_path, joined):
    place = KeyPlace(tmp_path / "service" / "node")
    place.folder.mkdir(parents=True)
    (place.folder / "node.pem").write_text("its own")
    assert take_over_identity(place, [joined]) is None
    assert (place.folder / "node.pem").read_text() == "its own"
    assert load_identity(default_key_folder(joined / ".local" / "state"))


def test_a_service_of_the_same_person_has_nothing_to_take_over(joined):
    assert take_over_identity(KeyPlace(default_key_folder(joined / ".local" / "state")), [joined]) is None


def test_without_an_identity_there_is_nothing_to_take_over(tmp_path):
    place = KeyPlace(tmp_path / "node")
    assert take_over_identity(place, [tmp_path]) is None
    assert not place.folder.exists()


def test_folders_that_are_made_belong_to_the_user_of_the_service(tmp_path, joined, monkeypatch):
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        os, "chown", lambda path, uid, gid, **_: given.append((str(path.relative_to(tmp_path)), uid, gid))
    )
    (tmp_path / "pi").mkdir()
    place = KeyPlace(tmp_path / "pi" / ".local" / "node", ServiceAccount("pi", 1000, 1001))
    take_over_identity(place, [joined])
    assert {(uid, gid) for _, uid, gid in given} == {(1000, 1001)}
    paths = {path for path, _, _ in given}
    assert {"pi/.local", "pi/.local/node", "pi/.local/node/node-key.pem"} <= paths
    assert not {"pi", "."} & paths
