"""Lets devices join: checks their invitations and names, adds them to the members, and issues their certificates."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.authority.device_invitations import DeviceInvitations, Invitation
from shared.errors import PeerRefusedError
from shared.network.ports import DATA_PORT
from shared.security.issuing import public_key_hash
from shared.security.join_messages import JoinAnswer, JoinRequest
from shared.security.member_list import Member, Role, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.authority.authority import Authority
    from gateway.authority.member_store import MemberStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The facts that a new member gets: the ports of the cluster's broker and of the gateway's data plane, and the
    prefix of its topics.
    """

    port: int
    topic_prefix: str
    data_port: int = DATA_PORT


class Admission:
    """Invites devices, and makes members of them."""

    def __init__(
        self,
        authority: Authority,
        members: MemberStore,
        facts: ClusterAccess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority = authority
        self._members = members
        self._facts = facts
        self._clock = clock
        self.invitations = DeviceInvitations()

    def invite(self, role: Role, name: str | None, *, again: bool) -> str:
        """Return the secret of a new invitation. Raises PeerRefusedError when the name is taken."""
        if name is not None and not again and self._members.list.find(role, name) is not None:
            raise PeerRefusedError(_name_taken_message(role, name))
        return self.invitations.invite(role, name, self._clock(), again=again)

    def open_for_s(self) -> float:
        """Return the seconds until the last invitation ends; 0 when none is open."""
        return self.invitations.closes_in_s(self._clock())

    def revoke(self, role: Role | None, name: str) -> Member:
        """Remove a member, and return it. Raises PeerRefusedError, DeepThingsError."""
        member = self._members.require(role, name)
        self.invitations.withdraw(member.role, member.name)
        return self._members.revoke(member.role, member.name)

    def join(self, request: JoinRequest) -> JoinAnswer:
        """Return the answer to a device that shows a code. Raises PeerRefusedError, DeepThingsError."""
        self.invitations.require(request.secret, self._clock())  # first, before other input of a stranger is used
        key_hash = public_key_hash(request.public_key.encode())
        return self.invitations.redeem(
            request.secret, key_hash, self._clock(), lambda invitation: self._admit(invitation, request, key_hash)
        )

    def _admit(self, invitation: Invitation, request: JoinRequest, key_hash: str) -> JoinAnswer:
        if invitation.name is not None and request.name not in {None, invitation.name}:
            raise PeerRefusedError(
                f"this code is for {describe(invitation.role, invitation.name)}; leave --name out, or run 'deepthings "
                f"invite {request.name}'"
            )
        member = Member(role=invitation.role, name=invitation.name or request.name or request.host, key_hash=key_hash)
        known = self._members.list.find(member.role, member.name)
        if known not in {None, member} and not invitation.again:
            raise PeerRefusedError(_name_taken_message(member.role, member.name))
        certificate = self._authority.issue(member.role, member.name, request.public_key.encode())
        self._members.add(member)
        return JoinAnswer(
            role=member.role, name=member.name, certificate=certificate.decode(), port=self._facts.port,
            token=self._authority.token_of(member), topic_prefix=self._facts.topic_prefix,
            data_port=self._facts.data_port,
        )  # fmt: skip


def _name_taken_message(role: Role, name: str) -> str:
    option = "" if role is Role.EDGE else f" --role {role.value}"
    return (
        f"{describe(role, name)} is a member already: give the new device another name with 'deepthings join --name "
        f"NAME'. If it is the same device, or takes its place, run 'deepthings invite {name}{option} --again'"
    )
