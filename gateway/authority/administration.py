"""Administers the members of a running gateway's cluster: publishes their list, lets devices join, serves commands."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from gateway.authority.admin_messages import (
    CloseRequest,
    DoneAnswer,
    InviteAnswer,
    InviteRequest,
    ListedNode,
    NodesAnswer,
    NodesRequest,
    RevokeRequest,
)
from gateway.authority.admin_server import AdminServer
from gateway.authority.join_admission import Admission, ClusterAccess
from gateway.authority.join_server import JoinServer
from shared.errors import BrokerError
from shared.network.addresses import LOOPBACK, LOOPBACK_V6, Address, network_address
from shared.network.hosts import is_wildcard
from shared.network.interfaces import interface_address, interface_address_v6
from shared.process.lifecycle import run_together
from shared.security.code_parts import authority_in_code
from shared.security.join_messages import InvitationCode
from shared.security.member_list import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.authority.cluster_keys import ClusterKeys
    from gateway.authority.device_invitations import Invitation
    from shared.security.member_list import MemberList


class Administration:
    """Joining and revoking in a running gateway."""

    def __init__(
        self,
        keys: ClusterKeys,
        facts: ClusterAccess,
        join_address: Address,
        *,
        present: Callable[[], tuple[str, ...]],
        publish: Callable[[MemberList], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`present` returns the names of the edges that are online; `publish` publishes the list of members."""
        self._authority, self._members = keys.authority, keys.members
        self._join_address = join_address
        self._present = present
        self._publish = publish
        self._changed = asyncio.Event()
        self._admission = Admission(keys.authority, keys.members, facts, clock)
        self._join_server = JoinServer(join_address, keys.authority, self._admission)
        self.admin_server = AdminServer(keys.authority.folder)
        self.admin_server.serve(InviteRequest, self._invite)
        self.admin_server.serve(NodesRequest, self._nodes)
        self.admin_server.serve(RevokeRequest, self._revoke)
        self.admin_server.serve(CloseRequest, self._close)
        keys.members.follow(lambda _: self._changed.set())

    async def run(self) -> None:
        """Serve until cancelled."""
        await run_together(self._join_server.run(), self.admin_server.run(), self._publish_changes())

    async def on_connected(self) -> None:
        """Publish the list: the broker may have started again."""
        await self._publish(self._members.list)

    @property
    def invitations(self) -> tuple[Invitation, ...]:
        """Return the invitations of the last hour."""
        return self._admission.invitations.all

    def problems(self) -> tuple[str, ...]:
        """Return the problem of an open cluster, as a sentence."""
        if not self._members.list.open:
            return ()
        keyless = self._without_keys()
        if keyless:
            first = keyless[0]
            return (
                f"the cluster is open to everybody on the network, as {', '.join(keyless)} "
                f"{'has' if len(keyless) == 1 else 'have'} no keys yet: run 'deepthings invite {first}' on the gateway,"
                f" and the command that it prints on {first}; when all have joined, run 'deepthings close'",
            )
        return ("the cluster is open to everybody on the network: run 'deepthings close' on the gateway",)

    def _without_keys(self) -> list[str]:
        return [name for name in self._present() if self._members.list.find(Role.EDGE, name) is None]

    async def _publish_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            with contextlib.suppress(BrokerError):  # `on_connected` publishes it when the broker is back
                await self._publish(self._members.list)

    async def _invite(self, request: InviteRequest) -> InviteAnswer:
        port = self._join_server.open()
        secret = self._admission.invite(request.role, request.name, again=request.again)
        self._join_server.open()  # again: if nobody was invited before, the server may have closed the port meanwhile
        host = request.host or reached_at(self._join_address.host)
        code = InvitationCode(authority_in_code(self._authority.identity.authority_hash), secret, Address(host, port))
        return InviteAnswer(code=str(code), ends_in_s=self._admission.open_for_s())

    async def _nodes(self, _: NodesRequest) -> NodesAnswer:
        present = self._present()
        members = [
            ListedNode(
                name=member.name, role=member.role, key_hash=member.key_hash,
                online={Role.GATEWAY: True, Role.EDGE: member.name in present}.get(member.role),
            )
            for member in self._members.list.members
        ]  # fmt: skip
        keyless = [ListedNode(name=name, role=Role.EDGE, online=True) for name in self._without_keys()]
        return NodesAnswer(open=self._members.list.open, nodes=(*members, *keyless))

    async def _revoke(self, request: RevokeRequest) -> DoneAnswer:
        member = self._admission.revoke(request.role, request.name)
        return DoneAnswer(done=f"{member} is no longer a member of the cluster, and is refused from now on")

    async def _close(self, _: CloseRequest) -> DoneAnswer:
        keyless = self._without_keys()
        self._members.set_open(is_open=False)
        refused = f" These have no keys and are refused: {', '.join(keyless)}." if keyless else ""
        return DoneAnswer(done=f"the cluster is closed: only members take part.{refused}")


def reached_at(listen: str) -> str:
    """Return the address at which other devices reach this machine; `listen` is the address that it listens on."""
    if not is_wildcard(listen):
        return listen
    if ":" in listen:
        return interface_address_v6() or LOOPBACK_V6
    return network_address() or interface_address() or LOOPBACK
