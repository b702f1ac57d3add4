"""Serves the commands that add and remove logins of people and automations at the gateway's own broker and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.authority.admin_messages import AddUserRequest, DoneAnswer, RemoveUserRequest, UserAnswer
from gateway.authority.administration import reached_at
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.authority.admin_server import AdminServer
    from gateway.broker.broker_access import BrokerAccess

_NO_LOGINS_HERE = (
    "people and automations use the broker of the house (mqtt.host in the configuration), and there is no page: add "
    "the user at that broker"
)


class UserAdministration:
    """Adds and removes logins. A command gets its answer when the change applies at the broker."""

    def __init__(self, access: BrokerAccess, server: AdminServer, page: str = "") -> None:
        """`page` is the address of the page; empty: there is none."""
        self._access = access
        self._page = page
        server.serve(AddUserRequest, self._add)
        server.serve(RemoveUserRequest, self._remove)

    async def _add(self, request: AddUserRequest) -> UserAnswer:
        places = self._access.places
        if places.public is None and not self._page:
            raise ConfigurationError(_NO_LOGINS_HERE)
        password = self._access.users.add(request.name, request.password, may_change=not request.read_only)
        await self._apply()
        return UserAnswer(
            name=request.name, password="" if request.password else password, host=reached_at(places.cluster.host),
            port=places.public and places.public.port, page=self._page,
            tls_port=places.public_encrypted and places.public_encrypted.port,
        )  # fmt: skip

    async def _remove(self, request: RemoveUserRequest) -> DoneAnswer:
        if not self._access.users.remove(request.name):
            known = ", ".join(sorted(self._access.users.read())) or "none"
            raise ConfigurationError(f"there is no user {request.name!r}; users: {known}")
        await self._apply()
        return DoneAnswer(done=f"user {request.name!r} is removed, and its connections are closed")

    async def _apply(self) -> None:
        self._access.change()
        await self._access.applied()
