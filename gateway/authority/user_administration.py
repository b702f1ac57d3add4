"""Commands for the logins of people and automations at the running gateway's own broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.authority.admin_messages import AddUserRequest, DoneAnswer, RemoveUserRequest, UserAnswer
from gateway.authority.administration import reached_at
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.authority.admin_server import AdminServer
    from gateway.broker.broker_access import BrokerAccess
    from shared.network.addresses import Address


class UserAdministration:
    """Adds and removes logins; a command is answered when the broker has taken the change."""

    def __init__(self, access: BrokerAccess, server: AdminServer) -> None:
        self._access = access
        server.serve(AddUserRequest, self._add)
        server.serve(RemoveUserRequest, self._remove)

    async def _add(self, request: AddUserRequest) -> UserAnswer:
        public, encrypted = self._public_places()
        password = self._access.users.add(request.name, request.password)
        await self._apply()
        return UserAnswer(
            name=request.name, password="" if request.password else password, host=reached_at(public.host),
            port=public.port, tls_port=encrypted.port,
        )  # fmt: skip

    async def _remove(self, request: RemoveUserRequest) -> DoneAnswer:
        self._public_places()
        if not self._access.users.remove(request.name):
            known = ", ".join(sorted(self._access.users.read())) or "none"
            raise ConfigurationError(f"there is no user {request.name!r}; users: {known}")
        await self._apply()
        return DoneAnswer(done=f"user {request.name!r} is removed, and its connections are closed")

    def _public_places(self) -> tuple[Address, Address]:
        """Return where people log in. Raises ConfigurationError where that is at the broker of the house."""
        places = self._access.places
        if places.public is None or places.public_encrypted is None:
            raise ConfigurationError(
                "people and automations use the broker of the house (mqtt.host in the configuration): add the user "
                "there"
            )
        return places.public, places.public_encrypted

    async def _apply(self) -> None:
        self._access.change()
        await self._access.applied()
