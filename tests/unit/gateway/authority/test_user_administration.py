from __future__ import annotations

import asyncio

import pytest

from gateway.authority.admin_messages import AddUserRequest, RemoveUserRequest
from gateway.authority.admin_server import AdminServer
from gateway.authority.user_administration import UserAdministration
from gateway.broker.broker_access import BrokerPlaces
from gateway.broker.logins import LoginFile, is_password
from shared.errors import ConfigurationError
from shared.network.addresses import Address

CLUSTER, EDGES, PUBLIC, ENCRYPTED = (Address("192.168.1.10", port) for port in (7883, 7886, 1883, 8883))


class Access:
    """Those who may log in, at a broker that is not there."""

    def __init__(self, file, *places):
        self.users, self.places = LoginFile(file), BrokerPlaces(*places)
        self.changes = self.waited = 0

    def change(self):
        self.changes += 1

    async def applied(self):
        await asyncio.sleep(0)
        self.waited = self.changes


def administration(tmp_path, *places):
    access = Access(tmp_path / "users", *places)
    return access, UserAdministration(access, AdminServer(tmp_path))


async def test_a_login_is_told_when_the_broker_has_it(tmp_path):
    access, users = administration(tmp_path, CLUSTER, EDGES, PUBLIC, ENCRYPTED)
    answer = await users._add(AddUserRequest(name="homeassistant"))
    assert is_password(answer.password, access.users.read()["homeassistant"])
    assert (answer.host, answer.port, answer.tls_port) == ("192.168.1.10", 1883, 8883)
    assert access.waited == 1


async def test_a_password_that_a_person_chose_is_not_repeated(tmp_path):
    access, users = administration(tmp_path, CLUSTER, EDGES, PUBLIC, ENCRYPTED)
    answer = await users._add(AddUserRequest(name="anna", password="a long word of mine"))  # noqa: S106
    assert answer.password == ""
    assert is_password("a long word of mine", access.users.read()["anna"])


async def test_a_login_is_removed_and_an_unknown_one_is_an_error_that_names_the_others(tmp_path):
    access, users = administration(tmp_path, CLUSTER, EDGES, PUBLIC, ENCRYPTED)
    await users._add(AddUserRequest(name="anna"))
    with pytest.raises(ConfigurationError, match="no user 'ana'; users: anna"):
        await users._remove(RemoveUserRequest(name="ana"))
    assert access.waited == 1
    await users._remove(RemoveUserRequest(name="anna"))
    assert access.users.read() == {}
    assert access.waited == 2


async def test_where_the_house_has_a_broker_logins_are_made_there(tmp_path):
    _, users = administration(tmp_path, CLUSTER, EDGES)
    with pytest.raises(ConfigurationError, match="broker of the house"):
        await users._add(AddUserRequest(name="anna"))
    assert not (tmp_path / "users").exists()
